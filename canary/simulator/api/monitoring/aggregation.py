"""Alignment and reduction of time series, as `google.monitoring.v3.Aggregation` describes them.

Pure: series in, series out, no protobuf. Times are integer nanoseconds since the epoch (a float
of unix seconds cannot hold the nanoseconds of a Timestamp). What each aligner and reducer accepts
and returns is taken from the comments in google/monitoring/v3/common.proto.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from canary.simulator.wire.calls import invalid_field, unimplemented
from canary.simulator.world.traffic.minute import Distribution, merge

Value = int | float | Distribution


Kind = Literal["GAUGE", "DELTA", "CUMULATIVE"]
ValueType = Literal["INT64", "DOUBLE", "DISTRIBUTION"]
Point = tuple[int, Value]
"""(end of the interval in ns, value)."""

NS = 1_000_000_000
LEAST_PERIOD_S = 60


@dataclass(frozen=True, slots=True)
class Shape:
    """What the points of a series are: kind, value type and, of distributions, the bounds."""

    kind: Kind
    value_type: ValueType
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelSeries:
    """One time series; points oldest first, at most one for each end."""

    resource_labels: Mapping[str, str]
    metric_labels: Mapping[str, str]
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One alignment and reduction. `group_by` is in the plural spelling (`resource.labels.x`)."""

    period_s: int
    aligner: str
    reducer: str = "REDUCE_NONE"
    group_by: tuple[str, ...] = ()


_ANY = frozenset({"INT64", "DOUBLE", "DISTRIBUTION"})
_ALIGNERS = {
    "ALIGN_DELTA": (frozenset({"CUMULATIVE", "DELTA"}), _ANY),
    "ALIGN_SUM": (frozenset({"GAUGE", "DELTA"}), _ANY),
    "ALIGN_MEAN": (frozenset({"GAUGE", "DELTA"}), _ANY - {"DISTRIBUTION"}),
}
"""Kinds and value types of the metrics that each takes."""
_REDUCERS = ("REDUCE_NONE", "REDUCE_SUM", "REDUCE_MEAN")


def check(aggregation: Aggregation, shape: Shape) -> Shape:
    """Return the shape of the aggregated series.

    Raises ApiError INVALID_ARGUMENT for what the real service refuses (a mean of a distribution,
    a period under 60 s), UNIMPLEMENTED for an aligner or reducer that nobody here asks for: the
    real service has some thirty of them.
    """
    aligner, reducer = aggregation.aligner, aggregation.reducer
    for name, known in ((aligner, _ALIGNERS), (reducer, _REDUCERS)):
        if name not in known:
            raise unimplemented(f"The embedded cloud does not know {name}.")
    if aggregation.period_s < LEAST_PERIOD_S:
        raise invalid_field(
            "aggregation.alignmentPeriod",
            f"{aggregation.period_s}s",
            f"The alignment period must be at least {LEAST_PERIOD_S} seconds.",
        )
    kinds, types = _ALIGNERS[aligner]
    if shape.kind not in kinds or shape.value_type not in types:
        raise invalid_field(
            "aggregation.perSeriesAligner",
            aligner,
            f"The aligner cannot be applied to metrics with kind {shape.kind} and value type "
            f"{shape.value_type}.",
        )
    if "MEAN" in aligner + reducer:
        return Shape("GAUGE", "DOUBLE")
    return replace(shape, kind="DELTA" if shape.kind == "CUMULATIVE" else shape.kind)


