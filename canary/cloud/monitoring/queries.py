"""The six questions asked of Cloud Monitoring for both sides at once. Pure.

| metric | aligned, reduced by | grouped by |
|---|---|---|
| request_count | DELTA, SUM | side, response_code_class |
| request_latencies | DELTA, SUM | side |
| the confidence metric | DELTA, SUM (of a gauge: SUM, SUM) | side |
| container/cpu/utilizations | DELTA, SUM | side |
| container/memory/utilizations | DELTA, SUM | side |
| container/instance_count | MEAN, SUM | side, state |

"Side" is the service, or the revision where the split is between revisions of one service.
ALIGN_DELTA with REDUCE_SUM keeps distributions whole, so p50, p95 and p99 come of one answer and
are right; a percentile that is aligned or reduced over there would be of percentiles.
Source: google/monitoring/v3/common.proto.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from canary.cloud.monitoring.timeseries import PeriodGrid
from canary.rollout.plan.confidence import CLOUD_RUN, find_confidence_source
from canary.rollout.plan.plan import Plan

Role = Literal["responses", "latency", "confidence", "cpu", "memory", "instances"]
ROLES: tuple[Role, ...] = ("responses", "latency", "confidence", "cpu", "memory", "instances")

ESSENTIAL: frozenset[Role] = frozenset({"responses", "latency"})
"""Without these nothing is judged. Cloud Run writes them of every service that is asked anything;
any other metric may not exist at all."""

PAGE_SIZE = 100_000
"""Points; the API's most. A minute of both sides is some forty points, so one page is the rule."""


class Query(msgspec.Struct, frozen=True):
    """One ListTimeSeries: what is asked of which metric. Names of enum values as in the proto."""

    role: Role
    metric: str
    filter: str
    aligner: str
    reducer: str
    group_by: tuple[str, ...]


_RUN = "run.googleapis.com/"
_METRICS: dict[Role, str] = {
    "responses": _RUN + "request_count",
    "latency": _RUN + "request_latencies",
    "cpu": _RUN + "container/cpu/utilizations",
    "memory": _RUN + "container/memory/utilizations",
    "instances": _RUN + "container/instance_count",
}
_EXTRA_GROUP: dict[Role, str] = {
    "responses": "metric.label.response_code_class",
    "instances": "metric.label.state",
}


def roles_of(plan: Plan) -> tuple[Role, ...]:
    """What is asked for: all, but for the confidence of a plan that has no such metric."""
    if find_confidence_source(plan) is not None:
        return ROLES
    return tuple(role for role in ROLES if role != "confidence")


def side_label(plan: Plan) -> str:
    """The resource label that tells the sides apart."""
    return "revision_name" if plan.target.shares_one_service else "service_name"


def build_query(plan: Plan, role: Role, aligner: str = "") -> Query:
    """Return the query of a role; `aligner` replaces the usual one."""
    if role == "confidence":
        return _build_confidence_query(plan, aligner)
    metric = _METRICS[role]
    group_by = [f"resource.label.{side_label(plan)}"]
    if role in _EXTRA_GROUP:
        group_by.append(_EXTRA_GROUP[role])
    return Query(
        role=role,
        metric=metric,
        filter=_build_filter(plan, metric),
        aligner=aligner or ("ALIGN_MEAN" if role == "instances" else "ALIGN_DELTA"),
        reducer="REDUCE_SUM",
        group_by=tuple(group_by),
    )


def _build_confidence_query(plan: Plan, aligner: str) -> Query:
    """The application's own metric, on the resource that the plan says it hangs on."""
    source = find_confidence_source(plan)
    assert source is not None  # noqa: S101 - who has no such metric asks nothing of it
    metric = plan.metrics.confidence_metric
    parts = [f"metric.type = {quote(metric)}", f"resource.type = {quote(source.resource)}"]
    if source.resource == CLOUD_RUN:
        parts.append(f"resource.labels.location = {quote(plan.target.region)}")
    if not plan.target.shares_one_service:
        parts.append(f"{source.label} = {_services(plan)}")
    elif source.service_label:
        parts.append(f"{source.service_label} = {_services(plan)}")
    group_by = (source.label.replace(".labels.", ".label."),)
    filtered = " AND ".join(parts)
    return Query("confidence", metric, filtered, aligner or "ALIGN_DELTA", "REDUCE_SUM", group_by)


def build_request(types: Any, project: str, query: Query, grid: PeriodGrid) -> Any:
    """Return the raw ListTimeSeriesRequest; `types` is monitoring_v3.types.metric_service."""
    request_class = types.ListTimeSeriesRequest
    aggregation = types.common.Aggregation
    request = request_class.pb(request_class())
    request.name = f"projects/{project}"
    request.filter = query.filter
    request.interval.start_time.seconds = grid.start
    request.interval.end_time.seconds = grid.end
    request.aggregation.alignment_period.seconds = grid.period_s
    request.aggregation.per_series_aligner = aggregation.Aligner[query.aligner].value
    request.aggregation.cross_series_reducer = aggregation.Reducer[query.reducer].value
    request.aggregation.group_by_fields.extend(query.group_by)
    request.page_size = PAGE_SIZE
    return request


def quote(text: str) -> str:
    """A string literal of the filter language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _build_filter(plan: Plan, metric: str) -> str:
    parts = [
        f"metric.type = {quote(metric)}",
        'resource.type = "cloud_run_revision"',
        # The same names may run in another region.
        f"resource.labels.location = {quote(plan.target.region)}",
        f"resource.labels.service_name = {_services(plan)}",
    ]
    return " AND ".join(parts)


def _services(plan: Plan) -> str:
    if plan.target.shares_one_service:
        return quote(plan.router_service)
    return f"one_of({quote(plan.target.legacy)}, {quote(plan.target.canary)})"
