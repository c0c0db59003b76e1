"""What has failed before, as Cloud Logging keeps it: failing requests, and what the application
wrote about them.

What a stream has shown is kept for a while. What no stream has seen is drawn when it is asked for,
from the same minutes that Cloud Monitoring shows: their counts agree one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

import msgspec

from canary.simulator.world.requests import LogEntry, aimed, cause_of
from canary.simulator.world.traffic.causes import USUAL
from canary.simulator.world.traffic.minute import MINUTE_S, Minute
from canary.simulator.world.traffic.scenarios import SIDES
from canary.simulator.world.traffic.traffic import caused_share
from canary.simulator.world.world import World

FAILING_FROM = 400
MOST_KEPT = 20_000
LONGEST_S = 86_400.0
"""So far back is looked at most."""


class AppLine(msgspec.Struct, frozen=True):
    """One line that the application wrote while it answered a request."""

    at: float
    severity: str
    text: str
    of: LogEntry


class PastRequests:
    """The failing requests of a world that can still be asked for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: dict[str, LogEntry] = {}
        self._streamed_since: float | None = None

    def stream(self, entries: tuple[LogEntry, ...], since: float) -> None:
        """Keep what a stream has shown; `since` is when streaming began without a break."""
        self._streamed_since = since
        for entry in entries:
            if entry.status >= FAILING_FROM:
                self._keep(entry)

    def find(self, trace: str) -> LogEntry | None:
        """Return the failing request of a trace, of all that were ever handed out."""
        return self._kept.get(trace)

    def between(
        self, since: float, until: float, wants: Callable[[int], bool]
    ) -> Iterator[LogEntry]:
        """Yield failing requests that began in [since, until), newest first. `wants`: whether any
        of a status may be selected.
        """
        until = min(until, self._world.clock.now())
        since = max(since, until - LONGEST_S)
        seen_from = self._streamed_since if self._streamed_since is not None else until
        kept = (e for e in self._kept.values() if e.ended_at >= seen_from)
        for entry in sorted(kept, key=lambda e: -e.ended_at):
            if since <= entry.ended_at < until and wants(entry.status):
                yield entry
        last = min(until, seen_from)
        for end in range(math.ceil(last / MINUTE_S) * MINUTE_S, int(since), -MINUTE_S):
            drawn = sorted(self._draw(end, wants), key=lambda e: -e.ended_at)
            for entry in drawn:
                if since <= entry.ended_at < last:
                    self._keep(entry)
                    yield entry

    def lines(self, entry: LogEntry) -> tuple[AppLine, ...]:
        """Return what the application wrote of a request, oldest first; nothing of one that the
        front refused, or that was the caller's fault.
        """
        if not entry.instance or entry.status < 500:
            return ()
        written = entry.cause.lines if entry.cause is not None else USUAL
        began = entry.ended_at - entry.latency_ms / 1000.0
        step = (entry.ended_at - began) / (len(written) + 1)
        return tuple(
            AppLine(began + step * number, severity, text, entry)
            for number, (severity, text) in enumerate(written, 1)
        )

    def _keep(self, entry: LogEntry) -> None:
        self._kept[entry.aim.trace] = entry
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]

    def _draw(self, end: int, wants: Callable[[int], bool]) -> Iterator[LogEntry]:
        """Yield the failing requests of one minute, as many of each status as it counts."""
        traffic = self._world.traffic
        for side in SIDES:
            how = traffic.behaviour(side, end - MINUTE_S / 2)
            if how is None or how.removed:
                continue
            minutes = traffic.minutes(
                how.revision.service, how.revision.revision, end - MINUTE_S, end
            )
            for minute in minutes:
                for code, hits in minute.responses.items():
                    if code < FAILING_FROM or not wants(code):
                        continue
                    rng = Random(f"{self._world.origin.seed}/past/{end}/{side}/{code}")
                    caused = self._caused(minute, hits, rng, caused_share(how))
                    for number in range(hits):
                        cause = cause_of(how, code, number, caused)
                        bare = LogEntry(
                            end - MINUTE_S * rng.random(),
                            minute.service,
                            minute.revision,
                            code,
                            how.median_ms * math.exp(rng.gauss(0.0, how.sigma)),
                            f"{rng.getrandbits(48):012x}",
                        )
                        yield aimed(bare, how, rng, cause)

    @staticmethod
    def _caused(minute: Minute, hits: int, rng: Random, share: float) -> int:
        """Return how many of a status's answers had the cause: a share of all 5xx, of which this
        status has the first.
        """
        failed = sum(n for status, n in minute.responses.items() if status >= 500)
        return min(hits, round(failed * share + rng.random() - 0.5))
