"""ListTimeSeries answers → samples of both sides. Pure; raw protobufs in, frozen values out.

Points come newest first, as the API promises; nothing here relies on it, each point is placed by
its own end time. A period without a point stays a gap. What cannot be a measurement (NaN, negative,
a second value for the same period, a time outside of what was asked) is left out and counted in
`Defects`, so that it is reported instead of becoming a number. It takes with it what else would be
added up for the same side and period: 5xx left out beside 2xx would be a false green.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec

from canary.cloud.monitoring.distributions import read_distribution
from canary.rollout.measure.samples import Distribution, Responses, Sample, merge

Side = Literal["legacy", "canary"]
SIDES: tuple[Side, Side] = ("legacy", "canary")

SideOf = Callable[[Any], Side | None]
"""Which side a TimeSeries message belongs to; None: neither."""

_Part = TypeVar("_Part")
_Value = TypeVar("_Value")

_CLASSES = {"2xx": 0, "3xx": 1, "4xx": 2, "5xx": 3}
_OTHER = 4


class PeriodGrid(msgspec.Struct, frozen=True):
    """The periods that were asked for: (start, end] in steps of `period_s`, unix seconds."""

    start: int
    end: int
    period_s: int


class Defects:
    """What was left out of one metric's answer, by reason, to be reported in one sentence.

    `spoilt`: the periods of each side that have no value for it, by their end.
    """

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.spoilt: set[tuple[Side, int]] = set()

    def note(self, reason: str) -> None:
        """Count one point that is left out."""
        self.reasons[reason] += 1

    def __str__(self) -> str:
        """`3 negative, 1 not a number`."""
        return ", ".join(f"{count} {reason}" for reason, count in self.reasons.items())


class Columns(msgspec.Struct):
    """One side's values by end time, metric by metric, until they are put together as samples."""

    responses: Mapping[int, Responses] = {}
    latency: Mapping[int, Distribution] = {}
    confidence: Mapping[int, Distribution] = {}
    cpu: Mapping[int, float] = {}
    memory: Mapping[int, float] = {}
    instances: Mapping[int, tuple[float, float | None]] = {}


def read_responses(
    series: Iterable[Any], side_of: SideOf, grid: PeriodGrid, defects: Defects
) -> dict[Side, dict[int, Responses]]:
    """Counts of responses by the label `response_code_class`, added up over revisions."""
    tallies = _Columns[list[int]]()
    for side, one, points in _by_side(series, side_of, grid, defects):
        index = _CLASSES.get(one.metric.labels["response_code_class"].lower(), _OTHER)
        column, spoilt = tallies.of(side)
        for end, value in points:
            count = _read_number(value, defects)
            if count is None:
                spoilt.add(end)
                continue
            counts = column.get(end)
            if counts is None:
                counts = column[end] = [0, 0, 0, 0, 0]
            counts[index] += round(count)
    return tallies.finish(lambda counts: Responses(*counts), defects)


def read_distributions(
    series: Iterable[Any], side_of: SideOf, grid: PeriodGrid, defects: Defects
) -> dict[Side, dict[int, Distribution]]:
    """Distributions, merged over revisions; a period in which their layouts differ is left out."""
    found = _Columns[Distribution]()
    for side, _, points in _by_side(series, side_of, grid, defects):
        column, spoilt = found.of(side)
        for end, value in points:
            distribution = _read_spread(value, defects)
            if distribution is not None and (other := column.get(end)) is not None:
                distribution = _add(other, distribution, defects)
            if distribution is None:
                spoilt.add(end)
            else:
                column[end] = distribution
    return found.finish(lambda distribution: distribution, defects)


def read_means(
    series: Iterable[Any], side_of: SideOf, grid: PeriodGrid, defects: Defects
) -> dict[Side, dict[int, float]]:
    """Means of distributions, weighted by their counts over revisions; plain numbers weigh 1."""
    sums = _Columns[tuple[float, int]]()
    for side, _, points in _by_side(series, side_of, grid, defects):
        column, spoilt = sums.of(side)
        for end, value in points:
            read = _read_mean(value, defects)
            if read is None:
                spoilt.add(end)
            elif read[1]:
                total, weight = column.get(end, (0.0, 0))
                column[end] = (total + read[0] * read[1], weight + read[1])
    return sums.finish(lambda pair: pair[0] / pair[1], defects)


