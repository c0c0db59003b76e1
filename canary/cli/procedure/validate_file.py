"""`canary validate --from GLOB`: the criteria on the newest monitor file, without a cloud."""

from __future__ import annotations

import time

import msgspec

from canary.cli.plan_source import PlanSource
from canary.cli.procedure.validate import Checked
from canary.rollout.decision.gates import Gate, check_criteria, check_gates
from canary.rollout.decision.tree import DataState
from canary.rollout.errors import UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_age, sanitize
from canary.store.monitor_files import MonitorFile, find_newest, read_monitor_file
from canary.store.results import read_results

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
    age_s = (time.time() if now is None else now) - _taken_at(file, plan)
    data = _judge(file, plan, age_s, most_age_s)
    gates = () if criteria is None else tuple(check_criteria(criteria, file.window, data))
    notes = [f"{sanitize(file.path.name)} was written {format_age(age_s)} ago"]
    if file.stage is None:
        notes.append("the soak is not in this file; `canary promote` asks for it")
    return Checked(
        stage=at_stage,
        at=file.at,
        gates=(*(_evident(gate, file, data) for gate in gates), *_others(source, file, at_stage)),
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


def _others(source: PlanSource, file: MonitorFile, stage: int) -> tuple[Gate, ...]:
    """The soak, where the file knows the stage, and the tests that the stage asks for."""
    results = read_results(source.path.parent / source.plan.record.outputs)
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
    )
    four = {"error_ratio", "p95_ms", "success_ratio", "confidence"}
    return tuple(
        gate
        for gate in asked
        if gate.is_criterion
        and gate.id not in four
        and (gate.id != "soak_hours" or file.stage is not None)
    )
