"""Single requests of the model, as the request log has them.

They are from the same flow that minutes are drawn from. A minute is drawn as a whole, a log entry
when it is due: their counts agree in rate and ratios, not one by one. Requests that really arrive
are added as they are. Nothing is drawn while nobody looks.
"""

from __future__ import annotations

import math
import zlib
from itertools import pairwise
from random import Random

import msgspec
from msgspec.structs import replace

from canary.simulator.config import SideName
from canary.simulator.world.traffic.behaviour import Behaviour
from canary.simulator.world.traffic.causes import INSTANCES, Aim, Cause, draw_aim
from canary.simulator.world.traffic.sampling import (
    binomial,
    poisson,
)
from canary.simulator.world.traffic.scenarios import SIDES
from canary.simulator.world.traffic.traffic import (
    Flow,
    draw_answers,
    latency_factor,
    pace_of,
)
from canary.simulator.world.world import World

DELAY_S = 1.0
"""Cloud seconds from the end of a request until its entry is there."""

MOST_AT_ONCE = 5_000
"""Entries drawn in one go at most: a jump of the clock must not draw hours. The rest is counted
as left out."""


REFUSED = 429
"""What the front answers when no instance is free."""


class LogEntry(msgspec.Struct, frozen=True):
    """One request: when it ended (cloud time), who answered what in how long.

    `instance` is the container that took it; "": the front refused it for want of one. `late_s`:
    so much later than usual it is there. `cause`: what made it fail; None for the usual reasons.
    """

    ended_at: float
    service: str
    revision: str
    status: int
    latency_ms: float
    insert_id: str
    instance: str = ""
    late_s: float = 0.0
    aim: Aim = Aim("GET", "/", "")
    cause: Cause | None = None


class Drawn(msgspec.Struct, frozen=True):
    """What became due, in the order of `ended_at`; `left_out` more were not drawn."""

    entries: tuple[LogEntry, ...]
    left_out: int = 0


