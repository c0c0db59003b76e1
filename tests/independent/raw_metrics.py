"""What Cloud Monitoring keeps: one series a revision and label, one point a minute.

Knows nothing of the console and nothing of `canary.simulator`: only Google's messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.api import distribution_pb2
from google.cloud.monitoring_v3.types import TimeSeries, TypedValue

RUN = "run.googleapis.com/"
CONFIDENCE = "custom.googleapis.com/ion/confidence_score"

Value = Any
"""A TypedValue as a raw protobuf."""


@dataclass
class Raw:
    """One stored series: its labels, and {end of minute: value}."""

    metric: str
    service: str
    revision: str
    labels: dict[str, str] = field(default_factory=dict)
    points: dict[int, Value] = field(default_factory=dict)

    def label(self, path: str) -> str:
        """The label that a group_by field names."""
        scope, _, name = path.rpartition(".")
        if scope == "resource.label":
            return {
                "service_name": self.service,
                "job": self.service,
                "revision_name": self.revision,
                "namespace": self.revision,
            }[name]
        assert scope == "metric.label", path
        return self.labels.get(name, "")


def integer(number: int) -> Value:
    return TypedValue.pb(TypedValue(int64_value=number))


def real(number: float) -> Value:
    return TypedValue.pb(TypedValue(double_value=number))


def spread(width: float, counts: list[int], mean: float) -> Value:
    """Counts in buckets of one width from 0 on; the first count is the underflow."""
    value = TypedValue.pb(TypedValue())
    distribution = value.distribution_value
    distribution.count, distribution.mean = sum(counts), mean
    linear = distribution.bucket_options.linear_buckets
    linear.num_finite_buckets, linear.width, linear.offset = 10, width, 0.0
    distribution.bucket_counts.extend(counts)
    return value


def group(series: list[Raw], fields: list[str], start: int, end: int) -> list[Any]:
    """REDUCE_SUM over those that agree in `fields`: TimeSeries, points newest first."""
    groups: dict[tuple[str, ...], list[Raw]] = {}
    for one in series:
        groups.setdefault(tuple(one.label(f) for f in fields), []).append(one)
    return [
        message
        for key, members in sorted(groups.items())
        if (message := _sum(members, dict(zip(fields, key, strict=True)), start, end)).points
    ]


def _sum(members: list[Raw], labels: dict[str, str], start: int, end: int) -> Any:
    message = TimeSeries.pb(TimeSeries())
    # Custom metrics cannot be written to cloud_run_revision (opentelemetry-operations-java#248).
    custom = members[0].metric == CONFIDENCE
    message.resource.type = "generic_task" if custom else "cloud_run_revision"
    message.metric.type = members[0].metric
    for path, value in labels.items():
        scope, _, name = path.rpartition(".")
        part = message.resource if scope == "resource.label" else message.metric
        part.labels[name] = value
    ends = {at for one in members for at in one.points if start < at <= end}
    for at in sorted(ends, reverse=True):
        point = message.points.add()
        point.interval.end_time.seconds = at
        point.interval.start_time.seconds = at - 60
        point.value.CopyFrom(_add([one.points[at] for one in members if at in one.points]))
    return message


def _add(values: list[Value]) -> Value:
    kind = values[0].WhichOneof("value")
    if kind == "int64_value":
        return integer(sum(v.int64_value for v in values))
    if kind == "double_value":
        return real(sum(v.double_value for v in values))
    total = TypedValue.pb(TypedValue())
    total.CopyFrom(values[0])
    merged = total.distribution_value
    parts: list[distribution_pb2.Distribution] = [v.distribution_value for v in values]
    merged.count = sum(p.count for p in parts)
    merged.mean = sum(p.mean * p.count for p in parts) / merged.count
    del merged.bucket_counts[:]
    longest = max(len(p.bucket_counts) for p in parts)
    for index in range(longest):
        merged.bucket_counts.append(
            sum(p.bucket_counts[index] for p in parts if index < len(p.bucket_counts))
        )
    return total
