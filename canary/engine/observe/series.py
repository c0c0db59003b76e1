"""The samples of one side in memory: merged by their end, never twice, bounded.

Oldest first. Two samples of the same period are joined field by field, so that a metric which
arrives late, or whose query failed this time, never erases what is already known. A value that was
answered and cannot be used does: what was known of it before was known in part. Where periods of
different length overlap, the finer one stays: counting both would double the requests.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from canary.rollout.measure.samples import Distribution, Sample, Window, reduce_window
from canary.rollout.plan.plan import Plan

KEPT_S = 7 * 86_400.0
"""Nothing older is kept: a soak is at most days, and memory has an end."""

FIELDS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "responses": ("responses",),
    "latency": ("latency",),
    "confidence": ("confidence",),
    "cpu": ("cpu",),
    "memory": ("memory",),
    "instances": ("instances", "instances_active"),
}
"""Which fields of a sample each metric fills, by its role."""

_FIELDS = tuple(field for fields in FIELDS_OF.values() for field in fields)


class SampleSeries:
    """The samples of one side, oldest first, without overlaps."""

    def __init__(self) -> None:
        self._samples: list[Sample] = []
        self._ends: list[float] = []
        self._bounds: dict[tuple[float, ...], tuple[float, ...]] = {}
        self._frozen: tuple[Sample, ...] | None = None

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All samples; the same object until something changes."""
        if self._frozen is None:
            self._frozen = tuple(self._samples)
        return self._frozen

    @property
    def newest_end(self) -> float | None:
        """The end of the newest sample that has requests or latencies in it; None without any."""
        return newest_data_end(self._samples)

    def newest_of(self, field: str) -> float | None:
        """The end of the newest sample in which this field says anything; None without any."""
        found = (s.end for s in reversed(self._samples) if getattr(s, field) is not None)
        return next(found, None)

    def add(
        self, batch: Iterable[Sample], spoilt: Iterable[tuple[str, float]] = ()
    ) -> tuple[Sample, ...]:
        """Merge samples in any order; return those that are new or say something else than before.

        `spoilt` are the (role, end) of values that cannot be used: what was known there is taken
        away.
        """
        return (*self._clear(spoilt), *self._merge(sorted(batch, key=_end)))

    def _clear(self, spoilt: Iterable[tuple[str, float]]) -> list[Sample]:
        changed = []
        for role, end in spoilt:
            index = bisect_left(self._ends, end)
            if index == len(self._ends) or self._ends[index] != end:
                continue
            before = self._samples[index]
            after = msgspec.structs.replace(before, **dict.fromkeys(FIELDS_OF[role]))
            if after != before:
                self._samples[index], self._frozen = after, None
                changed.append(after)
        return changed

    def _merge(self, arriving: Sequence[Sample]) -> tuple[Sample, ...]:
        if not arriving:
            return ()
        first = bisect_right(self._ends, min(s.start for s in arriving))
        last = bisect_left(self._ends, arriving[-1].end)
        while last < len(self._samples) and self._samples[last].start < arriving[-1].end:
            last += 1
        known = {(s.start, s.end): s for s in self._samples[first:last]}
        changed = self._join_all(known, arriving)
        if not changed:
            return ()
        region = _without_overlaps(sorted(known.values(), key=_end))
        self._samples[first:last] = region
        self._ends[first:last] = [s.end for s in region]
        self._frozen = None
        kept = {id(s) for s in region}
        return tuple(s for s in changed if id(s) in kept)

    def prune(self, before: float) -> None:
        """Forget every sample that ended before this."""
        count = bisect_left(self._ends, before)
        if count:
            del self._samples[:count], self._ends[:count]
            self._frozen = None

    def _join_all(
        self, known: dict[tuple[float, float], Sample], arriving: Sequence[Sample]
    ) -> list[Sample]:
        changed = []
        for sample in arriving:
            key = (sample.start, sample.end)
            before = known.get(key)
            after = sample if before is None else _join(before, sample)
            if before is None or after != before:
                known[key] = self._share_bounds(after)
                changed.append(known[key])
        return changed

    def _share_bounds(self, sample: Sample) -> Sample:
        """One tuple of bounds for all samples: a copy in each would be half of the memory."""
        latency, confidence = self._shared(sample.latency), self._shared(sample.confidence)
        if latency is sample.latency and confidence is sample.confidence:
            return sample
        return msgspec.structs.replace(sample, latency=latency, confidence=confidence)

    def _shared(self, distribution: Distribution | None) -> Distribution | None:
        if distribution is None:
            return None
        bounds = self._bounds.setdefault(distribution.bounds, distribution.bounds)
        if bounds is distribution.bounds:
            return distribution
        return msgspec.structs.replace(distribution, bounds=bounds)