def first_slot_start(start_ns: int, end_ns: int, period_s: int) -> int:
    """Return where the first alignment period begins.

    Periods are laid backwards from the end of the interval, and one that ends inside it is
    filled whole, so data from before `start_ns` may be needed.
    """
    slots = -(-(end_ns - start_ns) // (period_s * NS))
    return end_ns - slots * period_s * NS


def aggregate(
    series: Sequence[ModelSeries], aggregation: Aggregation, end_ns: int
) -> list[ModelSeries]:
    """Align each series and reduce those that agree in the fields of `group_by`.

    Points are 60 s samples, deltas even of a CUMULATIVE metric.
    Periods without samples have no point: the embedded cloud leaves gaps open where the real
    ALIGN_DELTA interpolates, because a sample here never spans more than its own minute.
    The caller has called `check`.
    """
    aligned = [replace(one, points=align(one.points, aggregation, end_ns)) for one in series]
    if aggregation.reducer == "REDUCE_NONE":
        return aligned
    return _reduce(aligned, aggregation)


def align(points: Sequence[Point], aggregation: Aggregation, end_ns: int) -> list[Point]:
    """Return one point for each period that has samples, oldest first."""
    period_ns = aggregation.period_s * NS
    combine = _combiner(aggregation.aligner)
    if period_ns == LEAST_PERIOD_S * NS and end_ns % period_ns == 0 and combine is total:
        return list(points)  # every sample is a period of its own already
    aligned: list[Point] = []
    held: list[Value] = []
    slot = 0
    for at, value in points:
        # Lay the periods backwards from the end, as the real service does.
        own_slot = end_ns - (end_ns - at) // period_ns * period_ns
        if held and own_slot != slot:
            aligned.append((slot, combine(held)))
            held = []
        slot = own_slot
        held.append(value)
    if held:
        aligned.append((slot, combine(held)))
    return aligned


def _spreads(held: Sequence[Value]) -> list[Distribution]:
    return [value for value in held if isinstance(value, Distribution)]


def total(held: Sequence[Value]) -> Value:
    """Add numbers, or merge distributions of the same bounds."""
    if len(held) == 1:
        return held[0]
    if isinstance(held[0], Distribution):
        return merge(_spreads(held))
    return sum(_numbers(held))


def mean(held: Sequence[Value]) -> float:
    """Average numbers, or all the values of distributions."""
    if isinstance(held[0], Distribution):
        return merge(_spreads(held)).mean
    return math.fsum(_numbers(held)) / len(held)


def _numbers(held: Sequence[Value]) -> list[int | float]:
    return [value for value in held if not isinstance(value, Distribution)]


def _combiner(name: str) -> Callable[[Sequence[Value]], Value]:
    return mean if name.endswith("_MEAN") else total


def _reduce(series: Iterable[ModelSeries], aggregation: Aggregation) -> list[ModelSeries]:
    groups: dict[tuple[str, ...], list[ModelSeries]] = {}
    for one in series:
        key = tuple(_label(one, field) for field in aggregation.group_by)
        groups.setdefault(key, []).append(one)
    combine = _combiner(aggregation.reducer)
    return [
        _merge_group(members, aggregation.group_by, combine)
        for _, members in sorted(groups.items())
    ]


def _merge_group(
    members: Sequence[ModelSeries],
    group_by: Sequence[str],
    combine: Callable[[Sequence[Value]], Value],
) -> ModelSeries:
    if combine is total and len(members) == 1:
        points = list(members[0].points)
    else:
        slots: dict[int, list[Value]] = {}
        for one in members:
            for at, value in one.points:
                slots.setdefault(at, []).append(value)
        points = [(at, combine(slots[at])) for at in sorted(slots)]
    first = members[0]
    # project_id outlives every reduction: series of two projects are never added up.
    return ModelSeries(
        {"project_id": first.resource_labels.get("project_id", "")}
        | _kept(first.resource_labels, "resource", group_by),
        _kept(first.metric_labels, "metric", group_by),
        points,
    )


def _kept(labels: Mapping[str, str], owner: str, group_by: Sequence[str]) -> dict[str, str]:
    wanted = {field.split(".", 2)[2] for field in group_by if field.startswith(f"{owner}.labels.")}
    return {name: value for name, value in labels.items() if name in wanted}


def _label(series: ModelSeries, field: str) -> str:
    if field.startswith("resource.labels."):
        return series.resource_labels.get(field.removeprefix("resource.labels."), "")
    if field.startswith("metric.labels."):
        return series.metric_labels.get(field.removeprefix("metric.labels."), "")
    return ""
