"""The model of traffic: from the timeline and a seed to the numbers of every minute.

Nothing here is stored. A minute is a function of (seed, minute, timeline, real arrivals), so a
history of days costs nothing until it is asked for, and reads the same after a restart.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

import msgspec

from canary.simulator.arrivals import Arrivals
from canary.simulator.capacity import (
    CONCURRENCY,
    IDLE_LOOKBACK_MIN,
    TARGET_BUSY,
    Capacity,
    cope,
    instances_needed,
)
from canary.simulator.config import Config, SideName
from canary.simulator.minute import MINUTE_S, Distribution, Minute, merge
from canary.simulator.sampling import binomial, poisson
from canary.simulator.scenarios import SideEffects, side_effects
from canary.simulator.shapes import confidence_buckets, draw, latency_buckets, log_normal, ratios
from canary.simulator.timeline import DEFAULT_SCALE, NewRevision, Regime, Timeline

SIDES: tuple[SideName, SideName] = ("legacy", "canary")

DAY_S = 86_400.0
BUSIEST_HOUR = 15.0
DAILY_SWING = 0.35
"""Requests at the busiest hour (UTC) are this much above the day's mean, at night below it."""

WANDER = 0.03
"""Minute-to-minute wander of the load and of latency, the same for both sides: a shared cause
(callers, network) must not look like a difference between them."""

CACHED_MINUTES = 12_000


class Profile(msgspec.Struct, frozen=True):
    """A side on a healthy day."""

    mean_ms: float
    p95_ms: float
    confidence: float
    error_ratio: float
    """5xx ÷ all; 4xx ÷ all is half of it."""
    cpu_at_full: float
    memory: float

    @property
    def client_error_ratio(self) -> float:
        """4xx ÷ all."""
        return self.error_ratio / 2.0

    @property
    def shape(self) -> tuple[float, float]:
        """(median ms, sigma) of the log-normal latency."""
        return _log_normal(self.mean_ms, self.p95_ms)


PROFILES: dict[SideName, Profile] = {
    "legacy": Profile(450.0, 1200.0, 0.72, 0.008, 0.95, 0.52),
    "canary": Profile(220.0, 600.0, 0.85, 0.002, 0.80, 0.41),
}
"""The mission's A/B figures: success 0.988 and 0.997, the rest 5xx and 4xx about 2:1."""


class Behaviour(msgspec.Struct, frozen=True):
    """How a side answers at one moment: what minutes are drawn from and real requests get."""

    side: SideName
    revision: NewRevision
    removed: bool
    share: float
    """Of all requests, 0…1."""
    effects: SideEffects
    capacity: Capacity
    median_ms: float
    sigma: float
    error_ratio: float
    client_error_ratio: float
    confidence: float
    cold_instances: int = 0


class Segment(msgspec.Struct, frozen=True):
    """A stretch of a minute in which nothing was changed."""

    start: float
    end: float
    regime: Regime


