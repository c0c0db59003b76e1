"""Limits that guard nothing are said; a criterion that is left out is not asked."""

from pathlib import Path

import pytest

from canary.rollout.decision.gates import check_criteria
from canary.rollout.plan.doubts import find_doubts
from canary.rollout.plan.file import parse_plan
from canary.rollout.plan.plan import Plan
from tests.rollout.build import window

SHIPPED = (Path(__file__).parents[3] / "canary.toml").read_text(encoding="utf-8")


def plan_with(old: str, new: str) -> Plan:
    assert old in SHIPPED
    return parse_plan(SHIPPED.replace(old, new, 1), "canary.toml")


def test_the_shipped_plan_has_none() -> None:
    assert find_doubts(parse_plan(SHIPPED, "canary.toml")) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_error_ratio = 0.010 ", "max_error_ratio = 1.0 ", "is 100 %: nothing can ever"),
        ("max_p95_ms = 15_000.0", "max_p95_ms = 3_600_000.0", "is 3600 s: nothing can ever"),
        ("min_success_ratio = 0.95 ", "min_success_ratio = 0.0 ", "is 0 %: nothing can ever"),
        ("min_confidence = 0.75 ", "min_confidence = 0.0 ", "is 0: nothing can ever"),
        ("max_error_ratio = 0.010 ", "max_error_ratio = 0.06 ", "is 6 %, laxer than alerts.crit"),
        ("max_p95_ms = 15_000.0", "max_p95_ms = 31_000.0", "laxer than alerts.critical.p95_ms"),
        ("min_success_ratio = 0.95 ", "min_success_ratio = 0.7 ", "alerts.critical.success_ratio"),
        ("\nerror_ratio = 0.02\np95", "\nerror_ratio = 0.2\np95", "automatic_rollback.error_ratio"),
    ],
)
def test_a_limit_that_guards_nothing_is_said(old: str, new: str, said: str) -> None:
    (doubt,) = find_doubts(plan_with(old, new))
    assert said in doubt


def test_a_stage_without_any_criterion_is_said() -> None:
    lines = [
        "max_error_ratio = 0.020\n",
        "max_p95_ms = 20_000.0\n",
        "min_success_ratio = 0.91\n",
        "min_confidence = 0.71\n",
    ]
    block = "".join(lines)
    (doubt,) = find_doubts(plan_with(block, ""))
    assert doubt.startswith("stages[2].criteria is empty")


@pytest.mark.parametrize(
    "line",
    [
        "max_error_ratio = 0.015\n",
        "max_p95_ms = 18_000.0\n",
        "min_success_ratio = 0.93\n",
        "min_confidence = 0.73\n",
    ],
)
def test_each_criterion_can_be_left_out_and_is_not_asked(line: str) -> None:
    criteria = plan_with(line, "").stages[1].criteria
    assert criteria is not None
    gates = check_criteria(criteria, window(), "ok")
    assert len(gates) == 3
    assert {gate.state for gate in gates} == {"met"}
