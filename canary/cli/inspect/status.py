"""`canary status | health`: where the rollout stands, for people, programs, a status bar."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from canary.cli.opening import PlanSource, find_plan, look, open_session
from canary.cli.options import config_option, json_option, plan_options
from canary.cli.output import complain, figure_rows, print_json, print_table, say
from canary.cli.recordings import shown_at
from canary.rollout.change.irreversible import format_marked
from canary.rollout.change.stage_record import next_stage
from canary.rollout.decision.gates import (
    DATA_WORDS,
    NODE_WORDS,
    Gate,
    gate_glyph,
    gate_word,
)
from canary.rollout.errors import UsageError
from canary.rollout.evidence.verdict import say_away
from canary.rollout.export.evidence_document import metric_line
from canary.rollout.measure.burn import Burn, format_burn
from canary.rollout.measure.samples import Window
from canary.rollout.permit.standstill import why_held
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.impact import find_impact, format_impact
from canary.rollout.snapshot.next_steps import find_next_steps, format_for_shell
from canary.rollout.snapshot.notices import format_drift, format_going_back
from canary.rollout.snapshot.served import format_unserved
from canary.rollout.snapshot.snapshot import SideView, Snapshot, TrafficView
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import format_state
from canary.rollout.snapshot.status import exit_code, in_flight, status_document, status_line
from canary.rollout.text import (
    format_age,
    format_duration,
    format_iso_time,
    format_limit,
    format_milliseconds,
    format_percent,
    format_rate,
    format_ratio,
    format_timestamp,
    format_value,
    sanitize,
)

if TYPE_CHECKING:
    from canary.cloud.views import HealthReport


@click.command()
@json_option
@click.option("--line", "as_line", is_flag=True, help="One line, for a tmux status bar.")
@click.option("--at", metavar="TIME", help="As it was shown then: 14:03, 2026-11-25 14:03, -2h.")
@config_option
def status(as_json: bool, as_line: bool, at: str | None, config: str | None) -> int:
    """Say where the rollout stands and what the decision tree calls for.

    Exits 0 for "go on", 10 for watch, 20 when a roll back is advised (by a limit or by a proof),
    30 without data, and 3 when the cloud failed. The JSON is a contract: docs/status.schema.json.
    With --at the answer is from what this host has recorded.
    """
    if as_json and as_line:
        raise UsageError("--json and --line exclude each other.", remedy="Choose one.")
    source = find_plan(config)
    if at is not None:
        snapshot, plan = _remember(source.plan, at)
    else:
        snapshot, plan = asyncio.run(_look(source)), source.plan
    if as_json:
        print_json(status_document(snapshot, plan))
    elif as_line:
        say(status_line(snapshot, source.plan))
    else:
        print_status(snapshot, plan)
    return exit_code(snapshot, plan)


def _remember(plan: Plan, at: str) -> tuple[Snapshot, Plan]:
    """What was shown at a moment, and the plan then; what is amiss with it goes to stderr."""
    shown, moment = shown_at(plan, at)
    snapshot = shown.frame.snapshot
    if shown.gap_until is not None and moment > snapshot.as_of:
        since, until = format_timestamp(snapshot.as_of), format_timestamp(shown.gap_until)
        complain(f"Nobody was recording from {since} to {until}: this is the last before.")
    return snapshot, shown.frame.plan


async def _look(source: PlanSource) -> Snapshot:
    """One look, with what going back needs: three calls more."""
    from canary.store.presence import read_operator_sessions

    async with open_session(source) as session:
        await asyncio.gather(look(session), session.observer.read_readiness())
        return session.observer.snapshot(read_operator_sessions(session.directory))


def print_status(snapshot: Snapshot, plan: Plan) -> None:
    """The whole moment, from what matters most downwards."""
    _print_head(snapshot, plan)
    say(format_state(find_state(snapshot, plan)))
    if going_back := format_going_back(snapshot.readiness):
        say(going_back)
    if (impact := find_impact(snapshot, plan)) is not None:
        say(format_impact(impact))
    _print_errors(snapshot)
    _print_burn(snapshot.burn)
    for step in find_next_steps(snapshot, plan):
        say(f"→ {format_for_shell(step)}")
    say()
    print_table(list(_side_rows(snapshot)))
    say()
    say("decision")
    print_table(list(_tree_rows(snapshot)), indent="  ")
    _print_evidence(snapshot)
    _print_gates(snapshot, plan)


def gate_rows(gates: Iterable[Gate]) -> list[tuple[str, ...]]:
    """One row a gate: glyph and word, label, observed, comparison, limit, evidence."""
    return [
        (
            f"{gate_glyph(gate)} {gate_word(gate)}",
            gate.label,
            format_value(gate.id, gate.observed),
            f"{gate.comparison} {format_limit(gate.id, gate.limit)}",
            sanitize(gate.evidence),
        )
        for gate in gates
    ]


def _print_head(snapshot: Snapshot, plan: Plan) -> None:
    stage, traffic = snapshot.stage, snapshot.traffic
    local = f"LOCAL CLOUD ×{snapshot.speed:g}"
    where = f"{sanitize(snapshot.project)}/{sanitize(snapshot.region)}"
    parts = [sanitize(snapshot.rollout), where, *([local] if snapshot.provider == "local" else [])]
    say("   ".join([*parts, format_timestamp(snapshot.as_of)]))
    share = format_percent(traffic.canary_percent)
    share = "share not known" if traffic.canary_percent is None else f"{share} Canary"
    name = sanitize(stage.name) if not stage.index else f"stage {stage.index} of {len(plan.stages)}"
    soaked = None if stage.soaked_hours is None else stage.soaked_hours * 3600
    soak = "until changed" if stage.soak_hours is None else format_duration(stage.soak_hours * 3600)
    say(f"{name}   {share}   soak {format_duration(soaked)} / {soak}")


def _print_unserved(traffic: TrafficView) -> None:
    for said in format_unserved(traffic):
        say(f"! {said}")
    if traffic.ready is False and traffic.in_doubt:
        say("! The last change could not be put into effect: the split from before may be served.")
    if traffic.affinity:
        say("! Session affinity is on: clients stay on one side; no comparison holds.")


def _print_burn(burn: Burn | None) -> None:
    """The objective: the pair that burns, else that none does, or what is not known."""
    if burn is None:
        return
    if burn.worst is not None:
        say(f"! SLO: {format_burn(burn, burn.worst)}")
        return
    unknown = [pair.why for pair in burn.pairs if pair.burns is None]
    known = len(burn.pairs) - len(unknown)
    said = f"{known} of {len(burn.pairs)} window pairs well" if burn.pairs else "no data"
    more = f"; not known: {'; '.join(dict.fromkeys(unknown))}" if unknown else ""
    say(f"SLO {100 * burn.objective:g} %: {said}{more}")


def _marks(snapshot: Snapshot) -> tuple[str, str]:
    """What persons have written on the services for everybody; "" for nothing."""
    mark = snapshot.irreversible
    return ("" if mark is None else format_marked(mark), why_held(snapshot))


def _print_errors(snapshot: Snapshot) -> None:
    traffic = snapshot.traffic
    _print_unserved(traffic)
    if snapshot.stage.redeployed:
        say(
            f"! Canary was deployed anew in this stage ({sanitize(snapshot.stage.redeployed, 80)},"
            f" {format_timestamp(snapshot.stage.entered_at or 0.0)}): soak and windows began anew"
        )
    if traffic.drift is not None:
        say(f"! {format_drift(snapshot)}")
    for said in filter(None, (*_marks(snapshot), sanitize(traffic.record_error))):
        say(f"! {said}")
    for source in snapshot.sources:
        if source.state == "failing":
            say(f"! {sanitize(source.name)}: {sanitize(source.message)}")
    for side in (snapshot.legacy, snapshot.canary):
        if side.window.refused:
            say(
                f"! {sanitize(side.service)}: {side.window.refused} requests refused for want of an"
                " instance, counted as errors; `canary scale` gives it more"
            )
    for alert in snapshot.alerts:
        value, limit = (format_value(alert.id, alert.observed), format_limit(alert.id, alert.limit))
        say(f"! {alert.scope}: {alert.id.replace('_', ' ')} {value}, limit {limit}")
    for change in in_flight(snapshot):
        say(
            f"… {sanitize(change.title)} by {sanitize(change.author)}: "
            f"{sanitize(change.step) or 'waiting'}"
        )


_ROWS: tuple[tuple[str, Callable[[Window], str]], ...] = (
    ("cpu", lambda w: format_ratio(w.cpu)),
    ("memory", lambda w: format_ratio(w.memory)),
    ("instances", lambda w: format_rate(w.instances)),
)


def _side_rows(snapshot: Snapshot) -> Iterable[tuple[str, ...]]:
    legacy, canary = snapshot.legacy, snapshot.canary
    yield (format_duration(snapshot.window_s), sanitize(legacy.service), sanitize(canary.service))
    yield from figure_rows(legacy.window, canary.window)
    for label, show in _ROWS:
        yield (label, show(legacy.window), show(canary.window))
    yield ("data", _data(legacy), _data(canary))


def _data(side: SideView) -> str:
    state = DATA_WORDS[side.data]
    return state if side.data_age_s is None else f"{state}, {format_age(side.data_age_s)} old"


def _tree_rows(snapshot: Snapshot) -> Iterable[tuple[str, ...]]:
    for node in snapshot.decision.path:
        yield (
            f"{node.question}?",
            NODE_WORDS[node.outcome],
            format_value(node.id, node.observed) if node.observed is not None else "",
            f"limit {format_limit(node.id, node.limit)}",
        )


def _print_evidence(snapshot: Snapshot) -> None:
    """The comparison, a line for each metric; `canary evidence` says all of it."""
    view = snapshot.evidence
    if view is None or not view.metrics:
        return
    say()
    if not view.judged_s:
        say("evidence: nothing is compared on this host yet; `canary evidence` reads the past")
        return
    since = "" if view.away_since is None else f", {say_away(view.away_since)}"
    say(f"evidence{since}")
    for metric in view.metrics:
        say(f"  {metric_line(metric)}")


def _print_gates(snapshot: Snapshot, plan: Plan) -> None:
    stage = snapshot.stage.index
    following = next_stage(plan, stage) if stage is not None else None
    if following is None or not snapshot.gates:
        return
    met = sum(1 for gate in snapshot.gates if gate.state == "met")
    say()
    say(f"gates to stage {following}: {met} of {len(snapshot.gates)} met")
    print_table(gate_rows(snapshot.gates), indent="  ")


@click.command()
@plan_options
def health(as_json: bool, config: str | None) -> int:
    """Ask both sides for their health over HTTP. Exits 0 when both are well, else 1."""
    reports = asyncio.run(_probe(find_plan(config)))
    if as_json:
        print_json([_document(report) for report in reports])
    else:
        print_table([_row(report) for report in reports])
    return 0 if all(report.ok for report in reports) else 1


async def _probe(source: PlanSource) -> tuple[HealthReport, ...]:
    async with open_session(source, need_metrics=False) as session:
        # The addresses are the plan's or, without any there, what Cloud Run says.
        await session.observer.read_run()
        return await session.probe()


def _row(report: HealthReport) -> tuple[str, ...]:
    glyph = "✓ well" if report.ok else "✗ not well" if report.reached else "? not reachable"
    shown = format_milliseconds(report.latency_ms)
    return (glyph, sanitize(report.service), shown, sanitize(report.message), sanitize(report.url))


def _document(report: HealthReport) -> dict[str, object]:
    return {
        "service": report.service,
        "url": sanitize(report.url),
        "ok": report.ok,
        "reached": report.reached,
        "status": report.status,
        "latency_ms": report.latency_ms,
        "message": sanitize(report.message),
        "at": format_iso_time(report.at),
    }
