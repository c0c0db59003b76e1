"""The plan's limits as alert policies, and what sets those that are there right."""

import msgspec
import pytest

from canary.rollout.export.alert_policies import (
    FoundPolicy,
    Policy,
    owner_of,
    plan_actions,
    wanted_policies,
)
from canary.rollout.plan.plan import Alerts, Plan, Thresholds
from tests.embedded import DEFAULT_PLAN, with_router

PLAN = DEFAULT_PLAN
WANTED = wanted_policies(PLAN)


def with_alerts(**alerts: Thresholds) -> Plan:
    return msgspec.structs.replace(PLAN, alerts=Alerts(**alerts))


def found(policy: Policy, number: int = 1) -> FoundPolicy:
    return FoundPolicy(f"projects/p/alertPolicies/{number}", policy, ("c1",))


def policy(key: str) -> Policy:
    return next(one for one in WANTED if one.key == key)


@pytest.mark.parametrize(
    ("key", "severity", "comparison", "threshold"),
    [
        ("warning-error_ratio", "WARNING", "COMPARISON_GT", 0.02),
        ("warning-p95_ms", "WARNING", "COMPARISON_GT", 20_000.0),
        ("warning-success_ratio", "WARNING", "COMPARISON_LT", 0.90),
        ("critical-error_ratio", "CRITICAL", "COMPARISON_GT", 0.05),
        ("critical-p95_ms", "CRITICAL", "COMPARISON_GT", 30_000.0),
        ("critical-success_ratio", "CRITICAL", "COMPARISON_LT", 0.80),
    ],
)
def test_each_limit_is_a_policy_beyond_it_strictly(
    key: str, severity: str, comparison: str, threshold: float
):
    one = policy(key)
    (condition,) = one.conditions
    assert (one.severity, condition.comparison, condition.threshold) == (
        severity,
        comparison,
        threshold,
    )
    assert condition.period_s == 300


def test_there_are_six_by_default_and_more_with_a_limit_on_confidence():
    assert len(WANTED) == 6
    more = with_alerts(warning=Thresholds(0.02, 20_000.0, 0.9, confidence=0.7))
    assert [p.key for p in wanted_policies(more)][3] == "warning-confidence"


def test_only_canary_is_watched():
    for one in WANTED:
        assert 'resource.labels.service_name = "ion-api-canary"' in one.conditions[0].filter


def test_a_ratio_is_of_all_requests():
    error, success = policy("warning-error_ratio"), policy("warning-success_ratio")
    assert error.conditions[0].filter.startswith(error.conditions[0].denominator_filter)
    assert 'response_code_class = "5xx"' in error.conditions[0].filter
    assert 'response_code_class = one_of("2xx", "3xx")' in success.conditions[0].filter


def test_a_percentile_is_of_merged_distributions():
    (condition,) = policy("warning-p95_ms").conditions
    assert (condition.aligner, condition.reducer) == ("ALIGN_DELTA", "REDUCE_PERCENTILE_95")


def test_between_revisions_the_candidate_is_watched():
    split = with_router(PLAN, kind="revisions", candidate="canary")
    (condition,) = wanted_policies(split, "ion-api-00002-can")[0].conditions
    assert 'resource.labels.revision_name = "ion-api-00002-can"' in condition.filter
    assert 'service_name = "ion-api"' in condition.filter


def test_what_is_as_wanted_is_kept():
    actions = plan_actions(WANTED, [found(one, i) for i, one in enumerate(WANTED)])
    assert {action.kind for action in actions} == {"keep"}


def test_what_is_missing_is_created():
    actions = plan_actions(WANTED, [found(one) for one in WANTED[1:]])
    assert [(a.kind, a.key) for a in actions if a.kind != "keep"] == [
        ("create", "warning-error_ratio")
    ]


@pytest.mark.parametrize("field", ["display_name", "documentation", "severity", "combiner"])
def test_only_the_fields_that_differ_are_updated(field: str):
    other = msgspec.structs.replace(WANTED[0], **{field: "other"})
    (action,) = plan_actions(WANTED[:1], [found(other)])
    assert (action.kind, action.fields) == ("update", (field,))


def test_another_limit_is_said_from_to():
    old = wanted_policies(with_alerts(warning=Thresholds(error_ratio=0.03)))[0]
    action = plan_actions(WANTED[:1], [found(old)])[0]
    assert action.fields == ("documentation", "conditions")
    assert any(line.endswith("threshold 0.03 → 0.02") for line in action.lines)


def test_a_second_condition_is_a_difference():
    more = msgspec.structs.replace(WANTED[0], conditions=WANTED[0].conditions * 2)
    (action,) = plan_actions(WANTED[:1], [found(more)])
    assert action.lines == ("update ion-api-canary: error ratio, warning: 2 conditions → 1",)


def test_a_limit_that_is_gone_from_the_plan_takes_its_policy_along():
    actions = plan_actions(WANTED[:1], [found(one, i) for i, one in enumerate(WANTED[:2])])
    assert [(a.kind, a.key) for a in actions] == [
        ("keep", "warning-error_ratio"),
        ("delete", "warning-p95_ms"),
    ]


def test_of_two_for_one_limit_the_older_is_kept():
    actions = plan_actions(WANTED[:1], [found(WANTED[0], 1), found(WANTED[0], 2)])
    assert [(a.kind, a.found.name[-1]) for a in actions] == [("keep", "1"), ("delete", "2")]


def test_the_mark_is_the_rollouts_own_and_fits_a_label():
    other = msgspec.structs.replace(
        PLAN, target=msgspec.structs.replace(PLAN.target, region="europe-west1")
    )
    long = msgspec.structs.replace(
        PLAN, target=msgspec.structs.replace(PLAN.target, canary="c" * 49)
    )
    assert owner_of(PLAN) == owner_of(with_alerts(warning=Thresholds()))
    assert owner_of(PLAN) != owner_of(other)
    assert len(owner_of(long)) <= 63
