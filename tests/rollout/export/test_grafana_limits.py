"""The plan's limits as Grafana's steps of colour."""

from __future__ import annotations

import msgspec

from canary.rollout.export.grafana_panels import confidence_steps, rising_steps, success_steps
from canary.rollout.plan.plan import Criteria, Stage, Thresholds
from tests.rollout.build import PLAN


def test_the_limits_are_the_plans() -> None:
    assert rising_steps(PLAN, "error_ratio") == (("green", None), ("yellow", 0.02), ("red", 0.05))
    assert rising_steps(PLAN, "p95_ms")[1:] == (("yellow", 20_000.0), ("red", 30_000.0))
    assert success_steps(PLAN) == (("red", None), ("yellow", 0.80), ("green", 0.90))
    assert confidence_steps(PLAN) == (("red", None), ("yellow", 0.69), ("green", 0.75))


def test_steps_rise_whatever_the_plan_leaves_out() -> None:
    bare = msgspec.structs.replace(
        PLAN,
        stages=(Stage(50, 1.0, Criteria(0.1, 1.0, 0.5, 0.7)), Stage(100)),
        alerts=msgspec.structs.replace(
            PLAN.alerts, warning=Thresholds(confidence=0.5), critical=Thresholds()
        ),
    )
    for found in (rising_steps(bare, "p95_ms"), success_steps(bare), confidence_steps(bare)):
        assert found[0][1] is None
        values = [value for _, value in found[1:] if value is not None]
        assert values == sorted(set(values))
