"""`canary validate`: a stage's success criteria, live or from a file; the gates of the screen."""

from __future__ import annotations

import asyncio

import click
import msgspec

from canary.cli.options import Duration, chosen_config, config_option, json_option
from canary.cli.output import print_json, print_table, say
from canary.cli.plan_source import PlanSource, find_plan
from canary.rollout.decision.gates import Gate, StageEvidence, check_gates, unmet
from canary.rollout.decision.tree import judge_data
from canary.rollout.errors import UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.status import gate_document
from canary.rollout.text import format_iso_time, sanitize


@click.command()
@click.option("--stage", type=click.IntRange(1), help="Criteria for leaving this one; the present.")
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
@json_option
@config_option
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
    source = find_plan(chosen_config(config))
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
        _say(checked)
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
    from canary.cli.procedure.validate_file import MOST_AGE_S, check_file

    return check_file(source, pattern, stage, MOST_AGE_S if most_age_s is None else most_age_s)


async def _look(source: PlanSource) -> tuple[Snapshot, StageEvidence]:
    from canary.cli.look import demand_cloud_run, look
    from canary.engine.session import Session
    from canary.store.results import read_results

    async with await Session.open(source.plan, source.path, read_only=True) as session:
        snapshot = await look(session)
        demand_cloud_run(snapshot)
        return snapshot, read_results(source.path.parent / source.plan.record.outputs).evidence


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
        asked = check_gates(plan, stage, window, data, None, evidence, verdict)
        gates = tuple(_not_at_this_stage(gate) for gate in asked)
    return tuple(gate for gate in gates if gate.is_criterion)


def _not_at_this_stage(gate: Gate) -> Gate:
    if gate.id != "soak_hours":
        return gate
    return msgspec.structs.replace(gate, evidence="the rollout is not at this stage")


def _say(checked: Checked) -> None:
    from canary.cli.inspect.lines import gate_rows

    on = f", on {sanitize(checked.file)}" if checked.file else ""
    say(f"Criteria for leaving stage {checked.stage}{on}:")
    print_table(gate_rows(checked.gates), indent="  ")
    for note in checked.notes:
        say(f"Note: {note}.")
    closed = unmet(checked.gates)
    if closed:
        names = ", ".join(f"{g.label} ({g.state.replace('_', ' ')})" for g in closed)
        say(f"Not met: {names}.")
    else:
        say(f"All criteria are met: stage {checked.stage + 1} is approved next.")


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
