"""The HTTP side of the services, and the router in front of them."""

from __future__ import annotations

import asyncio
from random import Random

import msgspec
from aiohttp import web

from canary.simulator.config import SideName
from canary.simulator.world.faults import HTTP_STATUS, Fault
from canary.simulator.world.traffic.answers import HEALTH, Answer, answer, count_answer, pick_side
from canary.simulator.world.world import World

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
        side = self._side or pick_side(world, self._rng)
        method = f"http:{world.config.service_of(side)}{request.path}"
        fault = world.fault_for(method)
        if fault is not None:
            await asyncio.sleep(fault.delay_s)
            if fault.code and not fault.after_apply:
                return _failed(fault)
        given = answer(world, side, request.path, self._rng)
        wait_s = (given.wait_ms + given.latency_ms) / 1000.0
        await asyncio.sleep(world.clock.real_seconds(wait_s))
        count_answer(world, given)
        if fault is not None and fault.after_apply:
            return _failed(fault)
        return _respond(given, request.path)


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


def _failed(fault: Fault) -> web.Response:
    status = HTTP_STATUS.get(fault.code, 500)
    body = msgspec.json.encode({"error": fault.message or fault.code})
    return web.Response(status=status, body=body, content_type="application/json")


_ERRORS = {404: "not found", 500: "internal error", 503: "unavailable"}
