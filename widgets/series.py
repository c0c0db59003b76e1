"""Samples → one value a column of a plot. Gaps stay gaps; nothing is carried over or interpolated.

A column covers (start + i·column_s, start + (i + 1)·column_s]. Samples shorter than a column are
added up in the column their end falls in (percentiles from merged distributions); a sample longer
than a column fills every column that it covers, since it speaks for all of that time.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from canary.rollout.measure import Distribution, Responses, Sample, merge

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
_NICE_COLUMNS_S = (5.0, 10.0, 15.0, 20.0, 30.0)
_CACHE_LIMIT = 4096


@dataclass(frozen=True)
class Grid:
    """The columns of a plot: `columns` of `column_s` seconds from `start` (unix seconds).

    The grid is aligned to absolute time, and its end jumps ahead by `columns // 12`, so that
    between two jumps a new sample adds a column and moves nothing: that keeps a live plot cheap.
    """

    start: float
    column_s: float
    columns: int

    @property
    def end(self) -> float:
        """The right edge; up to a twelfth of the window after now."""
        return self.start + self.column_s * self.columns

    def column_of(self, at: float) -> int:
        """The column that covers `at`; may lie outside 0…columns − 1."""
        return math.ceil((at - self.start) / self.column_s - 1e-9) - 1


@dataclass(frozen=True)
class Series:
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


def make_grid(now: float, window_s: float, columns: int) -> Grid:
    """A grid of at most `columns` columns that shows at least `window_s` seconds before `now`."""
    columns = max(1, columns)
    jump = max(1, columns // 12)
    raw = window_s / max(1, columns - jump)
    column_s = next((n for n in _NICE_COLUMNS_S if n >= raw), math.ceil(raw / 60) * 60.0)
    step = column_s * jump
    end = math.ceil(now / step) * step
    return Grid(end - column_s * columns, column_s, columns)


class SeriesCache:
    """Columns computed before: only those whose samples changed are added up again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, float, float], tuple[int, int, float | None]] = {}

    def series(self, side: str, metric: Metric, samples: Sequence[Sample], grid: Grid) -> Series:
        """One side's series of `metric`; `samples` are oldest first."""
        low = bisect_right(samples, grid.start, key=_end_of)
        high = bisect_right(samples, grid.end, key=_end_of)
        columns: list[list[Sample]] = [[] for _ in range(grid.columns)]
        for sample in samples[low:high]:
            last = grid.column_of(sample.end)
            first = last
            if sample.end - sample.start > grid.column_s * 1.01:
                first = max(0, grid.column_of(sample.start) + 1)
            for column in range(first, min(last, grid.columns - 1) + 1):
                columns[column].append(sample)
        values = tuple(self._value(side, metric, grid, i, c) for i, c in enumerate(columns))
        newest = max(
            (c[-1].end for c, v in zip(columns, values, strict=True) if v is not None), default=None
        )
        return Series(values, _lone_columns(values, columns), newest)

    def _value(
        self, side: str, metric: Metric, grid: Grid, index: int, group: list[Sample]
    ) -> float | None:
        if not group:
            return None
        key = (side, metric, grid.start + index * grid.column_s, grid.column_s)
        mark = (len(group), hash((id(group[0]), id(group[-1]))))
        known = self._known.get(key)
        if known is not None and known[:2] == mark:
            return known[2]
        value = _REDUCERS[metric](group)
        if value is not None and not math.isfinite(value):
            value = None
        if len(self._known) > _CACHE_LIMIT:
            self._known.clear()
        self._known[key] = (*mark, value)
        return value


def _end_of(sample: Sample) -> float:
    return sample.end


def _lone_columns(
    values: Sequence[float | None], columns: Sequence[Sequence[Sample]]
) -> frozenset[int]:
    """The last column of each run of values that comes from one single sample."""
    lone: set[int] = set()
    start: int | None = None
    for index in range(len(values) + 1):
        here = index < len(values) and values[index] is not None
        if here and start is None:
            start = index
        if not here and start is not None:
            behind = {id(s) for i in range(start, index) for s in columns[i]}
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
