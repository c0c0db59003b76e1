"""Series of the model → `google.monitoring.v3.TimeSeries` messages, newest point first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from canary.simulator.api.monitoring.aggregation import (
    NS,
    Aggregation,
    ModelSeries,
    Shape,
    Value,
)
from canary.simulator.api.monitoring.descriptors import Metric
from canary.simulator.wire import messages
from canary.simulator.wire.calls import invalid_field
from canary.simulator.world.traffic.minute import Distribution


class SeriesWriter:
    """Writes the series of one answer; what all its points share is built once."""

    def __init__(self, metric: Metric, shape: Shape, aggregation: Aggregation) -> None:
        """`shape` is that of the aggregated series."""
        self._metric = metric
        self._shape = shape
        self._span_ns = aggregation.period_s * NS
        self._write_value: Callable[[Any, Value], None] = {
            "INT64": _write_int64,
            "DOUBLE": _write_double,
            "DISTRIBUTION": self._write_distribution,
        }[shape.value_type]

    def write(self, out: Any, series: ModelSeries, newest: int, points: int) -> None:
        """Fill a TimeSeries with the labels and, beginning `newest` back, this many points."""
        out.metric.type = self._metric.type
        out.metric.labels.update(series.metric_labels)
        out.resource.type = self._metric.resource_type
        out.resource.labels.update(series.resource_labels)
        out.metric_kind = messages.MetricDescriptor.MetricKind.Value(self._shape.kind)
        out.value_type = messages.MetricDescriptor.ValueType.Value(self._shape.value_type)
        out.unit = self._metric.unit
        last = len(series.points) - newest
        write_value, add = self._write_value, out.points.add
        for at, value in reversed(series.points[max(0, last - points) : last]):
            point = add()
            self._write_interval(point.interval, at)
            write_value(point.value, value)

    def _write_interval(self, interval: Any, at: int) -> None:
        interval.end_time.seconds, interval.end_time.nanos = divmod(at, NS)
        start = at
        if self._shape.kind == "DELTA":
            start = at - self._span_ns
        interval.start_time.seconds, interval.start_time.nanos = divmod(start, NS)

    def _write_distribution(self, out: Any, value: Value) -> None:
        if not isinstance(value, Distribution):
            raise TypeError("a number where a distribution was checked for")
        spread = out.distribution_value
        count = value.count
        spread.count = count
        if count:
            spread.mean = value.sum / count
            spread.sum_of_squared_deviation = value.squared_deviation
        spread.bucket_options.CopyFrom(self._metric.buckets)
        spread.bucket_counts.extend(value.counts)


def _write_int64(out: Any, value: Value) -> None:
    out.int64_value = value


def _write_double(out: Any, value: Value) -> None:
    out.double_value = value


# What a ListTimeSeriesRequest asks for: its interval and its aggregation.


def read_interval(interval: Any) -> tuple[int, int]:
    """Return (start, end] in ns; without a start it holds the end alone."""
    if not interval.HasField("end_time"):
        raise invalid_field("interval.end_time", "", "It is required.")
    end_ns = messages.nanoseconds(interval.end_time)
    if not interval.HasField("start_time"):
        return end_ns - 1, end_ns
    start_ns = messages.nanoseconds(interval.start_time)
    if start_ns > end_ns:
        raise invalid_field(
            "interval.start_time",
            interval.start_time.ToJsonString(),
            "The start time must not be later than the end time.",
        )
    return min(start_ns, end_ns - 1), end_ns


def read_aggregation(proto: Any, metric: Metric) -> Aggregation:
    """Return an Aggregation message's values; INVALID_ARGUMENT for labels the metric has not."""
    try:
        aligner = messages.AGGREGATION.Aligner.Name(proto.per_series_aligner)
        reducer = messages.AGGREGATION.Reducer.Name(proto.cross_series_reducer)
    except ValueError as exc:
        raise invalid_field("aggregation", str(exc), "No such aligner or reducer.") from exc
    return Aggregation(
        period_s=int(proto.alignment_period.seconds),
        aligner=aligner,
        reducer=reducer,
        group_by=tuple(_read_group_by(proto.group_by_fields, metric)),
    )


def _read_group_by(fields: Sequence[str], metric: Metric) -> Iterable[str]:
    """Yield the fields in the plural spelling; the API takes `label` and `labels` alike."""
    known = {"resource": set(metric.resource_labels), "metric": {key for key, _ in metric.labels}}
    for field in fields:
        if field in ("resource.type", "metric.type"):
            continue  # there is one of each in every answer
        owner, _, rest = field.partition(".")
        spelling, _, label = rest.partition(".")
        if spelling not in ("label", "labels") or label not in known.get(owner, ()):
            raise invalid_field(
                "aggregation.groupByFields", field, f"{metric.type} has no such label."
            )
        yield f"{owner}.labels.{label}"
