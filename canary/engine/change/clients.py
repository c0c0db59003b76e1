"""What is needed to change the cloud: the adapters and the clock, opened for one plan."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.clock import CloudClock, SystemClock
from canary.cloud.embedded.embedded import EmbeddedCloud, open_embedded
from canary.cloud.router.routing import open_routing, override_endpoints
from canary.engine.change.settling import ServiceReader, StepSender
from canary.rollout.plan.plan import Plan


class CloudClients(NamedTuple):
    """Writer and reader of Cloud Run, and the cloud's clock. `embedded` None: a cloud elsewhere."""

    writer: StepSender
    reader: ServiceReader
    clock: CloudClock
    embedded: EmbeddedCloud | None = None


@contextlib.asynccontextmanager
async def open_hands(plan: Plan, directory: Path) -> AsyncIterator[CloudClients]:
    """Connect to the plan's cloud; the embedded one is started or joined (state in `directory`).

    An address for Cloud Run in the plan wins over the embedded cloud. Raises Unavailable when the
    embedded cloud does not come up; everything else is learned at the first call.
    """
    async with contextlib.AsyncExitStack() as stack:
        embedded: EmbeddedCloud | None = None
        endpoints, clock = plan.target.endpoints, SystemClock()
        if plan.provider == "local" and endpoints.run is None:
            embedded = await open_embedded(plan, directory)
            stack.push_async_callback(embedded.close)
            endpoints = override_endpoints(embedded.endpoints, endpoints)
        connection = Connection(endpoints, None if embedded else clock.hear)
        stack.push_async_callback(connection.close)
        routing = open_routing(plan, connection, endpoints)
        stack.push_async_callback(routing.close)
        at = embedded.clock if embedded else clock
        yield CloudClients(routing.writer, routing.reader, at, embedded)
