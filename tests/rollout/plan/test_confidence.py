"""Where the confidence metric hangs, and which label tells the side."""

import msgspec
import pytest

from canary.rollout.export.alert_policies import wanted_policies
from canary.rollout.plan.confidence import ConfidenceSource, find_confidence_source
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.rules import find_rule_mistakes
from tests.embedded import with_router
from tests.rollout.build import PLAN

LOG_BASED = "logging.googleapis.com/user/confidence"


def plan_with(**metrics: str) -> Plan:
    return msgspec.structs.replace(PLAN, metrics=msgspec.structs.replace(PLAN.metrics, **metrics))


@pytest.mark.parametrize(
    ("metrics", "kind", "expected"),
    [
        ({}, "env", ("generic_task", "resource.labels.job", "")),
        ({}, "revisions", ("generic_task", "resource.labels.namespace", "resource.labels.job")),
        (
            {"confidence_metric": LOG_BASED},
            "env",
            ("cloud_run_revision", "resource.labels.service_name", ""),
        ),
        (
            {"confidence_metric": LOG_BASED},
            "revisions",
            (
                "cloud_run_revision",
                "resource.labels.revision_name",
                "resource.labels.service_name",
            ),
        ),
        (
            {"confidence_resource": "global", "confidence_label": "metric.side"},
            "env",
            ("global", "metric.labels.side", ""),
        ),
    ],
)
def test_what_the_plan_does_not_say_follows_from_the_metric(metrics, kind, expected) -> None:
    plan = with_router(plan_with(**metrics), kind=kind)
    assert find_confidence_source(plan) == ConfidenceSource(*expected)


def test_a_plan_without_a_metric_has_no_source() -> None:
    assert find_confidence_source(plan_with(confidence_metric="")) is None


@pytest.mark.parametrize("kind", ["env", "revisions"])
@pytest.mark.parametrize(
    "metrics", [{}, {"confidence_metric": LOG_BASED}, {"confidence_resource": "generic_node"}]
)
def test_every_policy_names_the_type_of_its_resource(kind, metrics) -> None:
    plan = with_router(plan_with(**metrics), kind=kind)
    warning = msgspec.structs.replace(plan.alerts.warning, confidence=0.6)
    alerts = msgspec.structs.replace(plan.alerts, warning=warning)
    policies = wanted_policies(msgspec.structs.replace(plan, alerts=alerts), "c-1")
    filters = [c.filter for p in policies for c in p.conditions]
    assert len(filters) == 7
    assert all("resource.type = " in text for text in filters)


def test_a_limit_of_a_score_that_nobody_reports_is_a_mistake_of_the_plan() -> None:
    found = find_rule_mistakes(plan_with(confidence_metric=""), None)
    assert [m.path for m in found] == [f"stages[{i}].criteria.min_confidence" for i in range(4)]
    assert find_rule_mistakes(PLAN, None) == []
