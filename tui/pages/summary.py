"""The screen outside of the screen: the bell, the terminal's title, a summary to paste. Pure."""

from __future__ import annotations

import math

from canary.rollout.decision.gates import DATA_WORDS, NODE_WORDS, gate_glyph
from canary.rollout.decision.tree import SEVERITY, Node
from canary.rollout.evidence.verdict import MetricVerdict
from canary.rollout.export.evidence_document import metric_line
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.notices import format_drift, format_going_back
from canary.rollout.snapshot.served import format_unserved
from canary.rollout.snapshot.snapshot import SideView, Snapshot, find_countdown
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import (
    COMMANDS,
    NEXT,
    RolloutState,
    format_actor,
    format_head,
)
from canary.rollout.text import (
    format_age,
    format_count,
    format_duration,
    format_limit,
    format_milliseconds,
    format_percent,
    format_ratio,
    format_score,
    format_timestamp,
    format_value,
    keep_printable,
    sanitize,
)
from widgets.bars.header import data_age_s


def summarize(snapshot: Snapshot, plan: Plan, now: float) -> str:
    """What an on-call person would paste: where it stands, whether a rollback would work, drift and
    its remedy, both sides, the tree, the gates, the comparison.

    `now` is the cloud's time; ages are counted to it. Ends with a line break.
    """
    state = find_state(snapshot, plan)
    lines = [
        f"{format_head(state)} · {title(snapshot)}",
        f"{state.cause}. {NEXT} {state.next}. {format_actor(state.actor, COMMANDS)}",
        f"{sanitize(snapshot.rollout)} · {place(snapshot)} · {format_timestamp(now)}",
        f"data {format_age(data_age_s(snapshot, now))} old, window"
        f" {format_duration(snapshot.window_s)}; soak {soak(snapshot, now)}",
        *filter(None, [format_going_back(snapshot.readiness)]),
        *(f"drift: {said}" for said in filter(None, [format_drift(snapshot)])),
        *(f"! {said}" for said in format_unserved(snapshot.traffic)),
        _side("legacy", snapshot.legacy),
        _side("canary", snapshot.canary),
        f"tree: {sanitize(snapshot.decision.reason)}",
        *(f"  {_node(node)}" for node in snapshot.decision.path if node.outcome != "not_reached"),
        *(
            f"gate {gate_glyph(g)} {g.label} {format_value(g.id, g.observed)}"
            f" {g.comparison} {format_limit(g.id, g.limit)}"
            for g in snapshot.gates
        ),
        *(f"evidence: {metric_line(m)}" for m in _metrics(snapshot)),
    ]
    return "".join(f"{keep_printable(line)}\n" for line in lines)


def _metrics(snapshot: Snapshot) -> tuple[MetricVerdict, ...]:
    return () if snapshot.evidence is None else snapshot.evidence.metrics


def place(snapshot: Snapshot) -> str:
    """Project and region, and in words when it is the local cloud."""
    local = " · LOCAL CLOUD" if snapshot.provider == "local" else ""
    return f"{sanitize(snapshot.project)}/{sanitize(snapshot.region)}{local}"


def title(snapshot: Snapshot) -> str:
    """Stage and share: "stage 2, 10 % canary"."""
    stage = snapshot.stage
    share = format_percent(snapshot.traffic.canary_percent)
    place = {None: "stage not known", 0: "all traffic on legacy"}.get(
        stage.index, f"stage {stage.index}"
    )
    return f"{place}, {share} canary"


def state_title(snapshot: Snapshot, plan: Plan) -> str:
    """What has become worse, in the fewest words: "✗ ROLL BACK ALL"."""
    state = find_state(snapshot, plan)
    return f"{_alarm(snapshot, state)}{format_head(state)}"


