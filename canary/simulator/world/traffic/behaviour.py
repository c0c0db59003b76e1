"""How a side answers at one moment: load, instances, scenario and profile together.

Instances are scaled as Cloud Run does it; with too few of them answers wait, then are refused.
"""

from __future__ import annotations

import math

import msgspec

from canary.simulator.config import Config, SideName
from canary.simulator.world.timeline import DEFAULT_SCALE, NewRevision, Regime, Timeline
from canary.simulator.world.traffic.arrivals import Arrivals
from canary.simulator.world.traffic.causes import INSTANCES
from canary.simulator.world.traffic.minute import MINUTE_S
from canary.simulator.world.traffic.scenarios import (
    PROFILES,
    SIDES,
    SideEffects,
    side_effects,
)

CONCURRENCY = 8
"""Requests that one instance takes at once (containerConcurrency)."""

TARGET_BUSY = 0.6
"""Cloud Run adds instances to keep them about this busy."""

SLOW_FROM_BUSY = 0.65
QUEUE_LIMIT_S = 10.0
"""Longest wait for an instance; then the front answers 429."""

STARTUP_S = 6.0
"""A container's start, which request_latencies leaves out but the caller waits for."""

IDLE_LOOKBACK_MIN = (5, 10, 15)
"""An instance that is not needed any more is kept for up to 15 minutes."""


class Capacity(msgspec.Struct, frozen=True):
    """What a side has at one moment, and how it copes."""

    active: int
    """Instances that serve."""
    idle: int
    busy: float
    """Requests in flight ÷ places for them; above 1 it is too little."""
    latency_factor: float
    refused_ratio: float
    """Share of the requests that find no instance and are answered 429 by the front."""


def instances_needed(in_flight: float, least: int, most: int) -> int:
    """Return how many instances the autoscaler wants for the requests in flight."""
    wanted = math.ceil(in_flight / (CONCURRENCY * TARGET_BUSY) - 1e-9)
    return min(max(wanted, 0), max(most, least))


def cope(in_flight: float, mean_s: float, active: int, kept: int) -> Capacity:
    """Return how `active` instances cope with a load.

    `in_flight` is the requests in flight if none had to wait, `mean_s` their mean latency,
    `kept` how many instances are up at least (minimum, or not yet taken away).
    """
    idle = max(0, kept - active)
    if in_flight <= 0.0:
        return Capacity(0, max(active, kept), 0.0, 1.0, 0.0)
    if active == 0:
        return Capacity(0, idle, 0.0, 1.0, 1.0)
    busy = in_flight / (active * CONCURRENCY)
    return Capacity(active, idle, busy, _latency_factor(busy, mean_s), max(0.0, 1.0 - 1.0 / busy))


def _latency_factor(busy: float, mean_s: float) -> float:
    """Return by how much queueing stretches latency: slowly at first, past 1 by the queue."""
    if busy <= SLOW_FROM_BUSY:
        return 1.0
    inside = 1.0 + 1.5 * (min(busy, 1.0) - SLOW_FROM_BUSY) / (1.0 - SLOW_FROM_BUSY)
    waiting_s = min(QUEUE_LIMIT_S, 20.0 * max(0.0, busy - 1.0))
    return inside + waiting_s / max(mean_s, 0.05)


BUSIEST_HOUR = 15.0
DAILY_SWING = 0.35
"""Requests at the busiest hour (UTC) are this much above the day's mean, at night below it."""


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
    restarts: int = 0
    """How often its instances have crashed and been started anew."""


class Behaviours:
    """Derives the behaviour of a side at any moment from the timeline and the real arrivals."""

    def __init__(
        self, config: Config, timeline: Timeline, arrivals: Arrivals, requests_per_s: float
    ) -> None:
        self._by_share = config.router.shares_one_service
        self._timeline = timeline
        self._arrivals = arrivals
        self._requests_per_s = requests_per_s

    def requests_per_s(self, now: float) -> float:
        """Return the expected requests a second of both sides together."""
        hours = (now / 3600.0 - BUSIEST_HOUR) / 24.0
        return self._requests_per_s * (1.0 + DAILY_SWING * math.cos(2.0 * math.pi * hours))

    def at(self, side: SideName, when: float, regime: Regime) -> Behaviour | None:
        """Return how a side answers at a time; None when it has never been deployed."""
        revision = regime.revisions.get(side)
        if revision is None:
            return None
        profile = PROFILES[side]
        effects = side_effects(regime.scenario, side)
        median_ms, sigma = profile.shape
        error_ratio, restarts = effects.error_ratio, 0
        if effects.bursts is not None and regime.scenario is not None:
            since = regime.scenario.at
            error_ratio = effects.bursts.ratio_at(since, side, when)
            restarts = effects.bursts.restarts(since, when)
        capacity = self._capacity(side, when, regime)
        if effects.cause is not None and effects.cause.instance:
            capacity = msgspec.structs.replace(capacity, active=max(capacity.active, INSTANCES))
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
            restarts=restarts,
        )

    def edges(self, start: float, end: float, regime: Regime) -> list[float]:
        """Return the times between two at which a side's errors begin or end."""
        if regime.scenario is None:
            return []
        since = regime.scenario.at
        bursts = {side_effects(regime.scenario, side).bursts for side in SIDES} - {None}
        return sorted({at for one in bursts if one for at in one.edges(since, start, end)})

    def _capacity(self, side: SideName, when: float, regime: Regime) -> Capacity:
        least, most = self._bounds(side, regime)
        in_flight, mean_s = self._demand(side, when, regime)
        active = instances_needed(in_flight, least, most)
        kept = max([least, *(self._needed(side, when - 60.0 * back) for back in IDLE_LOOKBACK_MIN)])
        end = int(when // MINUTE_S + 1) * MINUTE_S
        serving = regime.revisions[side]
        kept_min = IDLE_LOOKBACK_MIN[-1]
        if self._arrivals.lately(end, serving.service, serving.revision, kept_min):
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
        serving = regime.revisions[side]
        mean_s = (
            PROFILES[side].mean_ms / 1000.0 * side_effects(regime.scenario, side).latency_factor
        )
        per_s = self.requests_per_s(when) * _share(side, regime)
        end = int(when // MINUTE_S + 1) * MINUTE_S
        per_s += self._arrivals.per_s(end, serving.service, serving.revision)
        return per_s * mean_s, mean_s

    def _bounds(self, side: SideName, regime: Regime) -> tuple[int, int]:
        """Return (least, most) instances of a side.

        Two revisions of one service share the service's bounds by their share of the traffic.
        """
        service = regime.revisions[side].service
        least, most = regime.scales.get(service, DEFAULT_SCALE)
        if self._by_share:
            share = _share(side, regime)
            return math.ceil(least * share - 1e-9), math.ceil(most * share - 1e-9)
        return least, most


def _share(side: SideName, regime: Regime) -> float:
    canary = regime.percent / 100.0
    return canary if side == "canary" else 1.0 - canary
