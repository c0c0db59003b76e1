"""The one opener of a plan's cloud: connection, router, clock, and the embedded cloud if it is one.

The session (console, `canary guard`, `canary monitor`, every command of the shell) and the executor
open it here. The embedded cloud is started before Google's packages are imported, which happens
beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.clock import CloudClock, SystemClock
from canary.cloud.connection.endpoints import override_endpoints
from canary.cloud.router.choice import open_router
from canary.host.limits import demand_room
from canary.rollout.plan.plan import Endpoints, Plan

if TYPE_CHECKING:
    from canary.cloud.embedded.embedded import EmbeddedCloud
    from canary.cloud.embedded.process import Starting
    from canary.cloud.router.router import Router


@dataclass(frozen=True)
class Cloud:
    """A plan's cloud, connected: all is read and changed through its router.

    `embedded` None: a real one, or a local server of one's own.
    """

    connection: Connection
    endpoints: Endpoints
    router: Router
    clock: CloudClock
    embedded: EmbeddedCloud | None


@contextlib.asynccontextmanager
async def open_cloud(
    plan: Plan,
    directory: Path,
    *,
    need_metrics: bool = False,
    fresh: bool = False,
    starting: Starting | None = None,
) -> AsyncIterator[Cloud]:
    """Connect for as long as the block lasts; nothing is asked of Cloud Run or Monitoring yet.

    The embedded cloud is started or joined (state in `directory`; `fresh`: from its beginning;
    `starting`: it was begun already), and ends with its last user. An address in the plan wins
    over the embedded cloud's. Raises HostProblem where this host has no room, Unavailable when
    the embedded cloud does not come up, PlanError for an address that is missing.
    """
    demand_room()
    async with contextlib.AsyncExitStack() as stack:
        endpoints, clock, embedded = plan.target.endpoints, SystemClock(), None
        if plan.is_embedded:
            embedded, _ = await asyncio.gather(
                _join_embedded(stack, plan, directory, fresh=fresh, starting=starting),
                _import_clients(need_metrics),
            )
            endpoints = override_endpoints(embedded.endpoints, endpoints)
        elif plan.provider == "local" and endpoints.monitoring is None:
            # An independent server for the demonstration speaks both, as the embedded cloud does.
            endpoints = msgspec.structs.replace(endpoints, monitoring=endpoints.run)
        connection = Connection(endpoints, None if embedded is not None else clock.hear)
        stack.push_async_callback(connection.close)
        router = open_router(plan, connection, endpoints)
        stack.push_async_callback(router.close)
        at: CloudClock = embedded.clock if embedded is not None else clock
        yield Cloud(connection, endpoints, router, at, embedded)


async def _join_embedded(
    stack: contextlib.AsyncExitStack,
    plan: Plan,
    directory: Path,
    *,
    fresh: bool,
    starting: Starting | None,
) -> EmbeddedCloud:
    from canary.cloud.embedded.embedded import open_embedded

    embedded = await open_embedded(plan, directory, fresh=fresh, starting=starting)
    stack.push_async_callback(embedded.close)
    return embedded


async def _import_clients(need_metrics: bool) -> None:
    """Import Google's packages on a thread: half a second beside the cloud's own start."""
    from canary.cloud.connection.client_modules import Api, load_api

    wanted: list[Api] = ["services"]
    if need_metrics:
        wanted.append("metrics")
    # A pause first, so that the other process is on its way before this one is busy.
    await asyncio.sleep(0)
    for api in wanted:
        await asyncio.to_thread(load_api, api)
