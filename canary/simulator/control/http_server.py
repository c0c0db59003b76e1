"""The HTTP servers of the embedded cloud: REST APIs, and the control side under /_cloud/.

The control side has clock, scenarios, faults, lease and state.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar
from weakref import WeakSet

import msgspec
from aiohttp import web

from canary.simulator.api.apis import Apis
from canary.simulator.api.bigquery import BigQueryApi
from canary.simulator.api.openmetrics import PATH as METRICS_PATH
from canary.simulator.api.openmetrics import Exposition
from canary.simulator.api.registry import Images, RegistryApi
from canary.simulator.api.rest import Rest, respond
from canary.simulator.api.run.knative import KnativeApi
from canary.simulator.api.url_maps import UrlMapApi
from canary.simulator.control.http_services import Front
from canary.simulator.control.ownership import Leases
from canary.simulator.endpoints import Listener
from canary.simulator.wire.peers import REFUSAL, REFUSAL_OF_PAGES, Doorkeeper, is_from_a_page
from canary.simulator.world.faults import Fault
from canary.simulator.world.traffic.scenarios import SCENARIOS, SIDES
from canary.simulator.world.url_maps import UrlMaps
from canary.simulator.world.world import World

PREFIX = "/_cloud"
HEARTBEAT_S = 15.0

BodyT = TypeVar("BodyT")


class ScenarioBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /_cloud/scenario."""

    name: str
    params: dict[str, float] = {}


class ClockBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /_cloud/clock: another speed, a jump forwards, or both (the speed first)."""

    speed: float | None = None
    advance_s: float | None = None


@dataclasses.dataclass(frozen=True)
class Control:
    """Handlers of the control side; a wrong body is answered 400 with `{"error": …}`."""

    world: World
    leases: Leases

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get(f"{PREFIX}/clock", self.get_clock),
            web.post(f"{PREFIX}/clock", self.post_clock),
            web.get(f"{PREFIX}/scenarios", self.get_scenarios),
            web.post(f"{PREFIX}/scenario", self.post_scenario),
            web.get(f"{PREFIX}/faults", self.get_faults),
            web.post(f"{PREFIX}/faults", self.post_fault),
            web.delete(f"{PREFIX}/faults", self.delete_faults),
            web.get(f"{PREFIX}/lease", self.get_lease),
            web.post(f"{PREFIX}/end", self.post_end),
            web.get(f"{PREFIX}/state", self.get_state),
        ]

    async def get_clock(self, _: web.Request) -> web.Response:
        """Answer cloud time, speed, the scenario that is on, and those there are."""
        return respond(self._clock())

    async def post_clock(self, request: web.Request) -> web.Response:
        """Set the speed, jump forwards; answer as `get_clock` does, after everything settled."""
        body = await _body(request, ClockBody)
        clock = self.world.clock
        if body.speed is not None:
            _or_400(lambda: clock.set_speed(body.speed or 0.0))
        if body.advance_s is not None:
            _or_400(lambda: clock.advance(body.advance_s or 0.0))
        self.world.settle()
        self.world.save()
        return respond(self._clock())

    async def get_scenarios(self, _: web.Request) -> web.Response:
        """Answer the scenarios there are, with a sentence about each, healthy first."""
        return respond([{"name": one.name, "about": one.about} for one in SCENARIOS.values()])

    async def post_scenario(self, request: web.Request) -> web.Response:
        """Begin a scenario; answer as `get_clock` does."""
        body = await _body(request, ScenarioBody)
        _or_400(lambda: self.world.scenario.switch(body.name, body.params))
        self.world.settle()
        return respond(self._clock())

    async def get_faults(self, _: web.Request) -> web.Response:
        """Answer the faults that are still to come."""
        return respond({"faults": self.world.faults.faults})

    async def post_fault(self, request: web.Request) -> web.Response:
        """Add a fault; answer all that are still to come."""
        self.world.faults.add(await _body(request, Fault))
        return await self.get_faults(request)

    async def delete_faults(self, request: web.Request) -> web.Response:
        """Take away the faults of `?method=PATTERN`, or all."""
        self.world.faults.clear(request.query.get("method"))
        return await self.get_faults(request)

    async def get_lease(self, request: web.Request) -> web.StreamResponse:
        """Hold a lease until the connection closes (which cancels this handler)."""
        response = web.StreamResponse(headers={"content-type": "text/plain; charset=utf-8"})
        with self.leases.hold():
            await response.prepare(request)
            while True:
                # The heartbeat finds a peer that is gone without having closed; it is no clock.
                await response.write(b"\n")
                await asyncio.sleep(HEARTBEAT_S)

    async def post_end(self, _: web.Request) -> web.Response:
        """End at once if it lives by leases and nobody holds one; answer whether it does."""
        ends = self.world.config.leases and self.leases.end_unused()
        return respond({"ends": ends})

    async def get_state(self, _: web.Request) -> web.Response:
        """Answer what the world is made of right now, for people who look for a fault."""
        world, now = self.world, self.world.clock.now()
        world.settle()
        behaviours = {side: world.traffic.behaviour(side, now) for side in SIDES}
        return respond(
            {
                **self._clock(),
                "config": world.config,
                "endpoints": world.endpoints,
                "origin": world.origin,
                "leases": self.leases.held,
                "percent": world.timeline.split_at(now),
                "scenario_state": world.scenario.current(now),
                "sides": behaviours,
                "faults": world.faults.faults,
                "calls": world.calls,
                "timeline": list(world.timeline),
            }
        )

    def _clock(self) -> dict[str, Any]:
        return {
            "now": self.world.clock.now(),
            "speed": self.world.clock.speed,
            "scenario": self.world.scenario_name,
            "scenarios": list(SCENARIOS),
        }


async def _body(request: web.Request, kind: type[BodyT]) -> BodyT:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.MsgspecError as exc:
        raise _bad_request(str(exc)) from exc


def _or_400(act: Callable[[], None]) -> None:
    try:
        act()
    except ValueError as exc:
        raise _bad_request(str(exc)) from exc


def _bad_request(reason: str) -> web.HTTPBadRequest:
    body = msgspec.json.encode({"error": reason}).decode()
    return web.HTTPBadRequest(text=body, content_type="application/json")


def rest_routes(world: World, apis: Apis) -> list[web.RouteDef]:
    """Return the routes of all REST APIs over one world."""
    rest = Rest(world)
    # What was deployed first; a registry that was saved once knows better.
    deployed = [
        container.image
        for revisions in apis.state.revisions.values()
        for revision in revisions.values()
        for container in revision.containers
    ]
    return [
        *KnativeApi(world, apis).routes(rest),
        *RegistryApi(world, Images(world, deployed)).routes(rest),
        *BigQueryApi(world).routes(rest),
        *UrlMapApi(world, UrlMaps(world)).routes(rest),
    ]


def _keep_door(door: Doorkeeper) -> Any:
    """A middleware that answers this user and root alone, asked once for each connection; and no
    page in a browser of theirs.
    """
    admitted: WeakSet[Any] = WeakSet()

    @web.middleware
    async def admit(request: web.Request, handler: Any) -> web.StreamResponse:
        transport = request.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        own = transport.get_extra_info("sockname") if transport is not None else None
        if transport not in admitted:
            if not peer or not own or not door.admits(peer[1], own[1]):
                return respond({"error": {"code": 403, "message": REFUSAL}}, 403)
            admitted.add(transport)
        if is_from_a_page(request.headers.items()):
            return respond({"error": {"code": 403, "message": REFUSAL_OF_PAGES}}, 403)
        response: web.StreamResponse = await handler(request)
        return response

    return admit


def _scraped(exposition: Exposition, listener: Listener) -> Any:
    """Answers a scrape of one service, or of both at the router's own address."""

    async def answer(request: web.Request) -> web.Response:
        return exposition.respond(listener.side, request.headers.get("accept", ""))

    return answer


SHUTDOWN_S = 0.5


async def start_http(
    world: World, leases: Leases, listeners: Sequence[Listener], apis: Apis | None = None
) -> list[web.AppRunner]:
    """Serve every listener; the caller cleans the runners up in the end.

    The REST APIs are beside the router's paths, where `apis` are given.
    """
    rng = Random(world.origin.seed)
    exposition = Exposition(world)
    runners = []
    for listener in listeners:
        app = web.Application(middlewares=[_keep_door(Doorkeeper())])
        if listener.control:
            app.add_routes(Control(world, leases).routes())
        if listener.control and apis is not None:
            app.add_routes(rest_routes(world, apis))
        app.router.add_get(METRICS_PATH, _scraped(exposition, listener))
        app.router.add_route("*", "/{path:.*}", Front(world, listener.side, rng).handle)
        # handler_cancellation: a closed connection ends its lease at once, and a caller that
        # gave up is not answered.
        runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S
        )
        await runner.setup()
        await web.SockSite(runner, listener.sock).start()
        runners.append(runner)
    return runners
