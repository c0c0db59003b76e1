"""What the load test's process is told, whose an answer is, and what is counted of it.

The settings are one JSON object, the only argument. Counts take bounded memory however long the
test runs: latencies are counted in buckets that grow by 2 %, so a percentile is known to ±1 %.
Locust's own statistics were not used: it rounds to whole milliseconds (and to tens above 100),
which is too coarse for the embedded cloud at sixty times the speed, and it does not tell two sides
apart.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec


class Request(msgspec.Struct, frozen=True):
    """One kind of request; `body` is sent as JSON as it stands, "" sends none."""

    path: str
    method: str = "GET"
    body: str = ""
    weight: int = 1


class Sides(msgspec.Struct, frozen=True):
    """How an answer is known to be a side's.

    The name is in the response's `header`, else in the field `field` of its JSON body. `canary`
    and `legacy` are the names; with `others_are_legacy` any other name is Legacy's (revisions of
    one service, where only the candidate is known by name).
    """

    canary: tuple[str, ...]
    legacy: tuple[str, ...] = ()
    header: str = "x-canary-service"
    field: str = "service"
    others_are_legacy: bool = False


class Settings(msgspec.Struct, frozen=True):
    """The load: all times in seconds of this machine."""

    url: str
    users: int
    spawn_rate: float
    duration_s: float
    requests: tuple[Request, ...]
    sides: Sides
    min_wait_s: float = 1.0
    max_wait_s: float = 3.0
    timeout_s: float = 60.0
    report_every_s: float = 1.0


def parse_settings(text: str) -> Settings:
    """Decode what is said on standard input. Raises ValueError (msgspec's own errors are)."""
    return msgspec.json.decode(text.encode(), type=Settings)


SideName = Literal["legacy", "canary", "unattributed"]

LONGEST_BODY = 100_000
"""A longer answer is not searched: it costs more than the request."""


def find_side(sides: Sides, headers: Any, body: bytes | None) -> SideName:
    """The side that answered; "unattributed" when nothing says so. `headers` is any mapping."""
    name = headers.get(sides.header) if headers is not None else None
    if not isinstance(name, str) or not name:
        name = _name_in(body, sides.field)
    if not name:
        return "unattributed"
    if name in sides.canary:
        return "canary"
    if sides.others_are_legacy or name in sides.legacy:
        return "legacy"
    return "unattributed"


def _name_in(body: bytes | None, field: str) -> str:
    if not body or len(body) > LONGEST_BODY or not body.lstrip().startswith(b"{"):
        return ""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return ""
    name = document.get(field) if isinstance(document, dict) else None
    return name if isinstance(name, str) else ""


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
