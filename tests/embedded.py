"""The embedded cloud for tests of what uses it: real gRPC and HTTP on loopback, the clock by hand.

It runs in the test's own event loop (a few ms instead of half a second for a process), and is told
what it is told by the console: `build_config` of a plan, through the JSON.
"""

import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.clock import ScaledClock
from canary.cloud.embedded.process import build_config
from canary.cloud.monitoring.reader import MonitoringReader
from canary.cloud.router.choice import open_router
from canary.rollout.plan.file import load_plan
from canary.rollout.plan.plan import Endpoints, Plan, Router
from canary.simulator.api.apis import Apis, open_apis
from canary.simulator.api.grpc_server import start_grpc
from canary.simulator.config import parse_config
from canary.simulator.control.ownership import Leases
from canary.simulator.endpoints import bind
from canary.simulator.world.faults import Fault
from canary.simulator.world.traffic.traffic import draw_part
from canary.simulator.world.world import World

START = 1_760_000_040.0
"""Cloud time at which each test begins: a full minute."""

DRAWN = functools.lru_cache(4096)(draw_part)
"""Each cloud here has the same history: a minute of it is drawn once for all that begin alike.
That drawing it again gives the same is for the model's own tests, which run without this.
"""

DEFAULT_PLAN: Plan = load_plan(Path(__file__).parents[1] / "canary.toml")

Embed = Callable[..., AbstractAsyncContextManager["Embedded"]]


class Embedded:
    """A running embedded cloud, with the adapters on it. Its clock stands still unless told to run.

    `plan` points at it by its endpoints, so that it is used as any other server is.
    """

    apis: Apis

    def __init__(self, world: World, plan: Plan, control_url: str) -> None:
        self.world = world
        self.plan = plan
        self.control_url = control_url
        self.connection = Connection(plan.target.endpoints)
        self.run = self.writer = self.router = open_router(plan, self.connection)
        self.monitoring = MonitoringReader(self.connection, plan)
        self.clock = ScaledClock(world.clock.now(), time.monotonic(), 0.0)

    @property
    def endpoints(self) -> Endpoints:
        return self.plan.target.endpoints

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def advance(self, cloud_s: float) -> None:
        """Jump forwards, as POST /_cloud/clock does; `clock` goes along."""
        self.world.clock.advance(cloud_s)
        self.world.settle()
        self.clock.follow(self.world.clock.now(), 0.0)

    def set_scenario(self, name: str, **params: float) -> None:
        self.world.scenario.switch(name, params)
        self.world.settle()

    def break_method(self, method: str, **fault: Any) -> None:
        """Add to the fault table, as POST /_cloud/faults does: code, delay_s, times, shape, …"""
        self.world.faults.add(Fault(method=method, **fault))


def with_router(plan: Plan, **router: Any) -> Plan:
    """The plan with another router."""
    target = msgspec.structs.replace(plan.target, router=Router(**router))
    return msgspec.structs.replace(plan, target=target)


def with_endpoints(plan: Plan, endpoints: Endpoints) -> Plan:
    """The plan with other addresses."""
    target = msgspec.structs.replace(plan.target, endpoints=endpoints)
    return msgspec.structs.replace(plan, target=target)


@contextlib.asynccontextmanager
async def embed(
    plan: Plan = DEFAULT_PLAN,
    *,
    http: bool = False,
    monotonic: Callable[[], float] = lambda: 0.0,
    **config: Any,
) -> AsyncIterator[Embedded]:
    """Run an embedded cloud in memory for a plan; other fields of its Config by keyword.

    Three hours of history, of which the stage has one, unless `soaked_hours` says otherwise.
    `http`: serve the control side, both services and the router, too. `monotonic`: a clock to run
    by, multiplied by the Config's `speed`.
    """
    told = {
        **build_config(plan, None),
        "start_unix": START,
        "soaked_hours": 1.0,
        "policy_write_s": 0.03,
        "speed": 1.0,
        **config,
    }
    parsed = parse_config(msgspec.json.encode(told).decode())
    endpoints, listeners = bind(parsed)
    world = World(parsed, monotonic=monotonic)
    world.endpoints = endpoints
    world.traffic.draw_part = DRAWN
    apis = open_apis(world)
    server, port = await start_grpc(world, apis)
    runners = []
    if http:
        from canary.simulator.control.http_server import start_http

        leases = Leases(lambda: None, first_s=3600, grace_s=3600)
        runners = await start_http(world, leases, listeners, apis)
    address = f"http://127.0.0.1:{port}"
    rest = endpoints.router
    served = Endpoints(
        address,
        address,
        bigquery=rest,
        logging=address,
        compute=rest,
        artifact_registry=rest,
    )
    cloud = Embedded(world, with_endpoints(plan, served), endpoints.router)
    cloud.apis = apis
    try:
        yield cloud
    finally:
        await cloud.router.close()
        await cloud.connection.close()
        for runner in runners:
            await runner.cleanup()
        await server.stop(None)
        for listener in listeners:
            listener.sock.close()
        world.close()
