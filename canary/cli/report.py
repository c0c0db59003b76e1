"""A Snapshot as lines of text: what `canary status` and `canary validate` print for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from canary.cli.output import say, say_table
from canary.rollout import words
from canary.rollout.gates import Gate
from canary.rollout.measure import Window
from canary.rollout.plan import Plan
from canary.rollout.progress import next_stage
from canary.rollout.snapshot import SideView, Snapshot
from canary.rollout.status import in_flight
from canary.rollout.words import plain


def say_status(snapshot: Snapshot, plan: Plan) -> None:
    """The whole moment, from what matters most downwards."""
    _say_head(snapshot, plan)
    say(f"{words.verdict(snapshot.decision.verdict)}  {plain(snapshot.decision.reason)}")
    _say_troubles(snapshot)
    say()
    say_table(list(_side_rows(snapshot)))
    say()
    say("decision")
    say_table(list(_tree_rows(snapshot)), indent="  ")
    _say_gates(snapshot, plan)


def gate_rows(gates: Iterable[Gate]) -> list[tuple[str, ...]]:
    """One row a gate: glyph and word, label, observed, comparison, limit, evidence."""
    return [
        (
            f"{words.GATE_GLYPHS[gate.state]} {words.GATE_WORDS[gate.state]}",
            gate.label,
            words.value_of(gate.id, gate.observed),
            f"{gate.comparison} {words.limit_of(gate.id, gate.limit)}",
            plain(gate.evidence),
        )
        for gate in gates
    ]


def _say_head(snapshot: Snapshot, plan: Plan) -> None:
    stage, traffic = snapshot.stage, snapshot.traffic
    local = f"LOCAL CLOUD ×{snapshot.speed:g}"
    where = f"{plain(snapshot.project)}/{plain(snapshot.region)}"
    parts = [plain(snapshot.rollout), where, *([local] if snapshot.provider == "local" else [])]
    say("   ".join([*parts, words.timestamp(snapshot.as_of)]))
    share = words.percent(traffic.canary_percent)
    share = "share not known" if traffic.canary_percent is None else f"{share} Canary"
    name = plain(stage.name) if not stage.index else f"stage {stage.index} of {len(plan.stages)}"
    soaked = None if stage.soaked_hours is None else stage.soaked_hours * 3600
    soak = "no end" if stage.soak_hours is None else words.duration(stage.soak_hours * 3600)
    say(f"{name}   {share}   soak {words.duration(soaked)} / {soak}")


def _say_troubles(snapshot: Snapshot) -> None:
    traffic = snapshot.traffic
    if traffic.in_doubt:
        say("! The last change could not be put into effect: the split from before may be served.")
    if traffic.drift is not None:
        by = f" by {plain(traffic.drift.by)}" if traffic.drift.by else ""
        say(
            f"! changed elsewhere{by}: {words.percent(traffic.drift.actual_percent)}, recorded"
            f" {words.percent(traffic.drift.recorded_percent)}; `canary adopt` or `canary revert`"
        )
    if traffic.record_error:
        say(f"! {plain(traffic.record_error)}")
    for source in snapshot.sources:
        if source.state == "failing":
            say(f"! {plain(source.name)}: {plain(source.message)}")
    for alert in snapshot.alerts:
        value, limit = (
            words.value_of(alert.id, alert.observed),
            words.limit_of(alert.id, alert.limit),
        )
        say(f"! {alert.scope}: {alert.id.replace('_', ' ')} {value}, limit {limit}")
    for change in in_flight(snapshot):
        say(f"… {plain(change.title)} by {plain(change.author)}: {plain(change.step) or 'waiting'}")


_ROWS: tuple[tuple[str, Callable[[Window], str]], ...] = (
    ("requests", lambda w: words.count(w.requests)),
    ("error ratio", lambda w: words.ratio(w.error_ratio)),
    ("success ratio", lambda w: words.ratio(w.success_ratio)),
    ("p50", lambda w: words.milliseconds(w.p50_ms)),
    ("p95", lambda w: words.milliseconds(w.p95_ms)),
    ("p99", lambda w: words.milliseconds(w.p99_ms)),
    ("confidence", lambda w: words.score(w.confidence)),
    ("cpu", lambda w: words.ratio(w.cpu)),
    ("memory", lambda w: words.ratio(w.memory)),
    ("instances", lambda w: words.rate(w.instances)),
)


def _side_rows(snapshot: Snapshot) -> Iterable[tuple[str, str, str]]:
    legacy, canary = snapshot.legacy, snapshot.canary
    yield (words.duration(snapshot.window_s), plain(legacy.service), plain(canary.service))
    for label, show in _ROWS:
        yield (label, show(legacy.window), show(canary.window))
    yield ("data", _data(legacy), _data(canary))


def _data(side: SideView) -> str:
    state = words.DATA_WORDS[side.data]
    return state if side.data_age_s is None else f"{state}, {words.age(side.data_age_s)} old"


def _tree_rows(snapshot: Snapshot) -> Iterable[tuple[str, ...]]:
    for node in snapshot.decision.path:
        yield (
            f"{node.question}?",
            words.NODE_WORDS[node.outcome],
            words.value_of(node.id, node.observed) if node.observed is not None else "",
            f"limit {words.limit_of(node.id, node.limit)}",
        )


def _say_gates(snapshot: Snapshot, plan: Plan) -> None:
    stage = snapshot.stage.index
    following = next_stage(plan, stage) if stage is not None else None
    if following is None or not snapshot.gates:
        return
    met = sum(1 for gate in snapshot.gates if gate.state == "met")
    say()
    say(f"gates to stage {following}: {met} of {len(snapshot.gates)} met")
    say_table(gate_rows(snapshot.gates), indent="  ")
