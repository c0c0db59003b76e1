"""Distributions, samples and windows: what was measured, and how it adds up.

Percentiles come from merged bucket counts, never from other percentiles (worked case in
`tests/rollout/measure/test_samples.py`: merging gives 128.0, the mean of percentiles 561.6).
None of them can hold a cycle: a week of them is not walked through at each collection of garbage.
A sample covers the half-open interval (start, end]; times are unix seconds UTC, of the cloud's
clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

import msgspec

from canary.rollout.text import AtLeast

MIN_COUNT_FOR_TAIL = 20
"""With fewer values than this p95 and p99 fall in one bucket; they are then "thin"."""


class Distribution(msgspec.Struct, frozen=True, gc=False):
    """Counts of values in buckets, as `google.api.Distribution` has them.

    `bounds` are the finite upper bounds, ascending; bucket 0 is underflow (below bounds[0]) and the
    last is overflow. `counts` may leave out trailing zeros, so len(counts) ≤ len(bounds) + 1.
    `mean` and `sum_squared_deviation` are of the raw values (0 when empty).
    Source: google/api/distribution.proto.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    count: int
    mean: float = 0.0
    sum_squared_deviation: float = 0.0

    @property
    def variance(self) -> float | None:
        """The sample variance (n − 1); None with fewer than two values."""
        return self.sum_squared_deviation / (self.count - 1) if self.count > 1 else None

    def percentile(self, fraction: float) -> float | None:
        """The value below which `fraction` (0…1) of all values lie; None when empty.

        Linear interpolation inside the bucket. Underflow is taken to begin at min(0, bounds[0]);
        in overflow the last bound is all that is known: AtLeast of it.
        """
        total = sum(self.counts)
        if total == 0 or not self.bounds:
            return None
        rank = fraction * total
        below = 0
        for index, count in enumerate(self.counts):
            if count and below + count >= rank:
                return self._interpolate(index, max(0.0, rank - below) / count)
            below += count
        return AtLeast(self.bounds[-1])

    def _interpolate(self, index: int, share: float) -> float:
        if index >= len(self.bounds):
            return AtLeast(self.bounds[-1])
        upper = self.bounds[index]
        lower = self.bounds[index - 1] if index else min(0.0, upper)
        return lower + (upper - lower) * share


def merge(distributions: Iterable[Distribution]) -> Distribution | None:
    """Add distributions of equal layout; None when there is none.

    One without values adds nothing, and its layout, which it may lack, does not count. Means and
    squared deviations are combined by Chan's parallel formula.
    Raises ValueError when two layouts differ: adding those counts would be a lie.
    """
    parts = list(distributions)
    counted = [d for d in parts if d.count]
    if len(counted) < 2:
        return next(iter(counted or parts), None)
    first = counted[0]
    if any(d.bounds is not first.bounds and d.bounds != first.bounds for d in counted):
        raise ValueError("distributions with different bucket layouts cannot be merged")
    count, mean, squared = first.count, first.mean, first.sum_squared_deviation
    for each in counted[1:]:
        both, delta = count + each.count, each.mean - mean
        squared = squared + each.sum_squared_deviation + delta * delta * count * each.count / both
        mean += delta * each.count / both
        count = both
    counts = tuple(map(sum, zip_longest(*(d.counts for d in counted), fillvalue=0)))
    return Distribution(first.bounds, counts, count, mean, squared)


class Responses(msgspec.Struct, frozen=True, gc=False):
    """Counts of responses by class of status code. `other` is 1xx and the unclassified.

    `refused` found no instance: the front answered them 429 or 500. Only the request log has them
    (request_count does not), they are in no class above, and count as errors.
    """

    ok_2xx: int = 0
    redirect_3xx: int = 0
    client_4xx: int = 0
    server_5xx: int = 0
    other: int = 0
    refused: int = 0

    @property
    def total(self) -> int:
        """All responses, the refused among them."""
        answered = self.ok_2xx + self.redirect_3xx + self.client_4xx + self.server_5xx
        return answered + self.other + self.refused

    @property
    def failed(self) -> int:
        """What counts as an error: the 5xx and the refused."""
        return self.server_5xx + self.refused

    def __add__(self, more: Responses) -> Responses:
        return Responses(
            self.ok_2xx + more.ok_2xx,
            self.redirect_3xx + more.redirect_3xx,
            self.client_4xx + more.client_4xx,
            self.server_5xx + more.server_5xx,
            self.other + more.other,
            self.refused + more.refused,
        )

    @property
    def error_ratio(self) -> float | None:
        """(5xx + refused) ÷ all, 0…1; None without responses."""
        return self.failed / self.total if self.total else None

    @property
    def success_ratio(self) -> float | None:
        """(2xx + 3xx) ÷ all, 0…1; a 4xx is neither success nor error. None without responses."""
        return (self.ok_2xx + self.redirect_3xx) / self.total if self.total else None


