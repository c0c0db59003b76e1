"""Reader and writer of a plan's split, whatever the router; and where Google's REST APIs are.

With `env` and `revisions` both are Cloud Run's own. With `url-map` and `command` they are Cloud
Run's with the split taken from and sent to where it really is; callers see no difference.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from canary.cloud.artifact_registry import PUBLIC as PUBLIC_REGISTRY
from canary.cloud.artifact_registry import SOURCE as REGISTRY
from canary.cloud.artifact_registry import ImageRegistry
from canary.cloud.connection import Connection
from canary.cloud.run import RunReader
from canary.cloud.run_writer import RunWriter
from canary.cloud.step_writer import StepWriter
from canary.rollout.errors import PlanError
from canary.rollout.plan import Endpoints, Plan

if TYPE_CHECKING:
    from canary.cloud.rest import RestClient


class Routing(NamedTuple):
    """What a plan's split is read and changed with. `close` gives its own connections back."""

    reader: RunReader
    writer: StepWriter
    images: ImageRegistry
    close: Callable[[], Awaitable[None]]


class _Split(NamedTuple):
    """Reader and writer of the split alone."""

    reader: RunReader
    writer: RunWriter
    close: Callable[[], Awaitable[None]]


def open_routing(plan: Plan, connection: Connection, endpoints: Endpoints) -> Routing:
    """Reader and writer for the plan's router; nothing is asked yet.

    Raises PlanError when the plan runs locally and does not say where its URL map is.
    """
    reader, split, close_split = _open_split(plan, connection, endpoints)
    images = ImageRegistry(lambda: _open_registry(plan, endpoints))

    async def close() -> None:
        await close_split()
        await images.close()

    return Routing(reader, StepWriter(split, reader, images), images, close)


def _open_registry(plan: Plan, endpoints: Endpoints) -> RestClient:
    from canary.cloud.rest import RestClient

    address = rest_address(plan, endpoints, "artifact_registry")
    key = "target.endpoints.artifact_registry"
    return RestClient(address, PUBLIC_REGISTRY, key=key, source=REGISTRY)


def _open_split(plan: Plan, connection: Connection, endpoints: Endpoints) -> _Split:
    kind = plan.target.router.kind
    if kind == "url-map":
        from canary.cloud.rest import RestClient
        from canary.cloud.url_map import SOURCE
        from canary.cloud.url_map_split import PUBLIC, UrlMap, UrlMapReader, UrlMapWriter

        address = rest_address(plan, endpoints, "compute")
        rest = RestClient(address, PUBLIC, key="target.endpoints.compute", source=SOURCE)
        url_map = UrlMap(rest, plan)
        return _Split(
            UrlMapReader(connection, plan, url_map),
            UrlMapWriter(connection, plan, url_map),
            url_map.close,
        )
    if kind == "command":
        from canary.cloud.command_split import CommandReader, CommandWriter

        return _Split(CommandReader(connection, plan), CommandWriter(connection, plan), _nothing)
    return _Split(RunReader(connection, plan), RunWriter(connection, plan), _nothing)


def rest_address(plan: Plan, endpoints: Endpoints, api: str) -> str | None:
    """The address of a REST API (a name of `Endpoints`); None is Google's public one.

    Raises PlanError rather than let a demonstration reach for the real cloud.
    """
    address: str | None = getattr(endpoints, api)
    if address is None and plan.provider == "local":
        raise PlanError(
            f"The plan runs locally and does not say where {api.replace('_', ' ')} is.",
            remedy=f"Set target.endpoints.{api}.",
        )
    return address


def override_endpoints(endpoints: Endpoints, given: Endpoints) -> Endpoints:
    """`endpoints` with every address that the plan gives itself put in its place."""
    addresses = msgspec.structs.asdict(given)
    chosen = {name: address for name, address in addresses.items() if address is not None}
    return msgspec.structs.replace(endpoints, **chosen)


async def _nothing() -> None:
    """There is nothing of its own to close."""
