"""Alignment and reduction of time series, as `google.monitoring.v3.Aggregation` describes them.

Pure: series in, series out, no protobuf. Times are integer nanoseconds since the epoch (a float
of unix seconds cannot hold the nanoseconds of a Timestamp). What each aligner and reducer accepts
and returns is taken from the comments in google/monitoring/v3/common.proto.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import pstdev
from typing import Literal

from canary.simulator.wire.errors import invalid, invalid_field, unimplemented
from canary.simulator.world.traffic.minute import Distribution, merge

Value = int | float | Distribution


def combiner(name: str, bounds: tuple[float, ...]) -> Callable[[Sequence[Value]], Value]:
    """Return what makes one value of many, by the name without ALIGN_ or REDUCE_.

    `bounds` are those of distributions. It is never handed an empty list. KeyError for a name
    that aligners and reducers do not share.
    """
    if name.startswith("PERCENTILE_"):
        quantile = int(name.removeprefix("PERCENTILE_")) / 100
        return lambda held: _percentile(held, quantile, bounds)
    simple: dict[str, Callable[[Sequence[Value]], Value]] = {
        "SUM": total,
        "MEAN": _mean,
        "STDDEV": _stddev,
        "COUNT": len,
        "MIN": lambda held: min(map(number, held)),
        "MAX": lambda held: max(map(number, held)),
    }
    return simple[name]


def number(value: Value) -> int | float:
    """Return a value that was checked to be a number."""
    if isinstance(value, Distribution):
        raise TypeError("a distribution where a number was checked for")
    return value


def _spreads(held: Sequence[Value]) -> list[Distribution]:
    return [value for value in held if isinstance(value, Distribution)]


def total(held: Sequence[Value]) -> Value:
    """Add numbers, or merge distributions of the same bounds."""
    if len(held) == 1:
        return held[0]
    if isinstance(held[0], Distribution):
        return merge(_spreads(held))
    return sum(map(number, held))


def _mean(held: Sequence[Value]) -> float:
    if isinstance(held[0], Distribution):
        return merge(_spreads(held)).mean
    return math.fsum(map(number, held)) / len(held)


def _stddev(held: Sequence[Value]) -> float:
    if isinstance(held[0], Distribution):
        merged = merge(_spreads(held))
        return math.sqrt(merged.squared_deviation / merged.count) if merged.count else 0.0
    return pstdev(map(number, held))


def _percentile(held: Sequence[Value], quantile: float, bounds: tuple[float, ...]) -> float:
    if isinstance(held[0], Distribution):
        return percentile(merge(_spreads(held)), quantile, bounds)
    ordered = sorted(map(number, held))
    rank = quantile * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def percentile(spread: Distribution, quantile: float, bounds: tuple[float, ...]) -> float:
    """Return a quantile by linear interpolation inside its bucket; 0.0 of no values.

    The underflow is taken to begin at 0 (or at the first bound, if that is below), the overflow
    has no end and answers with its lower bound.
    """
    rank, below = quantile * spread.count, 0
    for index, count in enumerate(spread.counts):
        if count and below + count >= rank:
            low = bounds[index - 1] if index else min(0.0, bounds[0])
            high = bounds[index] if index < len(bounds) else low
            return low + (high - low) * max(0.0, rank - below) / count
        below += count
    return 0.0


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

    period_s: int = 0
    aligner: str = "ALIGN_NONE"
    reducer: str = "REDUCE_NONE"
    group_by: tuple[str, ...] = ()

    @property
    def raw(self) -> bool:
        """Whether the points are handed out as they are."""
        return self.aligner == "ALIGN_NONE"


@dataclass(frozen=True, slots=True)
class _Rule:
    kinds: frozenset[str]
    types: frozenset[str]
    out_type: ValueType | None
    """None: the same as of the input."""


_NUMERIC = frozenset({"INT64", "DOUBLE"})
_ANY = frozenset({"INT64", "DOUBLE", "DISTRIBUTION"})
_SPREAD = frozenset({"DISTRIBUTION"})
_GAUGE_DELTA = frozenset({"GAUGE", "DELTA"})
_COUNTED = frozenset({"CUMULATIVE", "DELTA"})

_ALIGNERS: dict[str, _Rule] = {
    "ALIGN_DELTA": _Rule(_COUNTED, _ANY, None),
    "ALIGN_RATE": _Rule(_COUNTED, _NUMERIC, "DOUBLE"),
    "ALIGN_NEXT_OLDER": _Rule(frozenset({"GAUGE"}), _ANY, None),
    "ALIGN_MIN": _Rule(_GAUGE_DELTA, _NUMERIC, None),
    "ALIGN_MAX": _Rule(_GAUGE_DELTA, _NUMERIC, None),
    "ALIGN_MEAN": _Rule(_GAUGE_DELTA, _NUMERIC, "DOUBLE"),
    "ALIGN_COUNT": _Rule(_GAUGE_DELTA, _NUMERIC, "INT64"),
    "ALIGN_SUM": _Rule(_GAUGE_DELTA, _ANY, None),
    "ALIGN_STDDEV": _Rule(_GAUGE_DELTA, _NUMERIC, "DOUBLE"),
    "ALIGN_PERCENTILE_99": _Rule(_GAUGE_DELTA, _SPREAD, "DOUBLE"),
    "ALIGN_PERCENTILE_95": _Rule(_GAUGE_DELTA, _SPREAD, "DOUBLE"),
    "ALIGN_PERCENTILE_50": _Rule(_GAUGE_DELTA, _SPREAD, "DOUBLE"),
    "ALIGN_PERCENTILE_05": _Rule(_GAUGE_DELTA, _SPREAD, "DOUBLE"),
}
_REDUCERS: dict[str, _Rule] = {
    "REDUCE_MEAN": _Rule(_GAUGE_DELTA, _ANY, "DOUBLE"),
    "REDUCE_MIN": _Rule(_GAUGE_DELTA, _NUMERIC, None),
    "REDUCE_MAX": _Rule(_GAUGE_DELTA, _NUMERIC, None),
    "REDUCE_SUM": _Rule(_GAUGE_DELTA, _ANY, None),
    "REDUCE_STDDEV": _Rule(_GAUGE_DELTA, _ANY, "DOUBLE"),
    "REDUCE_COUNT": _Rule(_GAUGE_DELTA, _ANY, "INT64"),
    "REDUCE_PERCENTILE_99": _Rule(_GAUGE_DELTA, _ANY, "DOUBLE"),
    "REDUCE_PERCENTILE_95": _Rule(_GAUGE_DELTA, _ANY, "DOUBLE"),
    "REDUCE_PERCENTILE_50": _Rule(_GAUGE_DELTA, _ANY, "DOUBLE"),
    "REDUCE_PERCENTILE_05": _Rule(_GAUGE_DELTA, _ANY, "DOUBLE"),
}


def check(aggregation: Aggregation, shape: Shape) -> Shape:
    """Return the shape of the aggregated series.

    Raises ApiError INVALID_ARGUMENT for what the real service refuses (a rate of a distribution,
    a period under 60 s, a reduction of unaligned series), UNIMPLEMENTED for an aligner or reducer
    that this cloud does not know.
    """
    if aggregation.raw:
        if aggregation.reducer != "REDUCE_NONE":
            raise invalid(
                f"Field aggregation.crossSeriesReducer had an invalid value of "
                f'"{aggregation.reducer}": A per-series aligner other than ALIGN_NONE must be '
                "specified when a cross-series reducer is."
            )
        return shape
    if aggregation.period_s < LEAST_PERIOD_S:
        raise invalid_field(
            "aggregation.alignmentPeriod",
            f"{aggregation.period_s}s",
            f"The alignment period must be at least {LEAST_PERIOD_S} seconds.",
        )
    aligned = _apply_rule(
        "aggregation.perSeriesAligner", "aligner", _ALIGNERS, aggregation.aligner, shape
    )
    if aggregation.reducer == "REDUCE_NONE":
        return aligned
    return _apply_rule(
        "aggregation.crossSeriesReducer", "reducer", _REDUCERS, aggregation.reducer, aligned
    )


def _apply_rule(
    field: str, role: str, rules: Mapping[str, _Rule], name: str, shape: Shape
) -> Shape:
    rule = rules.get(name)
    if rule is None:
        raise unimplemented(f"{field}: this cloud does not know the {role} {name}.")
    if shape.kind not in rule.kinds or shape.value_type not in rule.types:
        raise invalid_field(
            field,
            name,
            f"The {role} cannot be applied to metrics with kind {shape.kind} and value type "
            f"{shape.value_type}.",
        )
    summed = name in ("ALIGN_DELTA", "ALIGN_SUM", "REDUCE_SUM")
    kind: Kind = "GAUGE" if not summed else ("DELTA" if shape.kind == "CUMULATIVE" else shape.kind)
    value_type = rule.out_type or shape.value_type
    return Shape(kind, value_type, shape.bounds if value_type == "DISTRIBUTION" else ())


def first_slot_start(start_ns: int, end_ns: int, period_s: int) -> int:
    """Return where the first alignment period begins.

    Periods are laid backwards from the end of the interval, and one that ends inside it is
    filled whole, so data from before `start_ns` may be needed.
    """
    slots = -(-(end_ns - start_ns) // (period_s * NS))
    return end_ns - slots * period_s * NS


def aggregate(
    series: Sequence[ModelSeries], shape: Shape, aggregation: Aggregation, end_ns: int
) -> list[ModelSeries]:
    """Align each series and reduce those that agree in the fields of `group_by`.

    `shape` is that of `series`; points are 60 s samples, deltas even of a CUMULATIVE metric.
    Periods without samples have no point: the embedded cloud leaves gaps open where the real
    ALIGN_DELTA interpolates, because a sample here never spans more than its own minute.
    The caller has called `check`. Raw series are returned as they are.
    """
    if aggregation.raw:
        return list(series)
    aligned = [replace(one, points=align(one.points, shape, aggregation, end_ns)) for one in series]
    if aggregation.reducer == "REDUCE_NONE":
        return aligned
    between = check(replace(aggregation, reducer="REDUCE_NONE"), shape)
    return _reduce(aligned, between, aggregation)


def align(
    points: Sequence[Point], shape: Shape, aggregation: Aggregation, end_ns: int
) -> list[Point]:
    """Return one point for each period that has samples, oldest first."""
    period_ns = aggregation.period_s * NS
    combine = _aligner(aggregation, shape.bounds)
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


def _aligner(
    aggregation: Aggregation, bounds: tuple[float, ...]
) -> Callable[[Sequence[Value]], Value]:
    name = aggregation.aligner
    if name in ("ALIGN_DELTA", "ALIGN_SUM"):
        return total
    if name == "ALIGN_RATE":
        return lambda held: number(total(held)) / aggregation.period_s
    if name == "ALIGN_NEXT_OLDER":
        return lambda held: held[-1]
    return combiner(name.removeprefix("ALIGN_"), bounds)


def _reduce(
    series: Iterable[ModelSeries], shape: Shape, aggregation: Aggregation
) -> list[ModelSeries]:
    groups: dict[tuple[str, ...], list[ModelSeries]] = {}
    for one in series:
        key = tuple(_label(one, field) for field in aggregation.group_by)
        groups.setdefault(key, []).append(one)
    combine = combiner(aggregation.reducer.removeprefix("REDUCE_"), shape.bounds)
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
