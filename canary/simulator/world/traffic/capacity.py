"""Instances: how many a load needs, how many it gets, and what happens when that is too few."""

from __future__ import annotations

import math

import msgspec

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
