"""The HTTP side of the services, and the router in front of them.

A request that really arrives is answered by the model that the minutes are drawn from.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from random import Random

import msgspec
from aiohttp import web

from canary.simulator.config import SideName
from canary.simulator.world.faults import HTTP_STATUS, Fault
from canary.simulator.world.traffic.behaviour import STARTUP_S, Behaviour
from canary.simulator.world.traffic.sampling import draw_score
from canary.simulator.world.traffic.scenarios import SIDES
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
    """By the front, before any instance; such a request is in the request log alone."""


COOKIE = "GAESA"
"""Cloud Run's own, by which session affinity knows a client again."""


def pick_side(world: World, rng: Random, cookie: str = "") -> SideName:
    """Return the side that the router sends the next request to; a client that is known by its
    cookie goes where it was, with session affinity.
    """
    if sticks(world) and cookie in SIDES:
        return "canary" if cookie == "canary" else "legacy"
    percent = world.timeline.split_at(world.clock.now())
    return "canary" if rng.random() * 100.0 < percent else "legacy"


def sticks(world: World) -> bool:
    """Return whether session affinity is on."""
    now = world.clock.now()
    return world.timeline.regime_at(now).affinity or world.scenario.current(now).session_affinity


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
        arrivals.count_refused(now, given.service, given.revision, given.status)


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


SERVICE_HEADER = "x-canary-service"
REVISION_HEADER = "x-canary-revision"


class Front:
    """Answers requests for one side, or for both by the split (side None: the router)."""

    def __init__(self, world: World, side: SideName | None, rng: Random) -> None:
        self._world = world
        self._side = side
        self._rng = rng

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any path, after the model's latency divided by the clock's speed."""
        world = self._world
        world.settle()
        side = self._side or pick_side(world, self._rng, request.cookies.get(COOKIE, ""))
        method = f"http:{world.config.service_of(side)}{request.path}"
        fault = world.fault_for(method)
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
            if fault.shape in BARRIERS:
                return BARRIERS[fault.shape]()
            if fault.code and not fault.after_apply:
                return _failed(fault)
        given = answer(world, side, request.path, self._rng)
        wait_s = (given.wait_ms + given.latency_ms) / 1000.0
        await asyncio.sleep(world.clock.real_seconds(wait_s))
        count_answer(world, given)
        if fault is not None and fault.after_apply:
            return _failed(fault)
        response = _respond(given, request.path)
        if self._side is None and sticks(world):
            response.set_cookie(COOKIE, side, max_age=2_592_000)  # 30 days, as over there
        return response


def _respond(given: Answer, path: str) -> web.Response:
    headers = {SERVICE_HEADER: given.service}
    if given.revision:
        headers[REVISION_HEADER] = given.revision
    body: dict[str, object] = {"service": given.service, "revision": given.revision}
    if given.status == 429:
        # The words of Cloud Run's own front end.
        return web.Response(status=429, text="Rate exceeded.", headers=headers)
    if given.status != 200:
        body["error"] = _ERRORS.get(given.status, "failed")
    elif path == HEALTH:
        body["status"] = "healthy"
    else:
        body["confidence"] = given.confidence
        body["reply" if path == "/chat" else "items"] = "…" if path == "/chat" else []
    return web.Response(
        status=given.status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )


# What Google's front answers instead of the service, as it says it.


def _page(status: int, title: str, said: str) -> web.Response:
    text = (
        '<html><head>\n<meta http-equiv="content-type" content="text/html;charset=utf-8">\n'
        f"<title>{status} {title}</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n"
        f"<h1>Error: {title}</h1>\n<h2>{said}</h2>\n<h2></h2>\n</body></html>\n"
    )
    headers = {"server": "Google Frontend"}
    return web.Response(status=status, text=text, content_type="text/html", headers=headers)


def _internal() -> web.Response:
    return _page(404, "Page not found", "The requested URL was not found on this server.")


def _forbidden() -> web.Response:
    said = "Your client does not have permission to get URL <code>/</code> from this server."
    return _page(403, "Forbidden", said)


def _login() -> web.Response:
    headers = {
        "location": "https://accounts.google.com/o/oauth2/v2/auth?client_id=x",
        "x-goog-iap-generated-response": "true",
    }
    return web.Response(status=302, headers=headers)


BARRIERS: dict[str, Callable[[], web.Response]] = {
    "internal-ingress": _internal,
    "iam": _forbidden,
    "iap": _login,
}
"""Shapes of a fault: who asks is not let through to the service."""


def _failed(fault: Fault) -> web.Response:
    status = HTTP_STATUS.get(fault.code, 500)
    body = msgspec.json.encode({"error": fault.message or fault.code})
    return web.Response(status=status, body=body, content_type="application/json")


_ERRORS = {404: "not found", 500: "internal error", 503: "unavailable"}
