"""Single requests of the model: the request log, and the table of the A/B test.

Both are from the same flow that minutes are drawn from. A minute is drawn as a whole, a log entry
when it is due: their counts agree in rate and ratios, not one by one. Requests that really arrive
are added as they are. Nothing is drawn while nobody looks.

The A/B experiment writes ROWS_AN_HOUR requests of each group, or all there are if a side takes
fewer, so that 30 days are about 150 000 rows a group whatever the split was. Before the history of
this world it ran on a healthy day's profiles.
"""

from __future__ import annotations

import functools
import math
import zlib
from array import array
from collections.abc import Iterable
from itertools import pairwise
from random import Random

import msgspec
from msgspec.structs import replace

from canary.simulator.config import SideName
from canary.simulator.world.traffic.sampling import (
    binomial,
    normal_quantiles,
    poisson,
    score_quantiles,
)
from canary.simulator.world.traffic.scenarios import PROFILES, SIDES
from canary.simulator.world.traffic.traffic import (
    CLIENT_ERROR_PACE,
    Flow,
    draw_responses,
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
    so much later than usual it is there.
    """

    ended_at: float
    service: str
    revision: str
    status: int
    latency_ms: float
    insert_id: str
    instance: str = ""
    late_s: float = 0.0


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
        self._late: list[LogEntry] = []
        self._is_on = False
        world.traffic.arrivals.listen(self._note)

    def start(self) -> None:
        """Begin with now: what ended before is not logged to anybody."""
        self._drawn_to = self._world.clock.now() - DELAY_S
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
        answered = [
            LogEntry(
                start + length * rng.random(),
                service,
                revision,
                code,
                how.median_ms * factor * pace_of(code) * math.exp(rng.gauss(0.0, how.sigma)),
                self._next_id(),
                instance_of(revision, how.restarts),
            )
            for code, hits in draw_responses(rng, count - refused, how).items()
            for _ in range(hits)
        ]
        return answered + [
            LogEntry(
                start + length * rng.random(), service, revision, REFUSED, 0.0, self._next_id()
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


def instance_of(revision: str, restarts: int = 0) -> str:
    """Return the id of an instance of a revision, in the form of Cloud Run's. Each restart makes a
    new one.
    """
    named = f"{revision}/{restarts}" if restarts else revision
    return f"0007e26d{zlib.crc32(named.encode()):08x}"


ROWS_AN_HOUR = 150_000 / (30 * 24)
BEFORE_S = 30 * 86_400.0
"""How long the experiment had run when this world's history begins."""
HOUR_S = 3600.0
_SPREAD = 4096

ROW_BYTES = 8 + 8 + 8 + 1 + 8
"""group, response_time_ms, confidence_score, success and timestamp, as BigQuery counts them: a
string is its bytes and 2 more.
"""


class Part(msgspec.Struct, frozen=True):
    """Up to an hour of one group's rows, still to be drawn."""

    key: str
    side: SideName
    start: float
    end: float
    count: int
    median_ms: float
    sigma: float
    error_ratio: float
    client_error_ratio: float
    confidence: float


class Rows:
    """Rows of one group, by column; their order means nothing.

    `confidence_score` has only those that are not NULL: one for each success, in their order.
    """

    def __init__(self) -> None:
        self.response_time_ms = array("d")
        self.confidence_score = array("d")
        self.success = array("b")

    def __len__(self) -> int:
        return len(self.success)


class AbTable:
    """The table of a world."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def begins_at(self) -> float:
        """When the first row was written."""
        return self._world.history_start - BEFORE_S

    def size(self) -> int:
        """Return the bytes that a query over all columns reads: all rows, unpartitioned."""
        hours = (self._world.clock.now() - self.begins_at) / HOUR_S
        return int(2 * hours * ROWS_AN_HOUR) * ROW_BYTES

    def parts(self, since: float, until: float) -> list[Part]:
        """Return what is to be drawn for [since, until), oldest first."""
        until = min(until, self._world.clock.now())
        since = max(since, self.begins_at)
        found = []
        start = since
        while start < until:
            end = min(until, (start // HOUR_S + 1) * HOUR_S)
            found += [part for side in SIDES if (part := self._part(side, start, end)) is not None]
            start = end
        return found

    def _part(self, side: SideName, start: float, end: float) -> Part | None:
        hours = (end - start) / HOUR_S
        key = f"{self._world.origin.seed}/ab/{start}/{side}"
        if start < self._world.history_start:
            profile = PROFILES[side]
            median_ms, sigma = profile.shape
            return Part(
                key, side, start, end, round(ROWS_AN_HOUR * hours), median_ms, sigma,
                profile.error_ratio, profile.client_error_ratio, profile.confidence,
            )  # fmt: skip
        how = self._world.traffic.behaviour(side, start)
        if how is None or how.removed:
            return None
        reached = self._world.config.requests_per_s * how.share * (1 - how.capacity.refused_ratio)
        return Part(
            key, side, start, end, round(min(ROWS_AN_HOUR, reached * HOUR_S) * hours),
            how.median_ms * how.capacity.latency_factor, how.sigma,
            how.error_ratio, how.client_error_ratio, how.confidence,
        )  # fmt: skip


def draw_rows(parts: Iterable[Part]) -> dict[SideName, Rows]:
    """Return the rows of both groups. Pure; 300 000 of them take a few tenths of a second."""
    groups = {side: Rows() for side in SIDES}
    for part in parts:
        _draw(part, groups[part.side])
    return groups


def _draw(part: Part, rows: Rows) -> None:
    """Draw a part: refused requests first, then failed, then served ones.

    Values come from tables of quantiles: one choice each, where exp and gauss in Python took ten
    times as long.
    """
    rng, count = Random(part.key), part.count
    failed = binomial(rng, count, part.error_ratio)
    refused = binomial(rng, count - failed, part.client_error_ratio)
    served = count - failed - refused
    drawn = rng.choices(_spread(part.sigma), k=count)
    quick_ms = part.median_ms * CLIENT_ERROR_PACE
    rows.response_time_ms.extend([quick_ms * one for one in drawn[:refused]])
    rows.response_time_ms.extend([part.median_ms * one for one in drawn[refused:]])
    rows.confidence_score.extend(rng.choices(score_quantiles(part.confidence), k=served))
    rows.success.extend([0] * (refused + failed) + [1] * served)


@functools.lru_cache(maxsize=8)
def _spread(sigma: float) -> tuple[float, ...]:
    """Return values of the log-normal with median 1 at equal chances."""
    return tuple(math.exp(sigma * z) for z in normal_quantiles(_SPREAD))
