"""canary.toml at the top holds exactly the procedure's numbers, and so do the plan's defaults."""

from __future__ import annotations

from pathlib import Path

from canary.rollout.plan.file import load_plan
from canary.rollout.plan.metrics import Metrics
from canary.rollout.plan.plan import (
    Alerts,
    Criteria,
    Health,
    Local,
    Plan,
    Record,
    Router,
    Scale,
    ScalePreset,
    Stage,
    Target,
    Thresholds,
)

PLAN = load_plan(Path(__file__).parents[3] / "canary.toml")


def test_the_target_is_the_one_of_the_procedure() -> None:
    assert PLAN.provider == "local"
    assert PLAN.target == Target(
        project="naeda-genesis",
        region="us-central1",
        legacy="ion-api",
        canary="ion-api-canary",
        router=Router("env", None, "CANARY_TRAFFIC_PERCENTAGE", "canary", None),
        health=Health(path="/health"),
    )


def test_the_stages_are_the_five_of_the_procedure() -> None:
    assert PLAN.stages == (
        Stage(5, 24.0, Criteria(0.010, 15_000.0, 0.95, 0.75)),
        Stage(
            10,
            24.0,
            Criteria(0.015, 18_000.0, 0.93, 0.73),
            automatic_rollback=Thresholds(0.02, 20_000.0, 0.90, 0.70),
        ),
        Stage(25, 48.0, Criteria(0.020, 20_000.0, 0.91, 0.71), load_test=True),
        Stage(50, 72.0, Criteria(0.025, 22_000.0, 0.89, 0.69), min_ab_improvement=0.10),
        Stage(100),
    )


def test_the_alerts_are_those_of_the_procedure() -> None:
    assert PLAN.alerts.warning == Thresholds(0.02, 20_000.0, 0.90)
    assert PLAN.alerts.critical == Thresholds(0.05, 30_000.0, 0.80)
    assert PLAN.alerts.watch_minutes == 60.0


def test_windows_and_presets_are_those_of_the_procedure() -> None:
    assert PLAN.metrics.window_minutes == 5
    assert PLAN.metrics.criteria_window_minutes == 60
    assert PLAN.scale == Scale(backup=ScalePreset(0, 1), production=ScalePreset(1, 10))


def test_the_file_says_nothing_else_than_the_defaults() -> None:
    assert Plan(target=PLAN.target, stages=PLAN.stages) == PLAN
    assert (PLAN.alerts, PLAN.metrics, PLAN.scale) == (Alerts(), Metrics(), Scale())
    assert (PLAN.record, PLAN.local) == (Record(), Local())
