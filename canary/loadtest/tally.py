"""Counts of one side's answers, in bounded memory: however long the test runs.

Latencies are counted in buckets that grow by 2 %, so a percentile is known to ±1 %. Locust's own
statistics were not used: it rounds to whole milliseconds (and to tens above 100), which is too
coarse for the embedded cloud at sixty times the speed, and it does not tell two sides apart.
"""

from __future__ import annotations

import math
from typing import Any

GROWTH = 1.02
LEAST_MS = 0.01


class Tally:
    """Answers of one side, or of none. All latencies in ms, as this machine measured them."""

    def __init__(self) -> None:
        self.requests = 0
        self.successes = 0
        self.client_errors = 0
        self.server_errors = 0
        self.unanswered = 0
        self._sum_ms = 0.0
        self._buckets: dict[int, int] = {}

    def add(self, status: int, latency_ms: float) -> None:
        """Count one request; `status` 0: it was not answered, or not to the end."""
        self.requests += 1
        if 200 <= status < 400:
            self.successes += 1
        elif 400 <= status < 500:
            self.client_errors += 1
        elif status >= 500:
            self.server_errors += 1
        else:
            self.unanswered += 1
        shown = max(LEAST_MS, latency_ms)
        self._sum_ms += shown
        bucket = math.ceil(math.log(shown / LEAST_MS) / math.log(GROWTH))
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def percentile(self, fraction: float) -> float | None:
        """The latency that `fraction` of the requests did not exceed, ±1 %; None without any."""
        rank = max(1, math.ceil(fraction * self.requests))
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return float(LEAST_MS * GROWTH ** (bucket - 0.5))
        return None

    def figures(self) -> dict[str, Any]:
        """What is said of it: counts, and latencies that are null without requests."""
        return {
            "requests": self.requests,
            "successes": self.successes,
            "client_errors": self.client_errors,
            "server_errors": self.server_errors,
            "unanswered": self.unanswered,
            "mean_ms": self._sum_ms / self.requests if self.requests else None,
            "p50_ms": self.percentile(0.50),
            "p95_ms": self.percentile(0.95),
            "p99_ms": self.percentile(0.99),
        }
