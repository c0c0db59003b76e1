"""What the dashboard for Grafana asks of each side: PromQL, and the query builder's filters.

Ratios and percentiles are asked in PromQL, since MQL is deprecated and a ratio of two metrics has
no other query; the percentile is of the merged buckets, never of percentiles. Metric names are
mapped as cloud.google.com/monitoring/promql/promql-mapping says. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from canary.rollout.change.change import Side
from canary.rollout.export.grafana_panels import Query
from canary.rollout.plan.plan import Plan

SIDES: Final[tuple[Side, Side]] = ("legacy", "canary")

_RUN: Final = "run.googleapis.com/"


def metric_in_promql(metric: str) -> str:
    """A metric's name in PromQL: the first "/" is ":", every other special character "_"."""
    domain, _, path = metric.partition("/")
    return ":".join(re.sub(r"[^A-Za-z0-9_]", "_", part) for part in (domain, path))


def ask_requests(plan: Plan) -> tuple[Query, ...]:
    """Requests a minute."""
    return _of_both(lambda side: f"60 * {_rate(plan, side, 'request_count')}")


def ask_ratio(plan: Plan, classes: str) -> tuple[Query, ...]:
    """Answers of some classes ÷ all. Without any of them it is 0; without any answer, no data."""
    return _of_both(
        lambda side: (
            f"({_rate(plan, side, 'request_count', classes)} or vector(0))"
            f" / {_rate(plan, side, 'request_count')}"
        )
    )


def ask_percentile(plan: Plan, percentile: int) -> tuple[Query, ...]:
    """A percentile of request latency, in milliseconds, of the merged buckets."""
    return _of_both(
        lambda side: (
            f"histogram_quantile({percentile / 100:g}, sum by (le) (rate("
            f"{_select(plan, side, _RUN + 'request_latencies', suffix='_bucket')}"
            f"[{_window(plan)}])))"
        )
    )


def ask_mean(plan: Plan, metric: str) -> tuple[Query, ...]:
    """The mean of a metric of distributions."""
    return _of_both(
        lambda side: " / ".join(
            f"sum(rate({_select(plan, side, metric, suffix=suffix)}[{_window(plan)}]))"
            for suffix in ("_sum", "_count")
        )
    )


def ask_utilisation(plan: Plan, what: str) -> tuple[Query, ...]:
    """The mean utilisation of "cpu" or "memory", 0…1."""
    return ask_mean(plan, f"{_RUN}container/{what}/utilizations")


def ask_instances(plan: Plan) -> tuple[Query, ...]:
    """Instances, busy and idle."""
    metric = f"{_RUN}container/instance_count"
    return _of_both(lambda side: f"sum({_select(plan, side, metric)})")


def ask_billable(plan: Plan) -> tuple[Query, ...]:
    """Billable seconds a second: about as many instances as are paid for."""
    return _of_both(lambda side: _rate(plan, side, "container/billable_instance_time"))


def ask_buckets(plan: Plan, metric: str) -> tuple[Query, ...]:
    """A metric of distributions whole, by its buckets: the query builder's, without PromQL."""
    return tuple(Query(side, filters=_filters(plan, side), metric=metric) for side in SIDES)


def _of_both(express: Callable[[Side], str]) -> tuple[Query, ...]:
    return tuple(Query(side, express(side)) for side in SIDES)


def _rate(plan: Plan, side: Side, metric: str, classes: str | None = None) -> str:
    return f"sum(rate({_select(plan, side, _RUN + metric, classes)}[{_window(plan)}]))"


def _select(
    plan: Plan, side: Side, metric: str, classes: str | None = None, *, suffix: str = ""
) -> str:
    """A metric of one side. One of the application's own may hang on another resource type."""
    labels = []
    if metric.startswith(_RUN):
        labels += ['monitored_resource="cloud_run_revision"', f'location="{plan.target.region}"']
    labels.append(f'service_name="{_service(plan, side)}"')
    if plan.target.shares_one_service:
        labels.append(f'revision_name=~"${{{side}_revision}}"')
    if classes is not None:
        labels.append(f'response_code_class=~"{classes}"')
    return f"{metric_in_promql(metric)}{suffix}{{{', '.join(labels)}}}"


def _filters(plan: Plan, side: Side) -> tuple[str, ...]:
    """The same choice as the data source's own query builder has it."""
    found = ("resource.label.service_name", "=", _service(plan, side))
    if not plan.target.shares_one_service:
        return found
    return (*found, "AND", "resource.label.revision_name", "=~", f"${{{side}_revision}}")


def _service(plan: Plan, side: Side) -> str:
    if plan.target.shares_one_service:
        return plan.router_service
    return plan.target.legacy if side == "legacy" else plan.target.canary


def _window(plan: Plan) -> str:
    return f"{plan.metrics.window_minutes}m"