def newest_data_end(samples: Sequence[Sample]) -> float | None:
    """The end of the newest sample that has requests or latencies in it; None without any."""
    for sample in reversed(samples):
        if sample.responses is not None or sample.latency is not None:
            return sample.end
    return None


def between(samples: Sequence[Sample], start: float, end: float) -> Sequence[Sample]:
    """The samples that lie wholly in (start, end]; `samples` oldest first."""
    first = bisect_right(samples, start, key=_end)
    last = bisect_right(samples, end, key=_end)
    while first < last and samples[first].start < start:
        first += 1
    return samples[first:last]


def find_gaps(
    sides: Iterable[Sequence[Sample]], start: float, end: float, least_s: float
) -> tuple[tuple[float, float], ...]:
    """Where no side has a sample for longer than `least_s` within (start, end], oldest first."""
    spans = sorted((s.start, s.end) for side in sides for s in between(side, start, end))
    gaps = []
    covered = start
    for begin, finish in spans:
        if begin - covered > least_s:
            gaps.append((covered, begin))
        covered = max(covered, finish)
    if end - covered > least_s:
        gaps.append((covered, end))
    return tuple(gaps)


def _end(sample: Sample) -> float:
    return sample.end


def _join(before: Sample, after: Sample) -> Sample:
    """What either says of the same period; the later answer wins where both say something."""
    said = {name: getattr(after, name) for name in _FIELDS}
    return msgspec.structs.replace(before, **{k: v for k, v in said.items() if v is not None})


def _without_overlaps(samples: Sequence[Sample]) -> list[Sample]:
    """Drop every sample that overlaps a finer one."""
    kept: list[Sample] = []
    for sample in samples:
        while kept and kept[-1].end > sample.start and _length(kept[-1]) > _length(sample):
            kept.pop()
        if not kept or kept[-1].end <= sample.start:
            kept.append(sample)
    return kept


def _length(sample: Sample) -> float:
    return sample.end - sample.start


# Which windows of the series are judged: they end at the newest visible sample of either side,
# never later than now, since the cloud shows a minute only minutes later and an empty end would
# judge no data; and don't begin before the last change of the split.

Reduce = Callable[[Sequence[Sample], float, float], Window]
"""(samples oldest first, start, end) → the window."""


class Spans(msgspec.Struct, frozen=True):
    """Where the tree's and the criteria's windows begin and end, unix seconds."""

    tree_start: float
    criteria_start: float
    end: float


def place_windows(
    plan: Plan,
    newest: Sequence[float | None],
    now: float,
    changed_at: float | None,
    entered_at: float | None,
) -> Spans:
    """Place both windows. `newest` are the ends of each side's newest data, None without any.

    The criteria window is clipped to the stage's entry too. A clipped window may be empty; then
    start equals end.
    """
    end = min(now, max((n for n in newest if n is not None), default=now))
    tree = _latest(end - plan.metrics.window_minutes * 60, changed_at)
    criteria = _latest(end - plan.metrics.criteria_window_minutes * 60, changed_at, entered_at)
    return Spans(tree, criteria, max(end, tree, criteria))


def reduce_part(samples: Sequence[Sample], start: float, end: float) -> Window:
    """`reduce_window` over only those samples that can lie within."""
    return reduce_window(between(samples, start, end), start, end)


class WindowMemory:
    """Remembers the last few windows: between two new samples the same ones are asked for."""

    def __init__(self, size: int = 8) -> None:
        self._size = size
        self._known: list[tuple[Sequence[Sample], float, float, Window]] = []

    def reduce(self, samples: Sequence[Sample], start: float, end: float) -> Window:
        """As `reduce_part`; `samples` are recognised by identity, so they must be immutable."""
        for known, known_start, known_end, window in self._known:
            if known is samples and known_start == start and known_end == end:
                return window
        window = reduce_part(samples, start, end)
        self._known = [(samples, start, end, window), *self._known[: self._size - 1]]
        return window


def _latest(*times: float | None) -> float:
    return max(at for at in times if at is not None)


def data_age_s(samples: Sequence[Sample], now: float) -> float | None:
    """Seconds since the newest data of a side; None when there never was any."""
    newest = newest_data_end(samples)
    return None if newest is None else max(0.0, now - newest)