class Traffic:
    """Computes minutes when asked for them, and keeps the newest CACHED_MINUTES of them."""

    def __init__(
        self, config: Config, timeline: Timeline, seed: int, requests_per_s: float
    ) -> None:
        self.arrivals = Arrivals()
        self._config = config
        self._timeline = timeline
        self._seed = seed
        self._requests_per_s = requests_per_s
        self._cache: dict[int, tuple[Minute, ...]] = {}

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

    def behaviour(self, side: SideName, now: float) -> Behaviour | None:
        """Return how a side answers now; None when it has never been deployed."""
        return self._behaviour(side, now, self._timeline.regime_at(now))

    def requests_per_s(self, now: float) -> float:
        """Return the expected requests a second of both sides together."""
        hours = (now / 3600.0 - BUSIEST_HOUR) / 24.0
        return self._requests_per_s * (1.0 + DAILY_SWING * math.cos(2.0 * math.pi * hours))

    def _minute(self, end: int) -> tuple[Minute, ...]:
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
        shared = Random(f"{self._seed}/{end}")
        load, pace = shared.gauss(0.0, WANDER), shared.gauss(0.0, WANDER)
        for number, segment in enumerate(self._segments(end - MINUTE_S, end)):
            duration = segment.end - segment.start
            expected = self.requests_per_s(segment.start) * duration * math.exp(load)
            requests = poisson(shared, expected)
            to_canary = binomial(shared, requests, segment.regime.percent / 100.0)
            for side, count in (("legacy", requests - to_canary), ("canary", to_canary)):
                rng = Random(f"{self._seed}/{end}/{number}/{side}")
                part = self._part(_side(side), segment, end, count, pace, rng)
                if part is not None:
                    parts.setdefault((part.service, part.revision), []).append(part)
        return tuple(self._with_arrivals(_join(parts[key])) for key in sorted(parts))

    def _segments(self, start: float, end: float) -> Iterator[Segment]:
        cuts = [start, *sorted({event.at for event in self._timeline.between(start, end)}), end]
        for low, high in pairwise(cuts):
            yield Segment(low, high, self._timeline.regime_at(low))

    def _part(
        self, side: SideName, segment: Segment, end: int, count: int, pace: float, rng: Random
    ) -> Minute | None:
        """Return what a side did in a segment; None when it has no series then."""
        how = self._behaviour(side, segment.start, segment.regime)
        if how is None or how.removed or how.effects.silent:
            return None
        refused = binomial(rng, count, how.capacity.refused_ratio)
        count -= refused
        responses = _responses(rng, count, how)
        factor = how.capacity.latency_factor * math.exp(pace)
        factor *= 1.0 + 0.3 * how.cold_instances / max(1, how.capacity.active)
        latencies = {
            code: draw(
                rng, latency_buckets(how.median_ms * factor * _pace_of(code), how.sigma), hits
            )
            for code, hits in responses.items()
        }
        duration = segment.end - segment.start
        cpu, memory = self._resources(how, rng)
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

    def _resources(self, how: Behaviour, rng: Random) -> tuple[Distribution, Distribution]:
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

    def _behaviour(self, side: SideName, when: float, regime: Regime) -> Behaviour | None:
        revision = regime.revisions.get(side)
        if revision is None:
            return None
        profile = PROFILES[side]
        effects = side_effects(regime.scenario, side)
        median_ms, sigma = profile.shape
        error_ratio = effects.error_ratio
        capacity = self._capacity(side, when, regime)
        before = self._needed(side, when - MINUTE_S)
        if revision.at > when - MINUTE_S:
            before = 0
        return Behaviour(
            side=side,
            revision=revision,
            removed=revision.service in regime.removed,
            share=_share(side, regime),
            effects=effects,
            capacity=capacity,
            median_ms=median_ms * effects.latency_factor,
            sigma=sigma,
            error_ratio=profile.error_ratio if error_ratio is None else error_ratio,
            client_error_ratio=profile.client_error_ratio,
            confidence=profile.confidence if effects.confidence is None else effects.confidence,
            cold_instances=max(0, capacity.active - before),
        )

    def _capacity(self, side: SideName, when: float, regime: Regime) -> Capacity:
        least, most = self._bounds(side, regime)
        in_flight, mean_s = self._demand(side, when, regime)
        active = instances_needed(in_flight, least, most)
        kept = max([least, *(self._needed(side, when - 60.0 * back) for back in IDLE_LOOKBACK_MIN)])
        end = int(when // MINUTE_S + 1) * MINUTE_S
        if self.arrivals.lately(end, regime.revisions[side].service, IDLE_LOOKBACK_MIN[-1]):
            kept = max(kept, 1)
        return cope(in_flight, mean_s, active, min(kept, max(most, least)))

    def _needed(self, side: SideName, when: float) -> int:
        regime = self._timeline.regime_at(when)
        if side not in regime.revisions:
            return 0
        in_flight, _ = self._demand(side, when, regime)
        return instances_needed(in_flight, *self._bounds(side, regime))

    def _demand(self, side: SideName, when: float, regime: Regime) -> tuple[float, float]:
        """Return (requests in flight, mean latency in s) if nothing had to wait."""
        service = regime.revisions[side].service
        mean_s = (
            PROFILES[side].mean_ms / 1000.0 * side_effects(regime.scenario, side).latency_factor
        )
        per_s = self.requests_per_s(when) * _share(side, regime)
        per_s += self.arrivals.per_s(int(when // MINUTE_S + 1) * MINUTE_S, service)
        return per_s * mean_s, mean_s

    def _bounds(self, side: SideName, regime: Regime) -> tuple[int, int]:
        """Return (least, most) instances of a side.

        Two revisions of one service share the service's bounds by their share of the traffic.
        """
        service = regime.revisions[side].service
        least, most = regime.scales.get(service, DEFAULT_SCALE)
        if self._config.router.kind == "revisions":
            share = _share(side, regime)
            return math.ceil(least * share), math.ceil(most * share)
        return least, most


_log_normal = functools.lru_cache(log_normal)


def _side(name: str) -> SideName:
    return "legacy" if name == "legacy" else "canary"


def _share(side: SideName, regime: Regime) -> float:
    canary = regime.percent / 100.0
    return canary if side == "canary" else 1.0 - canary


def _pace_of(code: int) -> float:
    """Return how long an answer takes beside a successful one: a refusal is quick."""
    return 0.3 if 400 <= code < 500 else 1.0


def _responses(rng: Random, count: int, how: Behaviour) -> dict[int, int]:
    failed = binomial(rng, count, how.error_ratio)
    refused = binomial(rng, count - failed, how.client_error_ratio)
    unavailable = binomial(rng, failed, 0.2)
    drawn = {
        200: count - failed - refused,
        404: refused,
        500: failed - unavailable,
        503: unavailable,
    }
    return {code: hits for code, hits in drawn.items() if hits}


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
