"""What the dashboard for Grafana asks of each side."""

from __future__ import annotations

import pytest

from canary.rollout.export.grafana import (
    ask_buckets,
    ask_percentile,
    ask_ratio,
    metric_in_promql,
)
from tests.rollout.build import PLAN


def test_a_percentile_is_of_the_merged_buckets_of_one_side() -> None:
    assert ask_percentile(PLAN, 95)[1].expr == (
        "histogram_quantile(0.95, sum by (le) (rate("
        'run_googleapis_com:request_latencies_bucket{monitored_resource="cloud_run_revision",'
        ' location="us-central1", service_name="ion-api-canary"}[5m])))'
    )


def test_no_errors_are_a_zero_and_no_requests_are_no_data() -> None:
    numerator, denominator = ask_ratio(PLAN, "5xx")[0].expr.split(" / ")
    assert 'response_code_class=~"5xx"' in numerator
    assert "or vector(0)" in numerator
    assert "vector" not in denominator


def test_the_distribution_is_asked_by_the_filters_of_the_query_builder() -> None:
    canary = ask_buckets(PLAN, PLAN.metrics.confidence_metric)[1]
    assert canary.metric == "custom.googleapis.com/ion/confidence_score"
    assert canary.filters == ("resource.label.job", "=", "ion-api-canary")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("run.googleapis.com/request_count", "run_googleapis_com:request_count"),
        (
            "run.googleapis.com/container/cpu/utilizations",
            "run_googleapis_com:container_cpu_utilizations",
        ),
        ("custom.googleapis.com/a.b/c-d", "custom_googleapis_com:a_b_c_d"),
    ],
)
def test_metric_names_are_mapped_as_documented(metric: str, expected: str) -> None:
    assert metric_in_promql(metric) == expected