def read_instances(
    series: Iterable[Any], side_of: SideOf, grid: PeriodGrid, defects: Defects
) -> dict[Side, dict[int, tuple[float, float | None]]]:
    """(all, active) instances by the label `state`; active None when that was not reported."""
    found = _Columns[tuple[float, float | None]]()
    for side, one, points in _by_side(series, side_of, grid, defects):
        column, spoilt = found.of(side)
        active = one.metric.labels["state"] == "active"
        for end, value in points:
            count = _read_number(value, defects)
            if count is None:
                spoilt.add(end)
                continue
            total, running = column.get(end, (0.0, None))
            if active:
                running = (running or 0.0) + count
            column[end] = (total + count, running)
    return found.finish(lambda pair: pair, defects)


def build_samples(columns: Columns, grid: PeriodGrid) -> tuple[Sample, ...]:
    """One side's metrics put together: a sample for each period with anything, oldest first."""
    responses, latency, confidence = columns.responses, columns.latency, columns.confidence
    cpu, memory, instances = columns.cpu, columns.memory, columns.instances
    ends = {*responses, *latency, *confidence, *cpu, *memory, *instances}
    nothing: tuple[float | None, float | None] = (None, None)
    samples = []
    for end in sorted(ends):
        total, active = instances.get(end, nothing)
        samples.append(
            Sample(
                start=float(end - grid.period_s),
                end=float(end),
                responses=responses.get(end),
                latency=latency.get(end),
                confidence=confidence.get(end),
                cpu=cpu.get(end),
                memory=memory.get(end),
                instances=total,
                instances_active=active,
            )
        )
    return tuple(samples)


class _Columns(Generic[_Part]):
    """What is being added up for each side by end time, and the periods that are spoilt."""

    def __init__(self) -> None:
        self._parts: dict[Side, dict[int, _Part]] = {"legacy": {}, "canary": {}}
        self._spoilt: dict[Side, set[int]] = {"legacy": set(), "canary": set()}

    def of(self, side: Side) -> tuple[dict[int, _Part], set[int]]:
        return self._parts[side], self._spoilt[side]

    def finish(
        self, make: Callable[[_Part], _Value], defects: Defects
    ) -> dict[Side, dict[int, _Value]]:
        defects.spoilt |= {(side, end) for side in SIDES for end in self._spoilt[side]}
        return {
            side: {
                end: make(part)
                for end, part in self._parts[side].items()
                if end not in self._spoilt[side]
            }
            for side in SIDES
        }


def _by_side(
    series: Iterable[Any], side_of: SideOf, grid: PeriodGrid, defects: Defects
) -> Iterator[tuple[Side, Any, Iterator[tuple[int, Any]]]]:
    """Each series of a side with its usable points; a series may go on on another page."""
    seen: dict[tuple[Any, ...], set[int]] = {}
    for one in series:
        side = side_of(one)
        if side is not None:
            key = (
                *sorted(one.resource.labels.items()),
                *sorted(one.metric.labels.items()),
            )
            yield side, one, _points(one, grid, seen.setdefault(key, set()), defects)


def _points(
    one: Any, grid: PeriodGrid, seen: set[int], defects: Defects
) -> Iterator[tuple[int, Any]]:
    first, last = grid.start, grid.end
    for point in one.points:
        end: int = point.interval.end_time.seconds
        if end <= first:
            continue  # of a gauge the interval asked for includes its very start
        if end > last:
            defects.note("from after the time asked for")
        elif end in seen:
            defects.note("for a period that had one already")
        else:
            seen.add(end)
            yield end, point.value


def _read_number(value: Any, defects: Defects) -> float | None:
    """The number in a TypedValue: the field that is set, not the one that is expected."""
    kind = value.WhichOneof("value")
    if kind == "int64_value":
        number: float = value.int64_value
    elif kind == "double_value":
        number = value.double_value
    else:
        defects.note("not a number")
        return None
    if not math.isfinite(number):
        defects.note("not a number")
        return None
    if number < 0:
        defects.note("negative")
        return None
    return number


def _read_spread(value: Any, defects: Defects) -> Distribution | None:
    if value.WhichOneof("value") != "distribution_value":
        defects.note("not a distribution")
        return None
    distribution = read_distribution(value.distribution_value)
    if distribution is None:
        defects.note("no valid distribution")
    return distribution


def _read_mean(value: Any, defects: Defects) -> tuple[float, int] | None:
    """(mean, count); a count of 0 is valid and says nothing."""
    if value.WhichOneof("value") != "distribution_value":
        number = _read_number(value, defects)
        return None if number is None else (number, 1)
    distribution = value.distribution_value
    count, mean = distribution.count, distribution.mean
    if count < 0 or not 0.0 <= mean < math.inf:
        defects.note("no valid distribution")
        return None
    return mean, count


def _add(one: Distribution, other: Distribution, defects: Defects) -> Distribution | None:
    try:
        return merge((one, other))
    except ValueError:
        defects.note("with a bucket layout of its own")
        return None
