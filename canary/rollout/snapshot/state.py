"""The one state that a rollout is in: the worst there is owns it. Pure.

A person who is woken up reads one row: the word, its cause with number, limit and since when, what
comes next, and who acts. The words are the same on the screen, in the shell, in events and in
messages (`status --json` keeps its verdict codes and has `state` beside them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from canary.rollout.change.hold import format_hold, name_holder
from canary.rollout.change.irreversible import format_irreversible
from canary.rollout.decision.gates import Gate
from canary.rollout.decision.tree import Alert
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.served import find_hindrance
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot, find_countdown, find_waiting
from canary.rollout.text import (
    format_age,
    format_clock,
    format_duration,
    format_limit,
    format_percent,
    format_until,
    format_value,
    sanitize,
)

StateId = Literal[
    "roll_back_all",
    "roll_back_stage",
    "rollback_not_possible",
    "unknown_outcome",
    "failed",
    "cannot_see",
    "in_progress",
    "drift",
    "silent",
    "stale",
    "proven_worse",
    "watch",
    "settling",
    "thin",
    "held",
    "off",
    "healthy",
    "ready",
]
"""In the order of severity, the worst first."""

Tone = Literal["act", "watch", "unknown", "neutral", "good"]
"""How it is drawn: red reversed, amber, cyan italic, plain, with a green glyph."""

WORDS: Final[dict[StateId, str]] = {
    "roll_back_all": "ROLL BACK ALL",
    "roll_back_stage": "ROLL BACK ONE STAGE",
    "rollback_not_possible": "ROLLBACK NOT POSSIBLE",
    "unknown_outcome": "UNKNOWN OUTCOME",
    "failed": "FAILED",
    "cannot_see": "CANNOT SEE CLOUD RUN",
    "in_progress": "IN PROGRESS",
    "drift": "DRIFT",
    "silent": "SILENT",
    "stale": "STALE",
    "proven_worse": "PROVEN WORSE",
    "watch": "WATCH",
    "settling": "SETTLING",
    "thin": "TOO FEW REQUESTS",
    "held": "HELD",
    "off": "OFF",
    "healthy": "HEALTHY",
    "ready": "READY",
}
TONES: Final[dict[StateId, Tone]] = {
    "roll_back_all": "act",
    "roll_back_stage": "act",
    "rollback_not_possible": "act",
    "unknown_outcome": "act",
    "failed": "act",
    "cannot_see": "unknown",
    "in_progress": "neutral",
    "drift": "watch",
    "silent": "unknown",
    "stale": "unknown",
    "proven_worse": "act",
    "watch": "watch",
    "settling": "unknown",
    "thin": "unknown",
    "held": "neutral",
    "off": "neutral",
    "healthy": "good",
    "ready": "good",
}
GLYPHS: Final[dict[Tone, str]] = {
    "act": "✗",
    "watch": "◐",
    "unknown": "?",
    "neutral": "–",
    "good": "✓",
}

ActorKind = Literal["you", "auto", "running", "other", "nobody"]


class Actor(msgspec.Struct, frozen=True):
    """Who acts next. `action`: what a person would do, by the name of its key ("" for nothing).

    `who` names the other person or program; `left_s` is counted by automatic rollback.
    """

    kind: ActorKind
    action: str = ""
    who: str = ""
    left_s: float | None = None


class RolloutState(msgspec.Struct, frozen=True):
    """The state: `cause` and `next` are short sentences without a full stop; "" for none."""

    id: StateId
    cause: str
    next: str
    actor: Actor

    @property
    def word(self) -> str:
        """The word of the state, the same everywhere."""
        return WORDS[self.id]

    @property
    def tone(self) -> Tone:
        """How it is drawn."""
        return TONES[self.id]

    @property
    def glyph(self) -> str:
        """One cell beside the word; settling and what waits has its own."""
        return "◌" if self.id in ("settling", "in_progress", "held") else GLYPHS[self.tone]


_NOBODY: Final = Actor("nobody")


def find_state(snapshot: Snapshot, plan: Plan) -> RolloutState:
    """The worst state that holds. Missing, stale or thin data is never `healthy` or `ready`."""
    for rule in _RULES:
        found = rule(snapshot, plan)
        if found is not None:
            return _beside_irreversible(found, snapshot)
    return _well(snapshot, plan)


def _beside_irreversible(found: RolloutState, snapshot: Snapshot) -> RolloutState:
    """Where a rollback is called for, what it does not undo is said first."""
    mark = snapshot.irreversible
    if mark is None or found.actor.action not in ("rollback_all", "step_back"):
        return found
    cause = f"{format_irreversible(mark)}; {found.cause}"
    return msgspec.structs.replace(found, cause=cause)


def _decision(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """The tree calls for a rollback, or automatic rollback counts for a cause of its own."""
    verdict = snapshot.decision.verdict
    if snapshot.traffic.is_all_on_legacy or verdict not in ("rollback_all", "rollback_stage"):
        return None
    is_all = verdict == "rollback_all"
    scope = "critical" if is_all else "warning"
    cause = _beyond(snapshot.alerts, scope) or sanitize(snapshot.decision.reason)
    action = "rollback_all" if is_all else "step_back"
    text = "roll back all" if is_all else "roll back one stage"
    id_: StateId = "roll_back_all" if is_all else "roll_back_stage"
    return RolloutState(id_, cause, text, _who_goes_back(snapshot, action))


def _who_goes_back(snapshot: Snapshot, action: str) -> Actor:
    going = next((c for c in snapshot.changes if c.outcome is None), None)
    if going is not None:
        return Actor("running", who=sanitize(going.author, 60))
    guard = snapshot.guard
    if guard is not None and guard.left_s is not None:
        return Actor("auto", action, left_s=guard.left_s)
    elsewhere = find_countdown(snapshot.presence.others)
    if elsewhere is not None:
        return Actor("auto", action, who=sanitize(elsewhere.user, 60))
    return Actor("you", action)


def _not_possible(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    readiness = snapshot.readiness
    if readiness is None or readiness.state != "impossible":
        return None
    worst = readiness.wrong[0] if readiness.wrong else None
    said = "" if worst is None else sanitize(worst.said, 200)
    remedy = "" if worst is None else sanitize(worst.remedy, 200)
    return RolloutState("rollback_not_possible", said, remedy, Actor("you", "readiness"))


def _unknown_outcome(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    change = _ended(snapshot, "unknown")
    if change is None:
        return None
    since = format_clock(change.asked_at)
    cause = f"{sanitize(change.title, 80)} of {since} by {sanitize(change.author, 60)}"
    return RolloutState("unknown_outcome", cause, "check its status", Actor("you", "look_up"))


def _failed(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """The newest change failed, nothing newer was asked for, and nobody has dismissed it."""
    newest = snapshot.changes[0] if snapshot.changes else None
    if newest is None or newest.acknowledged or newest.outcome is None:
        return None
    if newest.outcome.state != "failed":
        return None
    cause = f"{sanitize(newest.title, 80)}: {sanitize(newest.outcome.message, 160)}"
    remedy = sanitize(newest.outcome.remedy, 160) or "look at what Cloud Run says, then try again"
    return RolloutState("failed", cause, remedy, Actor("you", "acknowledge"))


def _cannot_see(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    source = next((s for s in snapshot.sources if s.name == "Cloud Run"), None)
    if source is None or source.state != "failing":
        if snapshot.traffic.canary_percent is not None:
            return None
        why = snapshot.traffic.split_trouble.rstrip(".") or "the split is not known"
        return RolloutState("cannot_see", why, "it is asked again", _NOBODY)
    since = "" if source.since is None else f" since {format_clock(source.since)}"
    waiting = find_waiting(snapshot.changes)
    if waiting is not None:
        text = f"{sanitize(waiting.title, 80)} goes out when it answers"
        return RolloutState("cannot_see", f"no answer{since}", text, Actor("running"))
    return RolloutState(
        "cannot_see", f"{sanitize(source.message, 120)}{since}", "it is asked again", _NOBODY
    )


def _in_progress(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    going = next((c for c in snapshot.changes if c.outcome is None), None)
    if going is not None:
        cause = f"{sanitize(going.title, 80)} since {format_clock(going.asked_at)}"
        step = sanitize(going.step, 80) or "it is looked up until it has settled"
        return RolloutState("in_progress", cause, step, Actor("running", who=going.author))
    foreign = snapshot.presence.in_flight
    if foreign is None:
        return None
    by = sanitize(f"{foreign.by}@{foreign.host}" if foreign.host else foreign.by, 80)
    cause = f"to {format_percent(foreign.percent)} since {format_clock(foreign.at)}"
    return RolloutState("in_progress", cause, "it is still rolling out", Actor("other", who=by))


def _drift(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    drift = snapshot.traffic.drift
    hindrance = find_hindrance(snapshot.traffic)
    if hindrance is not None and not snapshot.traffic.reconciling:
        cause, remedy = hindrance.said.rstrip("."), hindrance.remedy.rstrip(".")
        return RolloutState("drift", cause, remedy, Actor("you", "rollback_all"))
    if drift is None:
        return None
    by = f" by {sanitize(drift.by, 80)}" if drift.by else ""
    cause = (
        f"Canary has {format_percent(drift.actual_percent)}, the record says"
        f" {format_percent(drift.recorded_percent)}{by}"
    )
    return RolloutState("drift", cause, "adopt the split, or revert it", Actor("you", "adopt"))


def _no_data(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """What the verdict rests on cannot be judged: why, and what would change that."""
    if snapshot.traffic.is_all_on_legacy:
        return None
    data = snapshot.canary.data if snapshot.canary.data != "ok" else snapshot.decision.data
    age_s = snapshot.data_age_s
    match data:
        case "ok" if snapshot.decision.verdict == "no_data":
            reason = sanitize(snapshot.decision.reason)
            return RolloutState("silent", reason, "nothing is judged without it", _NOBODY)
        case "ok":
            return None
        case "masked":
            wait = "" if age_s is None else f", newest data {format_age(age_s)} old"
            new = sanitize(snapshot.stage.redeployed, 63)
            what = f"Canary was deployed anew ({new})" if new else "the split has just changed"
            cause = f"{what}{wait}"
            return RolloutState("settling", cause, "wait for data from after it", _NOBODY)
        case "stale":
            old = "" if age_s is None else f"newest data {format_age(age_s)} old"
            return RolloutState("stale", old, "nothing is judged until it is new again", _NOBODY)
        case "thin":
            count = snapshot.canary.window.requests or 0
            cause = f"{count} Canary requests in {format_duration(snapshot.window_s)}"
            return RolloutState("thin", cause, "wait for more requests", _NOBODY)
        case _:
            return RolloutState("silent", _silence(snapshot), "canary doctor says why", _NOBODY)


def _silence(snapshot: Snapshot) -> str:
    failing = [s for s in snapshot.sources if s.state == "failing"]
    if not failing:
        return "no metrics of Canary"
    return f"{sanitize(failing[0].name, 30)}: {sanitize(failing[0].message, 120)}"


def _proven(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    advice = snapshot.advice
    if advice is None or advice.tier != "proven" or snapshot.traffic.is_all_on_legacy:
        return None
    names = ", ".join(sanitize(name, 20) for name in advice.metrics)
    cause = f"{names} since {format_clock(advice.detected_at)}"
    return RolloutState(
        "proven_worse", cause, "roll back all", _who_goes_back(snapshot, "rollback_all")
    )


def _watch(snapshot: Snapshot, plan: Plan) -> RolloutState | None:
    """A warning is watched, or Canary is worse now by the quick test alone."""
    if snapshot.decision.verdict == "watch":
        cause = _beyond(snapshot.alerts, "warning") or sanitize(snapshot.decision.reason)
        watch = snapshot.decision.watch
        if watch is None or watch.since is None:
            return RolloutState("watch", cause, "watch closely", Actor("you"))
        left_s = max(0.0, watch.since + plan.alerts.watch_minutes * 60 - snapshot.as_of)
        text = f"roll back one stage if it has not cleared in {format_duration(left_s)}"
        return RolloutState("watch", cause, text, Actor("you"))
    advice = snapshot.advice
    if advice is None or snapshot.traffic.is_all_on_legacy:
        return None
    names = ", ".join(sanitize(name, 20) for name in advice.metrics)
    cause = f"{names} worse now, since {format_clock(advice.detected_at)}"
    return RolloutState("watch", cause, "watch closely; it is not proven", Actor("you"))


def _held(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """Nobody promotes: a person holds the rollout, or the plan's calendar does."""
    hold, freeze, now = snapshot.hold, snapshot.freeze, snapshot.as_of
    if snapshot.retired or (hold is None and freeze is None):
        return None
    if hold is not None:
        until = "it is released" if hold.until is None else format_until(hold.until, now)
        actor = Actor("other", "hold", who=name_holder(hold))
        return RolloutState("held", format_hold(hold, now), f"no promotion until {until}", actor)
    assert freeze is not None  # noqa: S101 - one of the two is there
    until = "" if freeze.until is None else f" until {format_until(freeze.until, now)}"
    why = f": {sanitize(freeze.why, 100)}" if freeze.why else ""
    return RolloutState("held", f"a freeze of the plan{why}", f"no promotion{until}", _NOBODY)


