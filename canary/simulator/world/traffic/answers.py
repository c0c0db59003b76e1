"""How a request that really arrived is answered: by the model that the minutes are drawn from."""

from __future__ import annotations

import math
from random import Random

import msgspec

from canary.simulator.config import SideName
from canary.simulator.world.traffic.behaviour import Behaviour
from canary.simulator.world.traffic.capacity import STARTUP_S
from canary.simulator.world.traffic.shapes import draw_score
from canary.simulator.world.world import World

HEALTH = "/health"
PATHS = (HEALTH, "/chat", "/api/v2/recommend/personalized")
"""What both services answer; everything else is 404 from the application."""

HEALTH_MS = 5.0
UNHEALTHY_FROM = 0.5
"""A health check is not a draw of the error ratio; it fails when the service as a whole does."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is due after `wait_ms` + `latency_ms` of cloud time."""

    status: int
    service: str
    revision: str
    latency_ms: float = 0.0
    wait_ms: float = 0.0
    """A cold start: the caller waits for it, request_latencies leaves it out."""
    confidence: float | None = None
    refused: bool = False
    """By the front, before any instance; such a request is in no metric but instance counts."""


def pick_side(world: World, rng: Random) -> SideName:
    """Return the side that the router sends the next request to."""
    percent = world.timeline.split_at(world.clock.now())
    return "canary" if rng.random() * 100.0 < percent else "legacy"


def answer(world: World, side: SideName, path: str, rng: Random) -> Answer:
    """Return how a side answers a request for a path now."""
    how = world.traffic.behaviour(side, world.clock.now())
    if how is None or how.removed:
        service = world.config.service_of(side)
        return Answer(status=404, service=service, revision="", refused=True)
    service, revision = how.revision.service, how.revision.revision
    if rng.random() < how.capacity.refused_ratio:
        return Answer(status=429, service=service, revision=revision, refused=True)
    cold = how.capacity.active + how.capacity.idle == 0
    status = _status(how, path, rng)
    scored = status == 200 and path != HEALTH
    return Answer(
        status=status,
        service=service,
        revision=revision,
        latency_ms=_latency_ms(how, path, rng),
        wait_ms=STARTUP_S * 1000.0 if cold else 0.0,
        confidence=draw_score(rng, how.confidence) if scored else None,
    )


def count_answer(world: World, given: Answer) -> None:
    """Count an answer that has just gone out, in the minute of now."""
    now, arrivals = world.clock.now(), world.traffic.arrivals
    if not given.refused:
        arrivals.count(
            now, given.service, given.revision, given.status, given.latency_ms, given.confidence
        )
    elif given.revision:
        arrivals.count_refused(now, given.service, given.revision)


def _status(how: Behaviour, path: str, rng: Random) -> int:
    if path not in PATHS:
        return 404
    if path == HEALTH:
        return 503 if how.error_ratio >= UNHEALTHY_FROM else 200
    drawn = rng.random()
    if drawn < how.error_ratio:
        return 500
    return 404 if drawn < how.error_ratio + how.client_error_ratio else 200


def _latency_ms(how: Behaviour, path: str, rng: Random) -> float:
    median_ms = HEALTH_MS * how.effects.latency_factor if path == HEALTH else how.median_ms
    return median_ms * how.capacity.latency_factor * math.exp(rng.gauss(0.0, how.sigma))
