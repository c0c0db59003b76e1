"""The HTTP servers of the embedded cloud, on sockets that already listen."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from aiohttp import web

from canary.simulator.api.grpc_server import Apis
from canary.simulator.api.rest_apis import rest_routes
from canary.simulator.control.http_control import Control
from canary.simulator.control.http_services import Front
from canary.simulator.control.leases import Leases
from canary.simulator.endpoints import Listener
from canary.simulator.world.world import World

SHUTDOWN_S = 0.5


async def start_http(
    world: World, leases: Leases, listeners: Sequence[Listener], apis: Apis | None = None
) -> list[web.AppRunner]:
    """Serve every listener; the caller cleans the runners up in the end.

    The REST APIs are beside the router's paths, where `apis` are given.
    """
    rng = Random(world.origin.seed)
    runners = []
    for listener in listeners:
        app = web.Application()
        if listener.control:
            app.add_routes(Control(world, leases).routes())
        if listener.control and apis is not None:
            app.add_routes(rest_routes(world, apis))
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
