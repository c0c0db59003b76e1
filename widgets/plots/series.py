"""Samples → one value a column of a plot. Gaps stay gaps; nothing is carried over or interpolated.

A column covers (start + i·column_s, start + (i + 1)·column_s]. Samples shorter than a column are
added up in the column their end falls in (percentiles from merged distributions); a sample longer
than a column fills every column that it covers, since it speaks for all of that time.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from canary.rollout.measure.samples import Distribution, Responses, Sample, merge

Metric = Literal[
    "requests_per_s",
    "error_ratio",
    "success_ratio",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "confidence",
    "cpu",
    "memory",
    "instances",
]
_NICE_COLUMNS_S = (5.0, 10.0, 15.0, 20.0, 30.0, 60.0)
_CACHE_LIMIT = 4096
_STILL_S = 16.0


class ColumnGrid(msgspec.Struct, frozen=True):
    """The columns of a plot: `columns` of `column_s` seconds from `start` (unix seconds).

    The grid is aligned to absolute time: between two moves a new sample adds a column and moves
    nothing, which keeps a live plot cheap.
    """

    start: float
    column_s: float
    columns: int

    @property
    def end(self) -> float:
        """The right edge; up to a sixth of the window after now."""
        return self.start + self.column_s * self.columns

    def column_of(self, at: float) -> int:
        """The column that covers `at`; may lie outside 0…columns − 1."""
        return math.ceil((at - self.start) / self.column_s - 1e-9) - 1


class PlotSeries(msgspec.Struct, frozen=True):
    """One side on a grid: a value or None a column, and which columns are a single lone point.

    `lone` holds the columns of runs that rest on one sample only: to be drawn as a point.
    `newest_at` is the end of the newest sample with a value; None when there is none.
    """

    values: tuple[float | None, ...]
    lone: frozenset[int] = frozenset()
    newest_at: float | None = None

    @property
    def known(self) -> list[float]:
        """The values that are there."""
        return [v for v in self.values if v is not None]


def make_grid(now: float, window_s: float, columns: int, speed: float = 1.0) -> ColumnGrid:
    """A grid of at most `columns` columns that shows at least `window_s` seconds before `now`.

    Not much more either: plots of different widths stand beside each other on one time axis. Now
    is in the last column, but for a clock that runs `speed` times as fast: there the grid's end
    jumps ahead, so that all of it moves no more often than every `_STILL_S` seconds of the viewer.
    """
    columns = max(1, columns)
    jump = math.ceil(_STILL_S * speed * columns / window_s) if speed > 1 else 1
    jump = max(1, min(jump, columns // 6))
    raw = window_s / max(1, columns - jump)
    column_s = next((n for n in _NICE_COLUMNS_S if n >= raw), math.ceil(raw / 10) * 10.0)
    step = column_s * jump
    end = math.ceil(now / step) * step
    return ColumnGrid(end - column_s * columns, column_s, columns)


class _Groups(msgspec.Struct, frozen=True):
    """Which samples fall in each column of a grid: half-open index ranges, None for a gap."""

    samples: Sequence[Sample]
    grid: ColumnGrid
    ranges: tuple[tuple[int, int] | None, ...]


class SeriesCache:
    """Columns computed before: only those whose samples changed are added up again.

    A panel asks for several metrics of the same samples on the same grid, so the grouping is kept
    too. Adding up 7 days anew for each drawing took 55 ms; this takes 2.
    """

    def __init__(self) -> None:
        self._known: dict[
            tuple[str, str, float, float], tuple[tuple[Sample, ...], float | None]
        ] = {}
        self._groups: dict[str, _Groups] = {}

    def series(
        self, side: str, metric: Metric, samples: Sequence[Sample], grid: ColumnGrid
    ) -> PlotSeries:
        """One side's series of `metric`; `samples` are oldest first."""
        groups = self._group(side, samples, grid)
        values = tuple(
            None if r is None else self._value(side, metric, grid, i, samples, r)
            for i, r in enumerate(groups.ranges)
        )
        newest = None
        for found, value in zip(reversed(groups.ranges), reversed(values), strict=True):
            if found is not None and value is not None:
                newest = samples[found[1] - 1].end
                break
        return PlotSeries(values, _lone_columns(values, groups.ranges), newest)

    def _group(self, side: str, samples: Sequence[Sample], grid: ColumnGrid) -> _Groups:
        known = self._groups.get(side)
        if known is None or known.samples is not samples or known.grid != grid:
            known = self._groups[side] = _Groups(samples, grid, _ranges(samples, grid))
        return known

    def _value(
        self,
        side: str,
        metric: Metric,
        grid: ColumnGrid,
        index: int,
        samples: Sequence[Sample],
        found: tuple[int, int],
    ) -> float | None:
        first, end = found
        key = (side, metric, grid.start + index * grid.column_s, grid.column_s)
        # Compared by content, mostly by identity: a sample may be revised in the middle.
        group = tuple(samples[first:end])
        known = self._known.get(key)
        if known is not None and known[0] == group:
            return known[1]
        value = _REDUCERS[metric](group)
        if value is not None and not math.isfinite(value):
            value = None
        if len(self._known) > _CACHE_LIMIT:
            self._known.clear()
        self._known[key] = (group, value)
        return value


