"""`canary validate`: a stage's success criteria, live or on the newest monitor file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import click
import msgspec

from canary.cli.opening import PlanSource, demand_cloud_run, find_plan, look, open_session
from canary.cli.options import Duration, WholeNumber, plan_options
from canary.cli.output import print_json, print_table, say
from canary.rollout.decision.gates import Gate, StageEvidence, check_criteria, check_gates, unmet
from canary.rollout.decision.tree import DataState, judge_data
from canary.rollout.errors import UsageError
from canary.rollout.measure.times import find_trouble
from canary.rollout.plan.doubts import find_doubts
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.status import gate_document
from canary.rollout.text import format_age, format_iso_time, sanitize
from canary.store.monitor_files import MonitorFile, find_newest, read_monitor_file
from canary.store.results import read_results


@click.command()
@click.option("--stage", type=WholeNumber(1), help="Criteria for leaving this one; the present.")
@click.option(
    "--from",
    "pattern",
    metavar="GLOB",
    help='On the newest such file instead, as "outputs/monitor_*.json".',
)
@click.option(
    "--max-age",
    "most_age_s",
    type=Duration(1, 31_536_000),
    help="With --from: an older file is stale; 2h.",
)
@plan_options
def validate(
    stage: int | None,
    pattern: str | None,
    most_age_s: float | None,
    as_json: bool,
    config: str | None,
) -> int:
    """Check the success criteria for leaving a stage, on live metrics or on a monitor file.

    Exits 0 when all are met. Else it names those that are not, or that there is no data on, and
    exits 1. A file that cannot be used is 3, none at all 2.
    """
    source = find_plan(config)
    if stage is not None and stage >= len(source.plan.stages):
        raise UsageError(
            f"Stage {stage} is not left for another: the plan has {len(source.plan.stages)}.",
            remedy=f"Validate a stage from 1 to {len(source.plan.stages) - 1}.",
        )
    if pattern is not None:
        checked = _check_file(source, pattern, stage, most_age_s)
    else:
        checked = _check_live(source, stage)
    if as_json:
        print_json(_document(source.plan, checked))
    else:
        _say(checked, find_doubts(source.plan))
    return 1 if unmet(checked.gates) else 0


class Checked(msgspec.Struct, frozen=True):
    """The criteria for leaving `stage` as of `at` (cloud time). `file` "": on live metrics."""

    stage: int
    at: float
    gates: tuple[Gate, ...]
    file: str = ""
    notes: tuple[str, ...] = ()


def _check_live(source: PlanSource, stage: int | None) -> Checked:
    snapshot, evidence = asyncio.run(_look(source))
    at = _stage(snapshot, source.plan) if stage is None else stage
    return Checked(at, snapshot.as_of, _criteria(snapshot, source.plan, at, evidence))


def _check_file(
    source: PlanSource, pattern: str, stage: int | None, most_age_s: float | None
) -> Checked:

    return check_file(source, pattern, stage, MOST_AGE_S if most_age_s is None else most_age_s)


async def _look(source: PlanSource) -> tuple[Snapshot, StageEvidence]:
    from canary.store.results import read_results

    async with open_session(source) as session:
        snapshot = await look(session)
        demand_cloud_run(snapshot)
        return snapshot, read_results(source.outputs).evidence


def _stage(snapshot: Snapshot, plan: Plan) -> int:
    index = snapshot.stage.index
    if index is None or index == 0:
        raise UsageError(
            "All traffic is on Legacy: entering stage 1 asks for no criteria.",
            remedy="Name a stage with --stage.",
        )
    if index >= len(plan.stages):
        raise UsageError(f"Stage {index} is the last one: nothing follows.")
    return index


def _criteria(
    snapshot: Snapshot, plan: Plan, stage: int, evidence: StageEvidence
) -> tuple[Gate, ...]:
    """The criteria for leaving `stage`. The soak of another stage than the present is no data."""
    if stage == snapshot.stage.index:
        gates = snapshot.gates
    else:
        window, record = snapshot.canary.criteria_window, snapshot.traffic.record
        entered_at = record.entered_at if record is not None else None
        data = judge_data(window, plan, snapshot.as_of, entered_at)
        verdict = snapshot.decision.verdict
        now = snapshot.as_of
        asked = check_gates(plan, stage, window, data, None, evidence, verdict, now=now)
        gates = tuple(_not_at_this_stage(gate) for gate in asked)
    return tuple(gate for gate in gates if gate.is_criterion)


def _not_at_this_stage(gate: Gate) -> Gate:
    if gate.id != "soak_hours":
        return gate
    return msgspec.structs.replace(gate, evidence="the rollout is not at this stage")


def _say(checked: Checked, doubts: Sequence[str]) -> None:
    from canary.cli.inspect.status import gate_rows

    on = f", on {sanitize(checked.file)}" if checked.file else ""
    say(f"Criteria for leaving stage {checked.stage}{on}:")
    print_table(gate_rows(checked.gates), indent="  ")
    for note in checked.notes:
        say(f"Note: {note}.")
    for doubt in doubts:
        say(f"! {doubt}")
    closed = unmet(checked.gates)
    if closed:
        names = ", ".join(f"{g.label} ({g.state.replace('_', ' ')})" for g in closed)
        say(f"Not met: {names}.")
    else:
        say(f"All criteria are met: ready for stage {checked.stage + 1}.")


def _document(plan: Plan, checked: Checked) -> dict[str, object]:
    closed = unmet(checked.gates)
    return {
        "rollout": sanitize(plan.name),
        "as_of": format_iso_time(checked.at),
        "file": sanitize(checked.file, 500) or None,
        "stage": checked.stage,
        "approved_stage": None if closed else checked.stage + 1,
        "criteria": [gate_document(gate) for gate in checked.gates],
        "not_met": [gate.id for gate in closed],
    }


MOST_AGE_S = 7200.0
"""Twice the longest interval of the loop: an older file says nothing about now."""


def check_file(
    source: PlanSource, pattern: str, stage: int | None, most_age_s: float, now: float | None = None
) -> Checked:
    """Judge the newest file that the glob names. `now` is this host's time.

    Raises UsageError (no file, no stage) and RecordError (a file that cannot be used).
    """
    plan = source.plan
    file = read_monitor_file(find_newest(pattern))
    at_stage = stage if stage is not None else _stage_of(file, plan)
    criteria = plan.stage(at_stage).criteria
    now, taken_at = time.time() if now is None else now, _taken_at(file, plan)
    age_s, trouble = now - taken_at, find_trouble(taken_at, now)
    data = "missing" if trouble else _judge(file, plan, age_s, most_age_s)
    gates = () if criteria is None else tuple(check_criteria(criteria, file.window, data))
    own = (_evident(gate, file, data) for gate in gates)
    name = sanitize(file.path.name)
    notes = [f"{name}: {trouble}" if trouble else f"{name} was written {format_age(age_s)} ago"]
    if file.stage is None:
        notes.append("the soak is not in this file; `canary promote` asks for it")
    return Checked(
        stage=at_stage,
        at=file.at,
        gates=(*own, *_others(source, file, at_stage, now)),
        file=str(file.path),
        notes=tuple(notes),
    )


def _stage_of(file: MonitorFile, plan: Plan) -> int:
    if file.stage is None or not 1 <= file.stage < len(plan.stages):
        raise UsageError(
            f"{sanitize(file.path)} does not say which stage is to be left.",
            remedy="Name it with --stage.",
        )
    return file.stage


def _taken_at(file: MonitorFile, plan: Plan) -> float:
    """When it was taken, by this host's clock: the embedded cloud's runs at a speed of its own."""
    return file.written_at if plan.provider == "local" else file.at


def _judge(file: MonitorFile, plan: Plan, age_s: float, most_age_s: float) -> DataState:
    if file.data != "ok":
        return file.data
    if age_s > most_age_s:
        return "stale"
    requests = file.window.requests
    return "thin" if requests is not None and requests < plan.metrics.min_requests else "ok"


def _evident(gate: Gate, file: MonitorFile, data: DataState) -> Gate:
    """A file that does not count requests is not a file of none."""
    if file.window.requests is not None:
        return gate
    said = "as the file says" if gate.state != "no_data" else "not in the file"
    return msgspec.structs.replace(gate, evidence=said if data == "ok" else data)


def _others(source: PlanSource, file: MonitorFile, stage: int, now: float) -> tuple[Gate, ...]:
    """The soak, where the file knows the stage, and the tests that the stage asks for."""
    results = read_results(source.outputs)
    soaked = file.soaked_hours if file.stage == stage else None
    entered_at = None if soaked is None else file.at - soaked * 3600.0
    asked = check_gates(
        source.plan,
        stage,
        file.window,
        file.data,
        soaked,
        results.evidence,
        "continue",
        entered_at,
        # The embedded cloud's results have the time of a clock of its own.
        file.at if source.plan.provider == "local" else now,
    )
    four = {"error_ratio", "p95_ms", "success_ratio", "confidence"}
    return tuple(
        gate
        for gate in asked
        if gate.is_criterion
        and gate.id not in four
        and (gate.id != "soak_hours" or file.stage is not None)
    )