class Sample(msgspec.Struct, frozen=True, gc=False):
    """What one side showed in (start, end]. A field is None where nothing was reported.

    `latency` is in ms; `confidence` in 0…1; `cpu` and `memory` are mean utilisations 0…1;
    `instances` and `instances_active` are means over the period.
    """

    start: float
    end: float
    responses: Responses | None = None
    latency: Distribution | None = None
    confidence: Distribution | None = None
    cpu: float | None = None
    memory: float | None = None
    instances: float | None = None
    instances_active: float | None = None


class Window(msgspec.Struct, frozen=True):
    """One side over (start, end]: the numbers that are judged and shown. None is "no data".

    `requests` counts responses; `latency_count` and `confidence_count` the values behind the
    percentiles and the mean; a percentile may be AtLeast. `newest_at` is the end of the newest
    sample with any data in it.
    """

    start: float
    end: float
    requests: int | None = None
    error_ratio: float | None = None
    success_ratio: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    latency_count: int = 0
    confidence: float | None = None
    confidence_count: int = 0
    cpu: float | None = None
    memory: float | None = None
    instances: float | None = None
    instances_active: float | None = None
    responses: Responses | None = None
    latency_ms: Distribution | None = None
    confidence_distribution: Distribution | None = None
    newest_at: float | None = None

    @property
    def refused(self) -> int:
        """Requests among `requests` that found no instance; 0 where no request log is read."""
        return 0 if self.responses is None else self.responses.refused

    def age_s(self, now: float) -> float | None:
        """Seconds since the newest sample ended; None when there is none."""
        return None if self.newest_at is None else max(0.0, now - self.newest_at)


def reduce_window(samples: Sequence[Sample], start: float, end: float) -> Window:
    """Add up the samples that lie wholly in (start, end].

    `samples` are oldest first. A sample that straddles `start` is left out: half of it would be
    from before, and what was asked for is what came after. Empty: a Window of None.
    """
    chosen = [s for s in samples if s.start >= start and s.end <= end]
    responses = _sum_responses(chosen)
    latency = _merge_like_newest(s.latency for s in chosen)
    confidence = _merge_like_newest(s.confidence for s in chosen)
    newest = [s.end for s in chosen if s.responses is not None or s.latency is not None]
    last = next((s for s in reversed(chosen) if s.instances is not None), None)
    return Window(
        start=start,
        end=end,
        requests=None if responses is None else responses.total,
        error_ratio=None if responses is None else responses.error_ratio,
        success_ratio=None if responses is None else responses.success_ratio,
        p50_ms=latency.percentile(0.50) if latency else None,
        p95_ms=latency.percentile(0.95) if latency else None,
        p99_ms=latency.percentile(0.99) if latency else None,
        latency_count=latency.count if latency else 0,
        confidence=confidence.mean if confidence and confidence.count else None,
        confidence_count=confidence.count if confidence else 0,
        cpu=_mean(s.cpu for s in chosen),
        memory=_mean(s.memory for s in chosen),
        instances=last.instances if last else None,
        instances_active=last.instances_active if last else None,
        responses=responses,
        latency_ms=latency,
        confidence_distribution=confidence,
        newest_at=max(newest, default=None),
    )


def _merge_like_newest(parts: Iterable[Distribution | None]) -> Distribution | None:
    """Merge those that share the newest one's layout; a layout changed by a deploy starts anew."""
    present = [d for d in parts if d is not None]
    if not present:
        return None
    newest = next((d for d in reversed(present) if d.count), present[-1])
    return merge(d for d in present if d.bounds == newest.bounds)


def _sum_responses(samples: Sequence[Sample]) -> Responses | None:
    total: Responses | None = None
    for sample in samples:
        if sample.responses is not None:
            total = sample.responses if total is None else total + sample.responses
    return total


def _mean(values: Iterable[float | None]) -> float | None:
    present = [v for v in values if v is not None]
    return sum(present) / len(present) if present else None
