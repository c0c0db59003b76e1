"""The states that come of changes, of Cloud Run's answers, of what serves and who holds. Pure.

Each rule returns its state where it holds, else None.
"""

from __future__ import annotations

from typing import Final

import msgspec

from canary.rollout.change.change import ANNOTATING
from canary.rollout.change.hold import format_hold, name_holder
from canary.rollout.change.irreversible import format_irreversible
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.served import find_hindrance, find_pin
from canary.rollout.snapshot.snapshot import ChangeView, Drift, Snapshot, find_waiting
from canary.rollout.snapshot.state_words import Actor, RolloutState
from canary.rollout.text import format_clock, format_percent, format_until, sanitize

NOBODY: Final = Actor("nobody")


def not_possible(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """Roll back all would not work now: why, and the remedy."""
    readiness = snapshot.readiness
    if readiness is None or readiness.state != "impossible":
        return None
    worst = readiness.wrong[0] if readiness.wrong else None
    said = "" if worst is None else _clause(worst.said)
    remedy = "" if worst is None else _clause(worst.remedy)
    return RolloutState("rollback_not_possible", said, remedy, Actor("you", "readiness"))


def unknown_outcome(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """How a change ended is not known."""
    ended = (c for c in snapshot.changes if c.outcome is not None)
    change = next(
        (c for c in ended if c.outcome is not None and c.outcome.state == "unknown"), None
    )
    if change is None:
        return None
    since = format_clock(change.asked_at)
    cause = f"{sanitize(change.title, 80)} of {since} by {sanitize(change.author, 60)}"
    return RolloutState("unknown_outcome", cause, "check its status", Actor("you", "look_up"))


def failed(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """The newest change failed, nothing newer was asked for, and nobody has dismissed it."""
    newest = snapshot.changes[0] if snapshot.changes else None
    if newest is None or newest.acknowledged or newest.outcome is None:
        return None
    if newest.outcome.state != "failed":
        return None
    cause = f"{sanitize(newest.title, 80)}: {_clause(newest.outcome.message, 160)}"
    remedy = _clause(newest.outcome.remedy, 160) or "look at what Cloud Run says, then try again"
    return RolloutState("failed", cause, remedy, Actor("you", "acknowledge"))


LOG_IN: Final = "log in: `gcloud auth application-default login`"


def cannot_see(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """Cloud Run does not answer, or not what is set."""
    source = next((s for s in snapshot.sources if s.name == "Cloud Run"), None)
    if source is None or source.state != "failing":
        if snapshot.traffic.canary_percent is not None:
            return None
        why = _clause(snapshot.traffic.split_trouble) or "the split is not known"
        return RolloutState("cannot_see", why, "it is asked again", NOBODY)
    since = "" if source.since is None else f" since {format_clock(source.since)}"
    waiting = find_waiting(snapshot.changes)
    if source.login:
        then = "" if waiting is None else f"; {sanitize(waiting.title, 80)} goes out with it"
        return RolloutState(
            "cannot_see", f"your login is not accepted{since}", f"{LOG_IN}{then}", Actor("you")
        )
    if waiting is not None:
        text = f"{sanitize(waiting.title, 80)} goes out when it answers"
        actor = Actor("running", who=sanitize(waiting.author, 60))
        return RolloutState("cannot_see", f"no answer{since}", text, actor)
    cause = f"{_clause(source.message, 120)}{since}"
    return RolloutState("cannot_see", cause, "it is asked again", NOBODY)


def in_progress(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """A change is carried out, from here or elsewhere."""
    going = find_going(snapshot)
    if going is not None:
        return _going(going)
    foreign = snapshot.presence.in_flight
    if foreign is None:
        return None
    by = sanitize(f"{foreign.by}@{foreign.host}" if foreign.host else foreign.by, 80)
    cause = f"to {format_percent(foreign.percent)} since {format_clock(foreign.at)}"
    actor = Actor("other", who=by or "somebody")
    return RolloutState("in_progress", cause, "it is still rolling out", actor)


def find_going(snapshot: Snapshot) -> ChangeView | None:
    """The change of this host that is carried out or waits; None: there is none.

    What is only written for people, a hold or a note, moves nothing, and is none.
    """
    going = (c for c in snapshot.changes if c.outcome is None)
    return next((c for c in going if c.kind not in ANNOTATING), None)


def _going(change: ChangeView) -> RolloutState:
    title, who = sanitize(change.title, 80), sanitize(change.author, 60)
    if change.waiting_since is not None:
        cause = f"{title} waits for {change.waits_for} since {format_clock(change.waiting_since)}"
        next_ = "it goes out the moment there is an answer"
        return RolloutState("in_progress", cause, next_, Actor("running", who=who))
    cause = f"{title} since {format_clock(change.asked_at)}"
    step = sanitize(change.step, 80) or "it is looked up until it has settled"
    return RolloutState("in_progress", cause, step, Actor("running", who=who))


def drift(snapshot: Snapshot, plan: Plan) -> RolloutState | None:
    """What is set does not serve, is not what the record says, or the record cannot be read."""
    traffic = snapshot.traffic
    hindrance = find_hindrance(traffic)
    if hindrance is not None and not traffic.reconciling and find_pin(traffic) is None:
        cause, remedy = _clause(hindrance.said), _clause(hindrance.remedy)
        return RolloutState("drift", cause, remedy, Actor("you", "rollback_all"))
    if traffic.drift is not None:
        return _drifted(traffic.drift, plan)
    if traffic.record_error:
        next_ = "adopt the split as it is"
        return RolloutState("drift", _clause(traffic.record_error), next_, Actor("you", "adopt"))
    return None


def pinned(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """All is well, and what is promoted would serve nobody: said before somebody tries."""
    traffic = snapshot.traffic
    pin = find_pin(traffic)
    if pin is None or snapshot.retired:
        return None
    names = sanitize(", ".join(traffic.pinned), 130)
    if traffic.is_all_on_legacy:
        cause = f"all traffic is on Legacy, pinned to {names}"
        return RolloutState("off", cause, _clause(pin.remedy), Actor("you"))
    cause = f"no threshold is passed; traffic is pinned to {names}"
    return RolloutState("healthy", cause, _clause(pin.remedy), Actor("you"))


def _drifted(drift: Drift, plan: Plan) -> RolloutState:
    recorded = format_percent(drift.recorded_percent)
    if drift.is_plans:
        cause = f"the plan has {sanitize(drift.plan_has, 60)}, the record says {recorded}"
        return RolloutState("drift", cause, "adopt the split", Actor("you", "adopt"))
    by = f" by {sanitize(drift.by, 80)}" if drift.by else ""
    at = f" at {format_clock(drift.at)}" if drift.at is not None else ""
    actual = format_percent(drift.actual_percent)
    cause = f"Canary has {actual}, the record says {recorded}{by}{at}"
    if plan.stage_of_percent(drift.actual_percent) is None:
        return RolloutState("drift", cause, "no stage has that: revert it", Actor("you", "revert"))
    return RolloutState("drift", cause, "adopt the split, or revert it", Actor("you", "adopt"))


def held(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """Nobody promotes: a person holds the rollout, or the plan's calendar does."""
    hold, freeze, now = snapshot.hold, snapshot.freeze, snapshot.as_of
    if snapshot.retired or (hold is None and freeze is None):
        return None
    if hold is not None:
        until = "it is released" if hold.until is None else format_until(hold.until, now)
        actor = Actor("other", "hold", who=name_holder(hold))
        cause = format_hold(hold, now).removeprefix("held ")
        return RolloutState("held", cause, f"no promotion until {until}", actor)
    assert freeze is not None  # noqa: S101 - one of the two is there
    until = "" if freeze.until is None else f" until {format_until(freeze.until, now)}"
    why = f": {sanitize(freeze.why, 100)}" if freeze.why else ""
    return RolloutState("held", f"a freeze of the plan{why}", f"no promotion{until}", NOBODY)


def beside_irreversible(found: RolloutState, snapshot: Snapshot) -> RolloutState:
    """Where a rollback is called for, what it does not undo is said first."""
    mark = snapshot.irreversible
    if mark is None or found.actor.action not in ("rollback_all", "step_back"):
        return found
    return msgspec.structs.replace(found, cause=f"{format_irreversible(mark)}; {found.cause}")


def _clause(text: str, limit: int = 200) -> str:
    """A sentence as a part of a longer one: plain, without its full stop."""
    return sanitize(text, limit).rstrip(".")
