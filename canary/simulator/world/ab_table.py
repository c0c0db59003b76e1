"""The table of the A/B test: single requests, drawn from the same flow that minutes are.

The experiment writes ROWS_AN_HOUR requests of each group, or all there are if a side takes fewer,
so that 30 days are about 150 000 rows a group whatever the split was. Before the history of this
world it ran on a healthy day's profiles.
"""

from __future__ import annotations

import functools
import math
from array import array
from collections.abc import Iterable
from random import Random

import msgspec

from canary.simulator.config import SideName
from canary.simulator.world.traffic.sampling import binomial, normal_quantiles, score_quantiles
from canary.simulator.world.traffic.scenarios import PROFILES, SIDES
from canary.simulator.world.traffic.traffic import CLIENT_ERROR_PACE
from canary.simulator.world.world import World

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
