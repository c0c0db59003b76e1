"""[metrics] of a Prometheus: what it needs, and where a secret may not stand."""

from __future__ import annotations

import pytest

from canary.rollout.errors import PlanError
from canary.rollout.plan.file import parse_plan
from canary.rollout.plan.plan import Plan
from tests.rollout.build import BARE_PLAN

PROMETHEUS = '[metrics]\nsource = "prometheus"\nurl = "https://mimir.example/prometheus"\n'


def plan_with(text: str) -> Plan:
    return parse_plan(f"{BARE_PLAN}\n{text}", "canary.toml")


def test_the_source_is_cloud_monitoring_unless_the_plan_says_so() -> None:
    assert plan_with("").metrics.source_name == "Cloud Monitoring"


@pytest.mark.parametrize(
    "more",
    [
        "",
        'auth = "google"',
        'auth = "bearer"\nsecret_env = "TOKEN"',
        'auth = "basic"\nusername = "me"\nsecret_env = "PASSWORD"',
        'headers = { X-Scope-OrgID = "team" }\nheaders_env = { Authorization = "WHOLE" }',
        'preset = "custom"\nselectors = { requests = "x_total{{side}}" }',
    ],
)
def test_a_prometheus_is_named_with_all_that_it_needs(more: str) -> None:
    assert plan_with(PROMETHEUS + more).metrics.source_name == "Prometheus"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[metrics]\nsource = "prometheus"', "metrics.url is missing"),
        ('[metrics]\nsource = "prometheus"\nurl = "http://mimir.example"', "plain http"),
        ('[metrics]\nsource = "prometheus"\nurl = "https://me:pw@x.example"', "carries"),
        ('[metrics]\nsource = "prometheus"\nurl = "https://x.example/?a=b"', "has a query"),
        ('[metrics]\nurl = "https://x.example"', 'metrics.source is not "prometheus"'),
        (PROMETHEUS + 'auth = "bearer"', 'secret_env is missing for auth = "bearer"'),
        (PROMETHEUS + 'secret_env = "TOKEN"', 'metrics.auth is "none"'),
        (PROMETHEUS + 'auth = "basic"\nsecret_env = "P"', "metrics.username is missing"),
        (PROMETHEUS + 'headers = { Authorization = "Bearer x" }', "holds a secret"),
        (PROMETHEUS + 'preset = "custom"', "metrics.selectors is missing"),
        (PROMETHEUS + 'selectors = { requests = "x{{side}}" }', 'preset is "otel"'),
        (PROMETHEUS + 'preset = "custom"\nselectors = { requests = "x" }', "{side}"),
    ],
)
def test_what_it_lacks_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(PlanError) as raised:
        plan_with(text)
    assert said in str(raised.value)
    assert "Bearer x" not in str(raised.value)
    assert "me:pw" not in str(raised.value)
