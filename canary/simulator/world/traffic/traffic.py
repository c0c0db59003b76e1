"""The model of traffic: from the timeline and a seed to the numbers of every minute.

Nothing here is stored. A minute is a function of (seed, minute, timeline, real arrivals), so a
history of days costs nothing until it is asked for, and reads the same after a restart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from random import Random

import msgspec

from canary.simulator.config import Config, SideName
from canary.simulator.world.timeline import Regime, Timeline
from canary.simulator.world.traffic.arrivals import Arrivals
from canary.simulator.world.traffic.behaviour import CONCURRENCY, TARGET_BUSY, Behaviour, Behaviours
from canary.simulator.world.traffic.minute import MINUTE_S, Distribution, Minute, merge
from canary.simulator.world.traffic.sampling import (
    binomial,
    confidence_buckets,
    draw,
    latency_buckets,
    poisson,
    ratios,
)
from canary.simulator.world.traffic.scenarios import PROFILES, SIDES, scenario_state

WANDER = 0.03
"""Minute-to-minute wander of the load and of latency, the same for both sides: a shared cause
(callers, network) must not look like a difference between them."""

CLIENT_ERROR_PACE = 0.3
"""A refused request is answered in so much of the time of a served one."""

CLIENT_STAYS_S = 1800.0
"""How long a client goes on sending requests, in the mean."""

CACHED_MINUTES = 12_000
"""At most, of all that were asked for between two calls of `trim`: 5 kB each."""
KEPT_MINUTES = 1_600
"""The newest that `trim` leaves in any case: the day that every command begins with."""


class Segment(msgspec.Struct, frozen=True):
    """A stretch of a minute in which nothing was changed."""

    start: float
    end: float
    regime: Regime


class Flow(msgspec.Struct, frozen=True):
    """The traffic at one moment: requests a second of both sides, Canary's share 0…1, the wander
    of latency (a logarithm), and how each side answers.
    """

    requests_per_s: float
    share: float
    pace: float
    sides: Mapping[SideName, Behaviour | None]


class Traffic:
    """Computes minutes when asked for them, and keeps those that are asked for again."""

    def __init__(
        self, config: Config, timeline: Timeline, seed: int, requests_per_s: float
    ) -> None:
        self.arrivals = Arrivals()
        self.draw_part = draw_part
        self._behaviours = Behaviours(config, timeline, self.arrivals, requests_per_s)
        self._timeline = timeline
        self._seed = seed
        self._cache: dict[int, tuple[Minute, ...]] = {}
        self._asked: set[int] = set()

    def minutes(
        self, service: str, revision: str | None, start: float, end: float
    ) -> Sequence[Minute]:
        """Return the minutes of a service whose end lies in (start, end], oldest first."""
        found: list[Minute] = []
        first = int(start // MINUTE_S + 1) * MINUTE_S
        for minute_end in range(first, int(end // MINUTE_S) * MINUTE_S + 1, MINUTE_S):
            found += [
                minute
                for minute in self._minute(minute_end)
                if minute.service == service and revision in (None, minute.revision)
            ]
        return found

    def forget_after(self, when: float) -> None:
        """Compute again what ends after a time."""
        for end in [end for end in self._cache if end > when]:
            del self._cache[end]

    def trim(self) -> None:
        """Forget the older minutes that nobody asked for since the last time.

        Who watches asks for the newest again and again, and for a whole history once: kept for
        good, that made the process grow by 8 MB a day.
        """
        kept = self._asked.union(sorted(self._cache)[-KEPT_MINUTES:])
        self._cache = {end: minutes for end, minutes in self._cache.items() if end in kept}
        self._asked.clear()

    def behaviour(self, side: SideName, now: float) -> Behaviour | None:
        """Return how a side answers now; None when it has never been deployed."""
        return self._behaviours.at(side, now, self._timeline.regime_at(now))

    def flow(self, now: float) -> Flow:
        """Return what flows now: what the minute of `now` is drawn from."""
        _, load, pace = self._wander(int(now // MINUTE_S + 1) * MINUTE_S)
        regime = self._timeline.regime_at(now)
        sides = {side: self._behaviours.at(side, now, regime) for side in SIDES}
        per_s = self._behaviours.requests_per_s(now) * math.exp(load)
        return Flow(per_s, self.share(now), pace, sides)

    def share(self, at: float) -> float:
        """Canary's share of the requests at a time, 0…1, whatever is set.

        With session affinity clients stay where they are when the split is moved: new ones come by
        the new share, and the old ones leave by and by (Cloud Run docs: affinity before the split).
        """
        regime = self._timeline.regime_at(at)
        sticks = regime.affinity or scenario_state(regime.scenario, at, 0.0).session_affinity
        if not sticks or regime.before == regime.percent:
            return regime.percent / 100.0
        left = math.exp(-max(0.0, at - regime.moved_at) / CLIENT_STAYS_S)
        return (regime.percent + (regime.before - regime.percent) * left) / 100.0

    def edges(self, start: float, end: float) -> list[float]:
        """Return the times between two at which a side's errors begin or end."""
        return self._behaviours.edges(start, end, self._timeline.regime_at(start))

    def _wander(self, end: int) -> tuple[Random, float, float]:
        """Return a minute's random numbers, and the wander of its load and its latency."""
        shared = Random(f"{self._seed}/{end}")
        return shared, shared.gauss(0.0, WANDER), shared.gauss(0.0, WANDER)

    def _minute(self, end: int) -> tuple[Minute, ...]:
        self._asked.add(end)
        cached = self._cache.get(end)
        if cached is not None:
            return cached
        while len(self._cache) >= CACHED_MINUTES:
            del self._cache[next(iter(self._cache))]
        computed = self._cache[end] = self._compute(end)
        return computed

    def _compute(self, end: int) -> tuple[Minute, ...]:
        """Return the minutes of all revisions that end at `end`, ordered by service, revision."""
        parts: dict[tuple[str, str], list[Minute]] = {}
        shared, load, pace = self._wander(end)
        for number, segment in enumerate(self._segments(end - MINUTE_S, end)):
            duration = segment.end - segment.start
            expected = self._behaviours.requests_per_s(segment.start) * duration * math.exp(load)
            requests = poisson(shared, expected)
            to_canary = binomial(shared, requests, self.share(segment.start))
            for side, count in zip(SIDES, (requests - to_canary, to_canary), strict=True):
                how = self._behaviours.at(side, segment.start, segment.regime)
                if how is None or how.removed or how.effects.silent:
                    continue  # it has no series then
                seed = f"{self._seed}/{end}/{number}/{side}"
                part = self.draw_part(seed, how, end, duration, count, pace)
                parts.setdefault((part.service, part.revision), []).append(part)
        return tuple(self._with_arrivals(_join(parts[key])) for key in sorted(parts))

    def _segments(self, start: float, end: float) -> Iterator[Segment]:
        cuts = [start, *sorted({event.at for event in self._timeline.between(start, end)}), end]
        for low, high in pairwise(cuts):
            regime = self._timeline.regime_at(low)
            for begin, until in pairwise([low, *self._behaviours.edges(low, high, regime), high]):
                yield Segment(begin, until, regime)

    def _with_arrivals(self, minute: Minute) -> Minute:
        arrived = self.arrivals.get(minute.end, minute.service, minute.revision)
        if not arrived.latencies and not arrived.refused:
            return minute
        latencies = dict(minute.latencies)
        for code, latency in arrived.latencies.items():
            latencies[code] = merge([latencies[code], latency]) if code in latencies else latency
        return msgspec.structs.replace(
            minute,
            latencies=latencies,
            responses={code: latency.count for code, latency in sorted(latencies.items())},
            confidence=merge([minute.confidence, arrived.confidence]),
            refused=minute.refused + arrived.refused,
        )


