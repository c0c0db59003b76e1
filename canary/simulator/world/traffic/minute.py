"""One minute of one revision: the numbers that Cloud Monitoring's series are made from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

LATENCY_SCALE_MS = 1.0
LATENCY_GROWTH = 1.4
LATENCY_FINITE_BUCKETS = 66
"""Exponential buckets as Google's own latency metrics have them: growth 1.4, 66 finite ones."""

LATENCY_BOUNDS_MS: tuple[float, ...] = tuple(
    LATENCY_SCALE_MS * LATENCY_GROWTH**i for i in range(LATENCY_FINITE_BUCKETS + 1)
)
"""The 67 bounds of 68 buckets. Bucket 0 is below bounds[0], the last is from bounds[-1] on."""

CONFIDENCE_WIDTH = 0.05
CONFIDENCE_BOUNDS: tuple[float, ...] = tuple(round(i * CONFIDENCE_WIDTH, 2) for i in range(21))
"""Linear buckets (offset 0, width 0.05, 20 finite): 21 bounds, 22 buckets."""

RATIO_WIDTH = 0.05
RATIO_BOUNDS: tuple[float, ...] = CONFIDENCE_BOUNDS
"""Linear buckets of cpu and memory utilisation, 0…1."""

MINUTE_S = 60


class Distribution(msgspec.Struct, frozen=True):
    """Counts per bucket, with the exact sum and sum of squares of the values.

    `counts[0]` is the underflow; trailing buckets that are empty are left out, so `counts` may
    be shorter than bounds + 1, and is () when there is no value.
    """

    counts: tuple[int, ...] = ()
    sum: float = 0.0
    sum_sq: float = 0.0

    @property
    def count(self) -> int:
        """How many values."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Mean of the values; 0.0 when there is none, as in the Distribution proto."""
        count = self.count
        return self.sum / count if count else 0.0

    @property
    def squared_deviation(self) -> float:
        """Σ (value − mean)², the proto's `sum_of_squared_deviation`; never below 0."""
        count = self.count
        return max(0.0, self.sum_sq - self.sum * self.sum / count) if count else 0.0


EMPTY = Distribution()


def merge(parts: Sequence[Distribution]) -> Distribution:
    """Add distributions of the same bounds."""
    if len(parts) == 1:
        return parts[0]
    counts = [0] * max((len(part.counts) for part in parts), default=0)
    for part in parts:
        for index, count in enumerate(part.counts):
            counts[index] += count
    return Distribution(
        tuple(counts),
        math.fsum(part.sum for part in parts),
        math.fsum(part.sum_sq for part in parts),
    )


class Minute(msgspec.Struct, frozen=True):
    """What one revision did in the 60 s that end at `end` (unix seconds, a multiple of 60).

    `responses` and `latencies` have one entry for each response code that occurred. Requests
    that reached no instance are only in `refused` (answered 429 by the front), as in Cloud Run
    whose request_count leaves them out. A minute without requests has empty mappings; cpu and
    memory are empty when no instance was up.
    """

    end: int
    service: str
    revision: str
    responses: Mapping[int, int]
    latencies: Mapping[int, Distribution]
    """Per response code, milliseconds over LATENCY_BOUNDS_MS."""
    confidence: Distribution
    """The application's score of each successful answer, over CONFIDENCE_BOUNDS."""
    cpu: Distribution
    """Utilisation samples of the instances, 0…1, over RATIO_BOUNDS."""
    memory: Distribution
    instances_active: int
    instances_idle: int
    billable_s: float
    refused: int = 0
    max_concurrency: float = 0.0
    """The most requests in flight at once in one instance."""

    @property
    def requests(self) -> int:
        """Responses of all codes."""
        return sum(self.responses.values())

    @property
    def latency(self) -> Distribution:
        """Latency of all codes together."""
        return merge(list(self.latencies.values())) if self.latencies else EMPTY
