"""The one state that a rollout is in: the worst there is owns it. Pure.

A person who is woken up reads one row: the word, its cause with number, limit and since when, what
comes next, and who acts. The words are in `state_words`, the rules of changes in `state_changes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from canary.rollout.decision.gates import Gate
from canary.rollout.evidence.interval import format_interval
from canary.rollout.evidence.view import Advice
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot import state_changes
from canary.rollout.snapshot.snapshot import Snapshot, find_countdown
from canary.rollout.snapshot.state_changes import NOBODY
from canary.rollout.snapshot.state_limits import SHOWN, format_beyond
from canary.rollout.snapshot.state_words import Actor, RolloutState, StateId
from canary.rollout.text import (
    NO_DATA,
    format_age,
    format_clock,
    format_count,
    format_duration,
    format_limit,
    format_percent,
    format_value,
    sanitize,
)


def find_state(snapshot: Snapshot, plan: Plan, failed: str = "") -> RolloutState:
    """The worst state that holds. Missing, stale or thin data is never `healthy` or `ready`.

    `failed` says what failed beside the changes and waits to be dismissed (a verification, a load
    test); "" for nothing.
    """
    for rule in _RULES:
        found = rule(snapshot, plan)
        if found is not None:
            return state_changes.beside_irreversible(found, snapshot)
        if failed and rule is state_changes.failed:
            actor = Actor("you", "acknowledge")
            return RolloutState("failed", sanitize(failed, 240), "look at it, then dismiss", actor)
    return _well(snapshot, plan)


def _decision(snapshot: Snapshot, plan: Plan) -> RolloutState | None:
    """The tree calls for a rollback."""
    verdict = snapshot.decision.verdict
    if snapshot.traffic.is_all_on_legacy or verdict not in ("rollback_all", "rollback_stage"):
        return None
    is_all = verdict == "rollback_all"
    cause = format_beyond(snapshot, "critical" if is_all else "warning")
    if not is_all and cause:
        cause = f"{cause}, not cleared in {format_duration(plan.alerts.watch_minutes * 60)}"
    cause = cause or sanitize(snapshot.decision.reason).rstrip(".")
    advice = snapshot.advice
    if advice is not None and advice.tier == "proven":
        cause += f"; {', '.join(sanitize(name, 20) for name in advice.metrics)} proven worse"
    action = "rollback_all" if is_all else "step_back"
    text = "roll back all" if is_all else "roll back one stage"
    id_: StateId = "roll_back_all" if is_all else "roll_back_stage"
    return RolloutState(id_, cause, text, _who_goes_back(snapshot, action))


def _counting(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """Automatic rollback counts for a cause of its own: a limit of the stage, a proof."""
    guard = snapshot.guard
    if guard is not None and guard.left_s is not None:
        is_all = guard.kind != "step_back"
        action = "rollback_all" if is_all else "step_back"
        cause, actor = guard.cause, Actor("auto", action, left_s=guard.left_s)
    else:
        elsewhere = find_countdown(snapshot.presence.others)
        if elsewhere is None:
            return None
        is_all, cause = True, elsewhere.cause
        actor = Actor("auto", "rollback_all", who=sanitize(elsewhere.user, 60))
    id_: StateId = "roll_back_all" if is_all else "roll_back_stage"
    text = "roll back all" if is_all else "roll back one stage"
    return RolloutState(id_, sanitize(cause, 160).rstrip("."), text, actor)


def _who_goes_back(snapshot: Snapshot, action: str) -> Actor:
    going = state_changes.find_going(snapshot)
    if going is not None:
        return Actor("running", who=sanitize(going.author, 60))
    guard = snapshot.guard
    if guard is not None and guard.left_s is not None:
        return Actor("auto", action, left_s=guard.left_s)
    elsewhere = find_countdown(snapshot.presence.others)
    if elsewhere is not None:
        return Actor("auto", action, who=sanitize(elsewhere.user, 60))
    return Actor("you", action)


def _no_data(snapshot: Snapshot, plan: Plan) -> RolloutState | None:
    """What the verdict rests on cannot be judged: why, and what would change that."""
    if snapshot.traffic.is_all_on_legacy:
        return None
    data = snapshot.canary.data if snapshot.canary.data != "ok" else snapshot.decision.data
    age_s = snapshot.data_age_s
    match data:
        case "ok" if snapshot.decision.verdict == "no_data":
            reason = sanitize(snapshot.decision.reason).rstrip(".")
            return RolloutState("silent", reason, "nothing is judged without it", NOBODY)
        case "ok":
            return None
        case "masked":
            wait = "" if age_s is None else f", newest data {format_age(age_s)} old"
            new = sanitize(snapshot.stage.redeployed, 63)
            what = f"Canary was deployed anew ({new})" if new else "the split has just changed"
            cause = f"{what}{wait}"
            return RolloutState("settling", cause, "wait for data from after it", NOBODY)
        case "stale":
            allowed = format_duration(plan.metrics.stale_after_s)
            old = f"newest data {format_age(age_s)} old, {allowed} allowed"
            old = "; ".join(filter(None, [old, _failing(snapshot)]))
            return RolloutState("stale", old, "nothing is judged until it is new again", NOBODY)
        case "thin":
            count, needed = snapshot.canary.window.requests or 0, plan.metrics.min_requests
            window = format_duration(snapshot.window_s)
            cause = f"{format_count(count)} of {needed} Canary requests in {window}"
            return RolloutState("thin", cause, "wait for more requests", NOBODY)
        case _:
            return RolloutState("silent", _silence(snapshot), "canary doctor says why", NOBODY)


def _silence(snapshot: Snapshot) -> str:
    return _failing(snapshot) or "no metrics of Canary"


def _failing(snapshot: Snapshot) -> str:
    """The first source that fails: which, how, since when; "" while all answer."""
    first = next((s for s in snapshot.sources if s.state == "failing"), None)
    if first is None:
        return ""
    since = "" if first.since is None else f" since {format_clock(first.since)}"
    return f"{sanitize(first.name, 30)}: {sanitize(first.message, 120).rstrip('.')}{since}"


def _proven(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    """The evidence has its own source: it may prove while the tree's data is old or thin."""
    advice = snapshot.advice
    if advice is None or advice.tier != "proven" or snapshot.traffic.is_all_on_legacy:
        return None
    names = _with_ratio(snapshot, advice)
    cause = f"{names} since {format_clock(advice.detected_at)}"
    if snapshot.canary.data == "stale":
        cause += f"; the thresholds' newest data is {format_age(snapshot.data_age_s)} old"
    actor = _who_goes_back(snapshot, "rollback_all")
    return RolloutState("proven_worse", cause, "roll back all", actor)


