"""The screen as a few lines of text, for a chat or a ticket."""

from __future__ import annotations

from canary.rollout import words
from canary.rollout.decision import Node
from canary.rollout.snapshot import SideView, Snapshot
from tui.alarms import is_counting


def summarize(snapshot: Snapshot, now: float) -> str:
    """What an on-call person would paste: where it stands, both sides, the tree, the gates.

    `now` is the cloud's time; ages are counted to it. Ends with a line break.
    """
    elapsed_s = max(0.0, now - snapshot.as_of)
    age_s = snapshot.data_age_s
    lines = [
        f"{words.verdict(snapshot.decision.verdict)} · {title(snapshot)}",
        f"{words.plain(snapshot.rollout)} · {place(snapshot)} · {words.timestamp(now)}",
        f"data {words.age(None if age_s is None else age_s + elapsed_s)} old, window"
        f" {words.duration(snapshot.window_s)}; soak {soak(snapshot, now)}",
        _side("legacy", snapshot.legacy),
        _side("canary", snapshot.canary),
        f"tree: {words.plain(snapshot.decision.reason)}",
        *(f"  {_node(node)}" for node in snapshot.decision.path if node.outcome != "not_reached"),
        *(
            f"gate {words.GATE_GLYPHS[g.state]} {g.label} {words.value_of(g.id, g.observed)}"
            f" {g.comparison} {words.limit_of(g.id, g.limit)}"
            for g in snapshot.gates
        ),
    ]
    drift = snapshot.traffic.drift
    if drift is not None:
        lines.append(
            f"drift: recorded {drift.recorded_percent} %, set to {drift.actual_percent} %"
            f"{' by ' + words.plain(drift.by) if drift.by else ''}"
        )
    return "".join(f"{words.printable(line)}\n" for line in lines)


def place(snapshot: Snapshot) -> str:
    """Project and region, and in words when it is the local cloud."""
    local = " · LOCAL CLOUD" if snapshot.provider == "local" else ""
    return f"{words.plain(snapshot.project)}/{words.plain(snapshot.region)}{local}"


def title(snapshot: Snapshot) -> str:
    """Stage and share: "stage 2, 10 % canary"."""
    stage = snapshot.stage
    share = words.percent(snapshot.traffic.canary_percent)
    place = {None: "stage not known", 0: "everybody on legacy"}.get(
        stage.index, f"stage {stage.index}"
    )
    return f"{place}, {share} canary"


def terminal_title(snapshot: Snapshot) -> str:
    """Verdict, share and service, for the terminal's title: "✗ ROLL BACK 10 % ion-api-canary"."""
    stage = "" if snapshot.stage.index is None else f" stage {snapshot.stage.index}"
    share = words.percent(snapshot.traffic.canary_percent)
    service = words.plain(snapshot.canary.service, 63)
    return f"{_alarm(snapshot)}{words.verdict(snapshot.decision.verdict)} {share} {service}{stage}"


def _alarm(snapshot: Snapshot) -> str:
    """What is more urgent than the verdict, for the title; "" when nothing is."""
    if is_counting(snapshot):
        return "✗ AUTO ROLLBACK COUNTS "
    if snapshot.readiness is not None and snapshot.readiness.state == "impossible":
        return "✗ NO WAY BACK "
    return ""


def soak(snapshot: Snapshot, now: float) -> str:
    """How long the stage has been held, of how long: "17 h 12 m / 24 h"."""
    stage = snapshot.stage
    soaked_s = None if stage.entered_at is None else max(0.0, now - stage.entered_at)
    if stage.soak_hours is None:
        return words.duration(soaked_s)
    return f"{words.duration(soaked_s)} / {words.duration(stage.soak_hours * 3600)}"


def _side(name: str, side: SideView) -> str:
    window = side.window
    judged = "" if side.data == "ok" else f" ({words.DATA_WORDS[side.data]})"
    return (
        f"{name}{judged}: {words.count(window.requests)} requests,"
        f" error {words.ratio(window.error_ratio)}, success {words.ratio(window.success_ratio)},"
        f" p50/p95/p99 {words.milliseconds(window.p50_ms)} / {words.milliseconds(window.p95_ms)}"
        f" / {words.milliseconds(window.p99_ms)}, confidence {words.score(window.confidence)}"
    )


def _node(node: Node) -> str:
    limit = words.limit_of(node.id, node.limit)
    return (
        f"{node.question}: {words.NODE_WORDS[node.outcome]}"
        f" ({words.value_of(node.id, node.observed)}, limit {limit})"
    )
