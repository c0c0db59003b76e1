"""The request log: entries of single requests, from the same flow that minutes are drawn from.

A minute is drawn as a whole, an entry when it is due: their counts agree in rate and ratios, not
one by one. Requests that really arrive are added as they are. Nothing is drawn while nobody looks.
"""

from __future__ import annotations

import math
from random import Random

import msgspec

from canary.simulator.config import SideName
from canary.simulator.world.traffic.profiles import SIDES
from canary.simulator.world.traffic.sampling import binomial, poisson
from canary.simulator.world.traffic.traffic import Flow, draw_responses, latency_factor, pace_of
from canary.simulator.world.world import World

DELAY_S = 1.0
"""Cloud seconds from the end of a request until its entry is there."""

MOST_AT_ONCE = 5_000
"""Entries drawn in one go at most: a jump of the clock must not draw hours. The rest is counted
as left out."""


class LogEntry(msgspec.Struct, frozen=True):
    """One request: when it ended (cloud time), who answered what in how long."""

    ended_at: float
    service: str
    revision: str
    status: int
    latency_ms: float
    insert_id: str


class Drawn(msgspec.Struct, frozen=True):
    """What became due, in the order of `ended_at`; `left_out` more were not drawn."""

    entries: tuple[LogEntry, ...]
    left_out: int = 0


class RequestLog:
    """Draws what has become due since the last time. `start` before the first `draw`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._drawn_to = 0.0
        self._number = 0
        self._arrived: list[LogEntry] = []
        self._is_on = False
        world.traffic.arrivals.listen(self._note)

    def start(self) -> None:
        """Begin with now: what ended before is not logged to anybody."""
        self._drawn_to = self._world.clock.now() - DELAY_S
        self._arrived.clear()
        self._is_on = True

    def stop(self) -> None:
        """Nobody looks any more."""
        self._is_on = False
        self._arrived.clear()

    def draw(self) -> Drawn:
        """Return what has become due."""
        self._world.settle()
        start, end = self._drawn_to, self._world.clock.now() - DELAY_S
        if end <= start:
            return Drawn(())
        self._drawn_to = end
        flow = self._world.traffic.flow(start + (end - start) / 2)
        rng = Random(f"{self._world.origin.seed}/log/{start:.3f}")
        requests = poisson(rng, flow.requests_per_s * (end - start))
        kept = min(requests, MOST_AT_ONCE)
        to_canary = binomial(rng, kept, flow.share)
        entries = [entry for entry in self._arrived if entry.ended_at <= end]
        self._arrived = [entry for entry in self._arrived if entry.ended_at > end]
        for side, count in zip(SIDES, (kept - to_canary, to_canary), strict=True):
            entries += self._draw_side(rng, flow, side, count, (start, end))
        entries.sort(key=lambda entry: entry.ended_at)
        return Drawn(tuple(entries), requests - kept)

    def _draw_side(
        self, rng: Random, flow: Flow, side: SideName, count: int, span: tuple[float, float]
    ) -> list[LogEntry]:
        how = flow.sides.get(side)
        if how is None or how.removed:
            return []
        # Refused ones reach no instance; they are in no metric, and not here either.
        count -= binomial(rng, count, how.capacity.refused_ratio)
        factor = latency_factor(how, flow.pace)
        start, length = span[0], span[1] - span[0]
        return [
            LogEntry(
                start + length * rng.random(),
                how.revision.service,
                how.revision.revision,
                code,
                how.median_ms * factor * pace_of(code) * math.exp(rng.gauss(0.0, how.sigma)),
                self._next_id(),
            )
            for code, hits in draw_responses(rng, count, how).items()
            for _ in range(hits)
        ]

    def _note(self, now: float, service: str, revision: str, code: int, latency_ms: float) -> None:
        if self._is_on:
            self._arrived.append(
                LogEntry(now, service, revision, code, latency_ms, self._next_id())
            )

    def _next_id(self) -> str:
        self._number += 1
        return f"{self._number:012x}"