def _ranges(samples: Sequence[Sample], grid: ColumnGrid) -> tuple[tuple[int, int] | None, ...]:
    """The samples that end in each column, or else the one that covers it wholly."""
    ends = [s.end for s in samples]
    ranges: list[tuple[int, int] | None] = []
    low = bisect_right(ends, grid.start)
    for column in range(grid.columns):
        start = grid.start + column * grid.column_s
        high = bisect_right(ends, start + grid.column_s, low)
        if high > low:
            ranges.append((low, high))
        elif low < len(samples) and samples[low].start <= start:
            ranges.append((low, low + 1))
        else:
            ranges.append(None)
        low = high
    return tuple(ranges)


def _lone_columns(
    values: Sequence[float | None], ranges: Sequence[tuple[int, int] | None]
) -> frozenset[int]:
    """The columns of each run of values that comes from one single sample, or is one column."""
    lone: set[int] = set()
    start: int | None = None
    for index in range(len(values) + 1):
        here = index < len(values) and values[index] is not None
        if here and start is None:
            start = index
        if not here and start is not None:
            behind = set(ranges[start:index])
            if len(behind) == 1 or index - start == 1:
                lone.update(range(start, index))
            start = None
    return frozenset(lone)


def _responses(group: Sequence[Sample]) -> Responses | None:
    found = [s.responses for s in group if s.responses is not None]
    if not found:
        return None
    total = found[0]
    for more in found[1:]:
        total = total + more
    return total


def _requests_per_s(group: Sequence[Sample]) -> float | None:
    spans = [(s.responses.total, s.end - s.start) for s in group if s.responses is not None]
    seconds = sum(length for _, length in spans)
    return sum(total for total, _ in spans) / seconds if seconds > 0 else None


def _error_ratio(group: Sequence[Sample]) -> float | None:
    total = _responses(group)
    return None if total is None else total.error_ratio


def _success_ratio(group: Sequence[Sample]) -> float | None:
    total = _responses(group)
    return None if total is None else total.success_ratio


def _merged(parts: list[Distribution]) -> Distribution | None:
    """Merge those that share the newest layout: a deploy may have changed the buckets."""
    return merge(d for d in parts if d.bounds == parts[-1].bounds) if parts else None


def _percentile(fraction: float) -> Callable[[Sequence[Sample]], float | None]:
    def reduce(group: Sequence[Sample]) -> float | None:
        merged = _merged([s.latency for s in group if s.latency is not None])
        return None if merged is None else merged.percentile(fraction)

    return reduce


def _confidence(group: Sequence[Sample]) -> float | None:
    merged = _merged([s.confidence for s in group if s.confidence is not None])
    return merged.mean if merged is not None and merged.count else None


def _mean_of(name: str) -> Callable[[Sequence[Sample]], float | None]:
    def reduce(group: Sequence[Sample]) -> float | None:
        found: list[float] = [v for s in group if (v := getattr(s, name)) is not None]
        return sum(found) / len(found) if found else None

    return reduce


_REDUCERS: dict[Metric, Callable[[Sequence[Sample]], float | None]] = {
    "requests_per_s": _requests_per_s,
    "error_ratio": _error_ratio,
    "success_ratio": _success_ratio,
    "p50_ms": _percentile(0.50),
    "p95_ms": _percentile(0.95),
    "p99_ms": _percentile(0.99),
    "confidence": _confidence,
    "cpu": _mean_of("cpu"),
    "memory": _mean_of("memory"),
    "instances": _mean_of("instances"),
}
