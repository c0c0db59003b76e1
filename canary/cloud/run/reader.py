"""Cloud Run Admin v2: what is set. Reads are tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.errors import (
    foreign_errors,
    translate,
)
from canary.cloud.connection.retries import read_again
from canary.cloud.run.services import read_revision, read_service
from canary.cloud.views import RevisionState, ServiceState
from canary.rollout.plan.plan import Plan

SOURCE = "Cloud Run"
READ_TIMEOUT_S = 10.0

_Answer = TypeVar("_Answer")


class RunReader:
    """Reads services and revisions of one plan through a Connection (which the caller closes)."""

    def __init__(
        self, connection: Connection, plan: Plan, *, timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._timeout_s = timeout_s

    async def service(self, name: str) -> ServiceState:
        """Return the state of a service. Raises NotFound, Denied, Unavailable, QuotaExhausted."""
        return self.view(await self.message(name))

    def view(self, message: Any) -> ServiceState:
        """Return the state of a service that was read as a message."""
        return read_service(self._plan, message)

    async def message(self, name: str) -> Any:
        """Return a service as the raw protobuf message, for the adapters of this package."""
        client = await self._connection.services()
        service = await self._read(
            f"reading {name}",
            lambda: client.get_service(
                name=service_name(self._plan, name), retry=None, timeout=self._timeout_s
            ),
        )
        return type(service).pb(service)

    async def revisions(self, service: str) -> tuple[RevisionState, ...]:
        """Return the revisions of a service, newest first; empty when it has none."""
        client = await self._connection.revisions()

        async def read_pages() -> list[Any]:
            pager = await client.list_revisions(
                parent=service_name(self._plan, service), retry=None, timeout=self._timeout_s
            )
            pages = [type(page).pb(page) async for page in pager.pages]
            return [revision for page in pages for revision in page.revisions]

        messages = await self._read(f"reading {service}'s revisions", read_pages)
        found = [read_revision(message) for message in messages]
        return tuple(sorted(found, key=lambda r: (-(r.created_at or 0.0), r.name)))

    async def images(self) -> dict[str, tuple[str, ...]]:
        """Return the images that each service's revisions run, as they are written there.

        All services of the region; each image once, in any order.
        """
        client = await self._connection.revisions()

        async def read_pages() -> list[Any]:
            pager = await client.list_revisions(
                parent=service_name(self._plan, "-"), retry=None, timeout=self._timeout_s
            )
            return [type(page).pb(page) async for page in pager.pages]

        found: dict[str, set[str]] = {}
        for page in await self._read("reading all revisions", read_pages):
            for revision in page.revisions:
                service = revision.name.partition("/services/")[2].partition("/")[0]
                named = found.setdefault(service, set())
                named.update(container.image for container in revision.containers)
        return {service: tuple(sorted(named)) for service, named in found.items()}

    async def permissions(self, service: str, names: Iterable[str]) -> set[str]:
        """Return those of the permissions that the caller has on a service."""
        client = await self._connection.services()
        answer = await self._read(
            f"asking for permissions on {service}",
            lambda: client.test_iam_permissions(
                {"resource": service_name(self._plan, service), "permissions": list(names)},
                timeout=self._timeout_s,
            ),
        )
        return set(answer.permissions)

    async def _read(self, doing: str, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        async def read() -> _Answer:
            try:
                return await call()
            except foreign_errors() as exc:
                raise translate(exc, SOURCE, doing) from exc

        return await read_again(read)


def service_name(plan: Plan, service: str) -> str:
    """The full resource name of a service of the plan's project and region."""
    return f"projects/{plan.target.project}/locations/{plan.target.region}/services/{service}"