def draw_part(
    seed: str, how: Behaviour, end: int, duration: float, count: int, pace: float
) -> Minute:
    """Return what a side that behaves so did in `duration` seconds of the minute that ends at
    `end`, with `count` requests. A function of what it is given.
    """
    rng = Random(seed)
    refused = binomial(rng, count, how.capacity.refused_ratio)
    count -= refused
    responses = draw_responses(rng, count, how)
    factor = latency_factor(how, pace)
    latencies = {
        code: draw(rng, latency_buckets(how.median_ms * factor * pace_of(code), how.sigma), hits)
        for code, hits in responses.items()
    }
    cpu, memory = _draw_resources(how, rng)
    return Minute(
        end=end,
        service=how.revision.service,
        revision=how.revision.revision,
        responses=responses,
        latencies=latencies,
        confidence=draw(rng, confidence_buckets(how.confidence), responses.get(200, 0)),
        cpu=cpu,
        memory=memory,
        instances_active=how.capacity.active,
        instances_idle=how.capacity.idle,
        billable_s=how.capacity.active * duration * min(1.0, how.capacity.busy / TARGET_BUSY),
        refused=refused,
        max_concurrency=min(float(CONCURRENCY), math.ceil(how.capacity.busy * CONCURRENCY)),
    )


def _draw_resources(how: Behaviour, rng: Random) -> tuple[Distribution, Distribution]:
    """Return cpu and memory utilisation: one sample an instance, as in a 60 s sampling."""
    profile, capacity = PROFILES[how.side], how.capacity
    busy = min(1.0, capacity.busy)
    starting = 0.2 * min(1.0, how.cold_instances / max(1, capacity.active))
    cpu = [
        rng.gauss(0.04 + profile.cpu_at_full * busy + starting, 0.03)
        for _ in range(capacity.active)
    ]
    cpu += [rng.gauss(0.01, 0.003) for _ in range(capacity.idle)]
    memory = [
        rng.gauss(profile.memory + 0.1 * busy, 0.015)
        for _ in range(capacity.active + capacity.idle)
    ]
    return ratios(cpu), ratios(memory)