def _off(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    if not snapshot.traffic.is_all_on_legacy:
        return None
    action = "" if snapshot.retired else "promote"
    return RolloutState("off", "all traffic is on Legacy", "promote to begin", Actor("you", action))


_RULES: Final[tuple[Callable[[Snapshot, Plan], RolloutState | None], ...]] = (
    _decision,
    _not_possible,
    _unknown_outcome,
    _failed,
    _cannot_see,
    _in_progress,
    _drift,
    _no_data,
    _proven,
    _watch,
    _held,
    _off,
)


def _well(snapshot: Snapshot, plan: Plan) -> RolloutState:
    """Nothing is passed: what is still to wait for, or where to go on."""
    open_gates = [g for g in snapshot.gates if g.state != "met"]
    if open_gates:
        waits = "; ".join(_gate(g) for g in open_gates[:2])
        more = f" and {len(open_gates) - 2} more" if len(open_gates) > 2 else ""
        return RolloutState("healthy", _all_well(snapshot), f"{waits}{more}", _NOBODY)
    index = snapshot.stage.index
    if index is None or index >= len(plan.stages):
        return RolloutState("healthy", _all_well(snapshot), "", _NOBODY)
    percent = format_percent(plan.percent_of(index + 1))
    return RolloutState(
        "ready", "every gate is met", f"promote to {percent}", Actor("you", "promote")
    )


def _all_well(snapshot: Snapshot) -> str:
    """What is well; and where the thresholds alone are looked at, why."""
    said = "all thresholds OK"
    return f"{said}; session affinity: no comparison" if snapshot.traffic.affinity else said


def _gate(gate: Gate) -> str:
    """A gate that is open: "soak 21 h of 24 h", or what it has instead of what it asks."""
    if gate.id == "soak" and gate.observed is not None and gate.limit is not None:
        return f"soak {_hours(gate.observed)} of {_hours(gate.limit)}"
    observed = format_value(gate.id, gate.observed)
    return (
        f"{gate.label} {observed}, required {gate.comparison} {format_limit(gate.id, gate.limit)}"
    )


def _hours(hours: float) -> str:
    return format_duration(hours * 3600)


def _beyond(alerts: tuple[Alert, ...], scope: str) -> str:
    """The limits that are passed: "error ratio 8.30 % (limit 5 %)"; "" where none is named."""
    return "; ".join(_passed(alerts, scope))


def _passed(alerts: tuple[Alert, ...], scope: str) -> Iterator[str]:
    for alert in alerts:
        if alert.scope == scope:
            observed = format_value(alert.id, alert.observed)
            limit = format_limit(alert.id, alert.limit)
            yield f"{alert.id.removesuffix('_ms').replace('_', ' ')} {observed} (limit {limit})"


def _ended(snapshot: Snapshot, state: str) -> ChangeView | None:
    found = (c for c in snapshot.changes if c.outcome is not None and c.outcome.state == state)
    return next(found, None)