def _with_ratio(snapshot: Snapshot, advice: Advice) -> str:
    """The metrics of an advice; of one alone also how many times as bad Canary is."""
    names = ", ".join(sanitize(name, 20) for name in advice.metrics)
    words = ("rollback", "worse_now")
    metrics = () if snapshot.evidence is None else snapshot.evidence.metrics
    found = [m.interval for m in metrics if m.verdict in words and m.interval is not None]
    if len(advice.metrics) != 1 or len(found) != 1:
        return names
    return f"{names} {format_interval(found[0])} of Legacy"


def _watch(snapshot: Snapshot, plan: Plan) -> RolloutState | None:
    """A warning is watched, a limit of the stage is passed, or the quick test alone says worse."""
    if snapshot.traffic.is_all_on_legacy:
        return None
    if snapshot.decision.verdict == "watch":
        return _watched(snapshot, plan)
    stage = format_beyond(snapshot, "stage")
    if stage:
        text = "roll back one stage, or arm automatic rollback"
        return RolloutState("watch", f"stage limit: {stage}", text, Actor("you", "step_back"))
    advice = snapshot.advice
    if advice is None:
        return None
    names = _with_ratio(snapshot, advice)
    cause = f"{names} worse now, since {format_clock(advice.detected_at)}"
    return RolloutState("watch", cause, "watch closely; it is not proven", Actor("you"))


