"""The plan as the embedded cloud wants to be told it: one JSON object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canary.rollout.plan import Plan
from canary.rollout.progress import StageRecord, encode_record

_PLACEHOLDER = 0.5
"""The start of the stage while the record is encoded: none begins half a second into 1970."""


def build_config(plan: Plan, state_path: Path | None, *, fresh: bool = False) -> dict[str, Any]:
    """The JSON object that the embedded cloud is started with, from the plan."""
    target, local = plan.target, plan.local
    router = target.router
    # A candidate that is named by revision is the embedded cloud's own; its tag is its matter.
    by_name = router.candidate.startswith(f"{plan.router_service}-")
    return {
        "project": target.project,
        "region": target.region,
        "legacy": plan.router_service if router.kind == "revisions" else target.legacy,
        "canary": target.canary,
        "router": _build_router(plan, "canary" if by_name else router.candidate),
        "annotation": plan.record.annotation,
        "percent": plan.percent_of(local.stage),
        "stage": local.stage,
        "soaked_hours": local.soaked_hours,
        "record": _first_record(plan),
        "confidence_metric": plan.metrics.confidence_metric,
        "requests_per_s": local.requests_per_s,
        "speed": local.speed,
        "seed": local.seed,
        "scenario": local.scenario,
        "ab_test": _build_ab_test(plan),
        "state_path": None if state_path is None else str(state_path),
        "fresh": fresh,
    }


def _build_router(plan: Plan, canary_tag: str) -> dict[str, Any]:
    """How the embedded cloud routes. A program of the team's finds a URL map there to set."""
    router = plan.target.router
    told = {
        "kind": "url-map" if router.kind == "command" else router.kind,
        "service": plan.router_service,
        "variable": router.variable,
        "canary_tag": canary_tag,
        "url_map": router.url_map,
        "legacy_backend": router.legacy_backend,
        "canary_backend": router.canary_backend,
    }
    return {name: value for name, value in told.items() if value is not None}


def _build_ab_test(plan: Plan) -> dict[str, str]:
    """The A/B test's table and groups, so that the demonstration has what the plan asks for."""
    test, own = plan.ab_test, f"{plan.target.project}."
    return {
        "table": test.full_table(plan.target.project).removeprefix(own),
        "location": test.location,
        "legacy_group": test.legacy_group,
        "canary_group": test.canary_group,
    }


def _first_record(plan: Plan) -> str:
    stage = plan.local.stage
    record = StageRecord(
        stage=stage,
        percent=plan.percent_of(stage),
        entered_at=_PLACEHOLDER,
        by="demo",
        host="embedded-cloud",
        change="demo-start",
        move="promote",
        reason="where the demonstration begins",
        previous_stage=max(0, stage - 1),
        previous_percent=plan.percent_of(max(0, stage - 1)),
        enabled=stage < len(plan.stages),
        production_service=plan.target.canary if stage == len(plan.stages) else "",
    )
    text = encode_record(record)
    return text.replace(f'"entered_at":{_PLACEHOLDER}', '"entered_at":@ENTERED_AT@', 1)