class RequestLog:
    """Draws what has become due since the last time. `start` before the first `draw`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._drawn_to = self.began_at = 0.0
        self._number = 0
        self._arrived: list[LogEntry] = []
        self._late: list[LogEntry] = []
        self._is_on = False
        world.traffic.arrivals.listen(self._note)

    def start(self) -> None:
        """Begin with now: what ended before is not logged to anybody."""
        self._drawn_to = self.began_at = self._world.clock.now() - DELAY_S
        self._arrived.clear()
        self._late.clear()
        self._is_on = True

    def stop(self) -> None:
        """Nobody looks any more."""
        self._is_on = False
        self._arrived.clear()
        self._late.clear()

    def draw(self) -> Drawn:
        """Return what has become due."""
        self._world.settle()
        start, end = self._drawn_to, self._world.clock.now() - DELAY_S
        if end <= start:
            return Drawn(())
        self._drawn_to = end
        drawn, left_out = [], 0
        for low, high in pairwise([start, *self._world.traffic.edges(start, end), end]):
            entries, more = self._draw_span(low, high)
            drawn += entries
            left_out += more
        drawn += [entry for entry in self._arrived if entry.ended_at <= end]
        self._arrived = [entry for entry in self._arrived if entry.ended_at > end]
        return Drawn(tuple(self._delay(drawn, end)), left_out)

    def _draw_span(self, start: float, end: float) -> tuple[list[LogEntry], int]:
        """Return the requests of a span in which nothing changes, and how many more there were."""
        flow = self._world.traffic.flow(start + (end - start) / 2)
        rng = Random(f"{self._world.origin.seed}/log/{start:.3f}")
        requests = poisson(rng, flow.requests_per_s * (end - start))
        kept = min(requests, MOST_AT_ONCE)
        to_canary = binomial(rng, kept, flow.share)
        entries: list[LogEntry] = []
        for side, count in zip(SIDES, (kept - to_canary, to_canary), strict=True):
            entries += self._draw_side(rng, flow, side, count, (start, end))
        return entries, requests - kept

    def _delay(self, drawn: list[LogEntry], end: float) -> list[LogEntry]:
        """Return what is there by now of what was drawn now and before, in its order."""
        state = self._world.scenario.current(end)
        if state.log_excludes_2xx:
            drawn = [entry for entry in drawn if not 200 <= entry.status < 300]
        if state.log_late_s:
            rng = Random(f"{self._world.origin.seed}/late/{end:.3f}")
            drawn = [replace(entry, late_s=state.log_late_s * rng.random()) for entry in drawn]
        waiting = self._late + drawn
        self._late = [entry for entry in waiting if entry.ended_at + entry.late_s > end]
        due = [entry for entry in waiting if entry.ended_at + entry.late_s <= end]
        return sorted(due, key=lambda entry: entry.ended_at + entry.late_s)

    def _draw_side(
        self, rng: Random, flow: Flow, side: SideName, count: int, span: tuple[float, float]
    ) -> list[LogEntry]:
        how = flow.sides.get(side)
        if how is None or how.removed:
            return []
        # Refused ones reach no instance: they are in no metric, but in the log.
        refused = binomial(rng, count, how.capacity.refused_ratio)
        factor = latency_factor(how, flow.pace)
        start, length = span[0], span[1] - span[0]
        service, revision = how.revision.service, how.revision.revision
        codes, caused = draw_answers(rng, count - refused, how)
        where = Random(f"{self._world.origin.seed}/where/{start:.3f}/{side}")
        answered = [
            aimed(
                LogEntry(
                    start + length * rng.random(),
                    service,
                    revision,
                    code,
                    how.median_ms * factor * pace_of(code) * math.exp(rng.gauss(0.0, how.sigma)),
                    self._next_id(),
                ),
                how,
                where,
                cause_of(how, code, number, caused),
            )
            for code, hits in codes.items()
            for number in range(hits)
        ]
        return answered + [
            LogEntry(
                start + length * rng.random(),
                service,
                revision,
                REFUSED,
                0.0,
                self._next_id(),
                aim=draw_aim(where, None),
            )
            for _ in range(refused)
        ]

    def _note(
        self, now: float, service: str, revision: str, code: int, latency_ms: float, refused: bool
    ) -> None:
        if self._is_on:
            instance = "" if refused else instance_of(revision)
            self._arrived.append(
                LogEntry(now, service, revision, code, latency_ms, self._next_id(), instance)
            )

    def _next_id(self) -> str:
        self._number += 1
        return f"{self._number:012x}"


def cause_of(how: Behaviour, code: int, number: int, caused: int) -> Cause | None:
    """Return what made the answer `number` of a code fail, of which `caused` had a cause."""
    cause = how.effects.cause
    return cause if cause is not None and code == cause.status and number < caused else None


def aimed(entry: LogEntry, how: Behaviour, rng: Random, cause: Cause | None) -> LogEntry:
    """Return the entry with where it went and which instance took it."""
    aim = draw_aim(rng, cause)
    instance = aim.instance
    if not instance and how.effects.cause is not None and how.effects.cause.instance:
        instance = rng.randrange(1, INSTANCES)
    latency_ms = entry.latency_ms
    if cause is not None and cause.latency_ms is not None:
        latency_ms = cause.latency_ms
    name = instance_of(entry.revision, how.restarts, instance)
    return replace(entry, latency_ms=latency_ms, instance=name, aim=aim, cause=cause)


def instance_of(revision: str, restarts: int = 0, number: int = 0) -> str:
    """Return the id of an instance of a revision, in the form of Cloud Run's. Each restart makes a
    new one; `number` tells those apart that are there at once.
    """
    named = f"{revision}/{restarts}" if restarts else revision
    named = f"{named}#{number}" if number else named
    return f"0007e26d{zlib.crc32(named.encode()):08x}"