def pace_of(code: int) -> float:
    """Return how long an answer takes beside a successful one: a refusal is quick."""
    return CLIENT_ERROR_PACE if 400 <= code < 500 else 1.0


def latency_factor(how: Behaviour, pace: float) -> float:
    """Return how many times its median a side's latency has: queueing, cold starts, wander."""
    cold = 1.0 + 0.3 * how.cold_instances / max(1, how.capacity.active)
    return how.capacity.latency_factor * math.exp(pace) * cold


def draw_responses(rng: Random, count: int, how: Behaviour) -> dict[int, int]:
    """Return how many of `count` answers have each code; codes that do not occur are absent."""
    return draw_answers(rng, count, how)[0]


def draw_answers(rng: Random, count: int, how: Behaviour) -> tuple[dict[int, int], int]:
    """Return what `draw_responses` does, and how many of them the scenario's cause made fail: they
    have the cause's status.
    """
    failed = binomial(rng, count, how.error_ratio)
    refused = binomial(rng, count - failed, how.client_error_ratio)
    cause = how.effects.cause
    caused = binomial(rng, failed, caused_share(how)) if cause is not None else 0
    unavailable = binomial(rng, failed - caused, 0.2)
    drawn = {
        200: count - failed - refused,
        404: refused,
        500: failed - caused - unavailable,
        503: unavailable,
    }
    if cause is not None:
        drawn[cause.status] = drawn.get(cause.status, 0) + caused
    return {code: hits for code, hits in drawn.items() if hits}, caused


def caused_share(how: Behaviour) -> float:
    """Return the share of a side's failures, 0…1, that a healthy day would not have."""
    usual = PROFILES[how.side].error_ratio
    return max(0.0, 1.0 - usual / how.error_ratio) if how.error_ratio > 0 else 0.0


def _join(parts: Sequence[Minute]) -> Minute:
    """Return one Minute of the segments in which a revision served; gauges are the last one's."""
    if len(parts) == 1:
        return parts[0]
    last = parts[-1]
    codes = sorted({code for part in parts for code in part.responses})
    return msgspec.structs.replace(
        last,
        responses={code: sum(part.responses.get(code, 0) for part in parts) for code in codes},
        latencies={
            code: merge([part.latencies[code] for part in parts if code in part.latencies])
            for code in codes
        },
        confidence=merge([part.confidence for part in parts]),
        billable_s=sum(part.billable_s for part in parts),
        refused=sum(part.refused for part in parts),
        max_concurrency=max(part.max_concurrency for part in parts),
    )