def terminal_title(snapshot: Snapshot, plan: Plan) -> str:
    """State, share and service, for the terminal's title: "✗ ROLL BACK ALL 10 % ion-api-canary"."""
    stage = "" if snapshot.stage.index is None else f" stage {snapshot.stage.index}"
    share = format_percent(snapshot.traffic.canary_percent)
    service = sanitize(snapshot.canary.service, 63)
    state = find_state(snapshot, plan)
    drill = "DRILL " if plan.is_embedded and plan.local.drill else ""
    return f"{drill}{_alarm(snapshot, state)}{format_head(state)} {share} {service}{stage}"


def _alarm(snapshot: Snapshot, state: RolloutState) -> str:
    """What stands before the state's word, for the title; "" when nothing does."""
    if is_counting(snapshot):
        return "✗ AUTO ROLLBACK COUNTS "
    if _is_impossible(snapshot) and state.id != "rollback_not_possible":
        return "✗ ROLLBACK NOT POSSIBLE "
    return ""


def soak(snapshot: Snapshot, now: float) -> str:
    """How long the stage has been held, of how long: "17 h 12 m / 24 h"."""
    stage = snapshot.stage
    entered_at = stage.entered_at
    soaked_s = None if entered_at is None else max(0.0, now - entered_at - stage.lost_s)
    if stage.soak_hours is None:
        return format_duration(soaked_s)
    return f"{format_duration(soaked_s)} / {format_duration(stage.soak_hours * 3600)}"


def _side(name: str, side: SideView) -> str:
    window = side.window
    judged = "" if side.data == "ok" else f" ({DATA_WORDS[side.data]})"
    return (
        f"{name}{judged}: {format_count(window.requests)} requests,"
        f" error {format_ratio(window.error_ratio)}, success {format_ratio(window.success_ratio)},"
        f" p50/p95/p99 {format_milliseconds(window.p50_ms)} / {format_milliseconds(window.p95_ms)}"
        f" / {format_milliseconds(window.p99_ms)}, confidence {format_score(window.confidence)}"
    )


def _node(node: Node) -> str:
    limit = format_limit(node.id, node.limit)
    return (
        f"{node.question}: {NODE_WORDS[node.outcome]}"
        f" ({format_value(node.id, node.observed)}, limit {limit})"
    )


def rings(before: Snapshot, after: Snapshot) -> bool:
    """Whether something got worse that a person should look up for: once for each turn.

    The verdict; rollback has become impossible; automatic rollback begins to count, or acts;
    the end of a change has become unknown.
    """
    return (
        SEVERITY[after.decision.verdict] > SEVERITY[before.decision.verdict]
        or (_is_impossible(after) and not _is_impossible(before))
        or (is_counting(after) and not is_counting(before))
        or bool(_automatic(after) - _automatic(before))
        or bool(_unknown(after) - _unknown(before))
    )


def left_of_countdown(snapshot: Snapshot, silent_s: float, wall: float) -> float | None:
    """Whole real seconds until automatic rollback acts; None: nothing is counted.

    `silent_s` is how old the snapshot is, `wall` this host's clock: one that counts in another
    program of this host says by that when it acts.
    """
    guard = snapshot.guard
    if guard is not None and guard.left_s is not None:
        return float(math.ceil(max(0.0, guard.left_s - silent_s)))
    elsewhere = find_countdown(snapshot.presence.others)
    if elsewhere is None or elsewhere.due_at is None:
        return None
    return float(math.ceil(max(0.0, elsewhere.due_at - wall)))


def _is_impossible(snapshot: Snapshot) -> bool:
    return snapshot.readiness is not None and snapshot.readiness.state == "impossible"


def is_counting(snapshot: Snapshot) -> bool:
    """Whether a countdown of automatic rollback runs, here or elsewhere on this host."""
    here = snapshot.guard is not None and snapshot.guard.left_s is not None
    return here or find_countdown(snapshot.presence.others) is not None


def _automatic(snapshot: Snapshot) -> set[str]:
    return {c.id for c in snapshot.changes if c.is_automatic}


def _unknown(snapshot: Snapshot) -> set[str]:
    changes = snapshot.changes
    return {c.id for c in changes if c.outcome is not None and c.outcome.state == "unknown"}
