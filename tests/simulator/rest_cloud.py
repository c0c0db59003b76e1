"""The embedded cloud's REST APIs in the test's own event loop, with an httpx client on them.

The clock stands still until a test advances it, unless it is asked to run.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import httpx

from canary.simulator.api.apis import Apis, open_apis
from canary.simulator.api.grpc_server import start_grpc
from canary.simulator.config import Config, RouterConfig
from canary.simulator.control.http_server import start_http
from canary.simulator.control.ownership import Leases
from canary.simulator.endpoints import bind
from canary.simulator.world.world import World
from tests.simulator.local_cloud import START, LocalCloud

PLAIN = False
"""No certificates are read for plain http on loopback: 30 ms a client."""


class RestCloud(LocalCloud):
    """A world with both protocols, and one client of each kind."""

    def __init__(
        self, world: World, channel: grpc.aio.Channel, apis: Apis, client: httpx.AsyncClient
    ) -> None:
        super().__init__(world, channel)
        self.apis = apis
        self.rest = client

    @property
    def port(self) -> int:
        return int(self.world.endpoints.router.rpartition(":")[2])

    @property
    def percent(self) -> int:
        """Canary's share of the requests now."""
        self.world.settle()
        return self.world.timeline.split_at(self.now)


@contextlib.asynccontextmanager
async def rest_cloud(
    router: RouterConfig | str = "env", *, running: bool = False, **settings: Any
) -> AsyncIterator[RestCloud]:
    """Yield a fresh cloud with three hours of history (other Config fields by keyword)."""
    router = RouterConfig(kind=router) if isinstance(router, str) else router
    defaults: dict[str, Any] = {"start_unix": START, "soaked_hours": 1.0, "speed": 60.0}
    config = Config(router=router, **(defaults | settings))
    world = World(config, monotonic=time.monotonic if running else lambda: 0.0)
    world.endpoints, listeners = bind(config)
    apis = open_apis(world)
    server, port = await start_grpc(world, apis)
    leases = Leases(lambda: None, first_s=3600.0, grace_s=3600.0)
    runners = await start_http(world, leases, listeners, apis)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    try:
        async with httpx.AsyncClient(base_url=world.endpoints.router, verify=PLAIN) as client:
            yield RestCloud(world, channel, apis, client)
    finally:
        await channel.close()
        await server.stop(None)
        for runner in runners:
            await runner.cleanup()
        leases.stop()
        world.close()
