"""What a ListTimeSeriesRequest asks for: its interval and its aggregation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from canary.simulator import messages
from canary.simulator.aggregation import Aggregation
from canary.simulator.api_errors import invalid_field
from canary.simulator.descriptors import RESOURCE_LABELS, Metric


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
    known = {"resource": set(RESOURCE_LABELS), "metric": {key for key, _ in metric.labels}}
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
