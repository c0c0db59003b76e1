"""Reader and writer of a plan's split, whatever the router; and where Google's REST APIs are.

With `env` and `revisions` both are Cloud Run's own. With `url-map` and `command` they are Cloud
Run's with the split taken from and sent to where it really is; callers see no difference.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.registry.artifact_registry import OPERATION, ImageRegistry
from canary.cloud.registry.artifact_registry import PUBLIC as PUBLIC_REGISTRY
from canary.cloud.registry.artifact_registry import SOURCE as REGISTRY
from canary.cloud.run.reader import RunReader
from canary.cloud.run.writer import RunWriter
from canary.cloud.views import OperationState
from canary.rollout.change.change import DeleteImages, Removal, Step
from canary.rollout.errors import NotFound, PlanError
from canary.rollout.plan.plan import Endpoints, Plan

if TYPE_CHECKING:
    from canary.cloud.connection.rest import RestClient


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
    from canary.cloud.connection.rest import RestClient

    address = rest_address(plan, endpoints, "artifact_registry")
    key = "target.endpoints.artifact_registry"
    return RestClient(address, PUBLIC_REGISTRY, key=key, source=REGISTRY)


def _open_split(plan: Plan, connection: Connection, endpoints: Endpoints) -> _Split:
    kind = plan.target.router.kind
    if kind == "url-map":
        from canary.cloud.connection.rest import RestClient
        from canary.cloud.load_balancer.split import PUBLIC, UrlMap, UrlMapReader, UrlMapWriter
        from canary.cloud.load_balancer.url_map import SOURCE

        address = rest_address(plan, endpoints, "compute")
        rest = RestClient(address, PUBLIC, key="target.endpoints.compute", source=SOURCE)
        url_map = UrlMap(rest, plan)
        return _Split(
            UrlMapReader(connection, plan, url_map),
            UrlMapWriter(connection, plan, url_map),
            url_map.close,
        )
    if kind == "command":
        from canary.cloud.router.command import CommandReader, CommandWriter

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


# Sends each step of a change to where it belongs: the split's writer, or the image registry.


class StepWriter:
    """What a change's steps are sent with, whatever the plan's router. Decides nothing."""

    def __init__(self, split: RunWriter, reader: RunReader, images: ImageRegistry) -> None:
        self._split = split
        self._reader = reader
        self._images = images

    async def send(self, step: Step, *, validate_only: bool = False) -> str:
        """Send one step and return the operation's name ("" when only validated)."""
        if isinstance(step, DeleteImages):
            return "" if validate_only else await self._images.delete(step)
        return await self._split.send(step, validate_only=validate_only)

    async def operation(self, name: str) -> OperationState:
        """How far an operation is, wherever it runs."""
        if name.startswith(OPERATION):
            return await self._images.operation(name)
        return await self._split.operation(name)

    async def gone(self, step: Removal) -> bool:
        """Whether what a step was to delete is gone. Raises CanaryError when that is not known."""
        if isinstance(step, DeleteImages):
            for image in step.images:
                if await self._images.exists(image):
                    return False
            return True
        try:
            await self._reader.message(step.service)
        except NotFound:
            return True
        return False