def _watched(snapshot: Snapshot, plan: Plan) -> RolloutState:
    watch = snapshot.decision.watch
    cause = format_beyond(snapshot, "warning") or sanitize(snapshot.decision.reason).rstrip(".")
    if watch is None or watch.since is None:
        return RolloutState("watch", cause, "watch closely", Actor("you"))
    left_s = max(0.0, watch.since + plan.alerts.watch_minutes * 60 - snapshot.as_of)
    if "since" not in cause:
        cause = f"{cause}, since {format_clock(watch.since)}"
    text = f"roll back one stage if it has not cleared in {format_duration(left_s)}"
    return RolloutState("watch", cause, text, Actor("you"))


def _off(snapshot: Snapshot, _: Plan) -> RolloutState | None:
    if not snapshot.traffic.is_all_on_legacy:
        return None
    if snapshot.retired:
        return RolloutState("off", "all traffic is on Legacy", "Legacy is retired", NOBODY)
    next_, actor = "promote to begin", Actor("you", "promote")
    return RolloutState("off", "all traffic is on Legacy", next_, actor)


_RULES: Final[tuple[Callable[[Snapshot, Plan], RolloutState | None], ...]] = (
    _decision,
    _counting,
    state_changes.not_possible,
    state_changes.unknown_outcome,
    state_changes.failed,
    state_changes.cannot_see,
    state_changes.in_progress,
    state_changes.drift,
    _proven,
    _no_data,
    _watch,
    state_changes.held,
    state_changes.pinned,
    _off,
)


def _well(snapshot: Snapshot, plan: Plan) -> RolloutState:
    """Nothing is passed: what is still to wait for, or where to go on."""
    cause = _all_well(snapshot)
    index = snapshot.stage.index
    open_gates = [g for g in snapshot.gates if g.state != "met"]
    if open_gates:
        next_ = _open_text(open_gates, index, plan)
        return RolloutState("healthy", cause, next_, _who_opens(open_gates))
    if index is None or index >= len(plan.stages):
        return RolloutState("healthy", cause, "watch on: no further stage", NOBODY)
    percent = format_percent(plan.percent_of(index + 1))
    actor = Actor("you", "promote")
    return RolloutState("ready", "every gate is met", f"promote to {percent}", actor)


def _open_text(gates: list[Gate], index: int | None, plan: Plan) -> str:
    """What is waited for, and what may be done then: "25 % in 3 h (soak 21 h of 24 h)"."""
    waits = "; ".join(_gate(g) for g in gates[:SHOWN])
    more = f" and {len(gates) - SHOWN} more" if len(gates) > SHOWN else ""
    if index is None or index >= len(plan.stages):
        return f"{waits}{more}"
    percent, only = format_percent(plan.percent_of(index + 1)), gates[0]
    is_soak = len(gates) == 1 and only.id == "soak_hours"
    if is_soak and only.observed is not None and only.limit is not None:
        return f"{percent} in {_hours(only.limit - only.observed)} ({waits})"
    return f"{waits}{more}, then {percent}"


def _all_well(snapshot: Snapshot) -> str:
    """What is well; and where the thresholds alone are looked at, why."""
    said = "all thresholds OK"
    return f"{said}; session affinity: no comparison" if snapshot.traffic.affinity else said


def _who_opens(gates: list[Gate]) -> Actor:
    """A gate that a person opens by a test of their own; time opens the others."""
    own = next((g.id for g in gates if g.id in ("load_test", "ab_test")), None)
    return NOBODY if own is None else Actor("you", own)


def _gate(gate: Gate) -> str:
    """A gate that is open: "soak 21 h of 24 h", or what it has and what is required."""
    if gate.id == "soak_hours" and gate.observed is not None and gate.limit is not None:
        return f"soak {_hours(gate.observed)} of {_hours(gate.limit)}"
    if gate.id == "load_test":
        return f"{gate.label}: {'not passed' if gate.observed is not None else NO_DATA}"
    observed = format_value(gate.id, gate.observed)
    if gate.limit is None or gate.id in ("verdict", "regression"):
        return f"{gate.label}: {'no' if gate.observed is not None else NO_DATA}"
    limit = format_limit(gate.id, gate.limit)
    return f"{gate.label} {observed}, required {gate.comparison} {limit}"


def _hours(hours: float) -> str:
    return format_duration(hours * 3600)
