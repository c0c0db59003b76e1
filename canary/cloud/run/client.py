"""Cloud Run Admin v2 as it is: services, revisions and operations as raw messages.

Reads are tried again. Changes never are: an answer that is lost raises OutcomeUnknown, and whoever
sent it looks up what became of it. What a split is, is not known here (`cloud.router`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.errors import foreign_errors, translate, translate_change
from canary.cloud.connection.retries import read_again
from canary.cloud.run.services import read_revision
from canary.cloud.views import RevisionState
from canary.rollout.plan.plan import Plan

SOURCE = "Cloud Run"
READ_TIMEOUT_S = 10.0
CHANGE_TIMEOUT_S = 15.0

_Answer = TypeVar("_Answer")


class RunClient:
    """The services of a plan's project and region, through a Connection (the caller closes it)."""

    def __init__(
        self,
        connection: Connection,
        plan: Plan,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
        change_timeout_s: float = CHANGE_TIMEOUT_S,
    ) -> None:
        self._connection = connection
        self._space = f"projects/{plan.target.project}/locations/{plan.target.region}/services"
        self._read_timeout_s = read_timeout_s
        self._change_timeout_s = change_timeout_s

    async def message(self, name: str) -> Any:
        """A service as the raw message. Raises NotFound, Denied, Unavailable, QuotaExhausted."""
        client = await self._connection.services()
        service = await self._read(
            f"reading {name}",
            lambda: client.get_service(
                name=f"{self._space}/{name}", retry=None, timeout=self._read_timeout_s
            ),
        )
        return type(service).pb(service)

    async def revisions(self, service: str) -> tuple[RevisionState, ...]:
        """The revisions of a service, newest first; empty when it has none."""
        listed = await self._list_revisions(service, f"reading {service}'s revisions")
        found = [read_revision(message) for message in listed]
        return tuple(sorted(found, key=lambda r: (-(r.created_at or 0.0), r.name)))

    async def images(self) -> dict[str, tuple[str, ...]]:
        """The images that each service's revisions run, as they are written there.

        All services of the region; each image once, in any order.
        """
        found: dict[str, set[str]] = {}
        for revision in await self._list_revisions("-", "reading all revisions"):
            service = revision.name.partition("/services/")[2].partition("/")[0]
            named = found.setdefault(service, set())
            named.update(container.image for container in revision.containers)
        return {service: tuple(sorted(named)) for service, named in found.items()}

    async def permissions(self, service: str, names: Iterable[str]) -> set[str]:
        """Those of the permissions that the caller has on a service."""
        client = await self._connection.services()
        answer = await self._read(
            f"asking for permissions on {service}",
            lambda: client.test_iam_permissions(
                {"resource": f"{self._space}/{service}", "permissions": list(names)},
                timeout=self._read_timeout_s,
            ),
        )
        return set(answer.permissions)

    async def update(
        self, update: Any, mask: Iterable[str], doing: str, *, validate_only: bool
    ) -> str:
        """Send one UpdateService, once; return the operation's name ("" when only validated).

        `update` is a raw Service whose etag guards it, `mask` its fields in snake_case. Raises
        Conflict for a stale etag, and OutcomeUnknown when it was not clearly answered.
        """
        client = await self._connection.services()
        from canary.cloud.connection.client_modules import run_modules

        request_class = run_modules().service_types.UpdateServiceRequest
        request = request_class.pb(request_class())
        request.service.CopyFrom(update)
        request.update_mask.paths.extend(mask)
        request.validate_only = validate_only
        return await self._change(
            doing,
            lambda: client.update_service(
                request_class.wrap(request), retry=None, timeout=self._change_timeout_s
            ),
        )

    async def delete(self, service: str, etag: str, *, validate_only: bool) -> str:
        """Send one DeleteService, once; answers and errors as of `update`."""
        client = await self._connection.services()
        request = {
            "name": f"{self._space}/{service}",
            "etag": etag,
            "validate_only": validate_only,
        }
        return await self._change(
            f"deleting {service}",
            lambda: client.delete_service(request, retry=None, timeout=self._change_timeout_s),
        )

    async def operation(self, name: str) -> Any:
        """An operation as the raw message. Raises NotFound when it is no longer known."""
        client = await self._connection.services()
        return await self._read(
            "asking for the operation",
            lambda: client.get_operation(
                {"name": name}, retry=None, timeout=self._change_timeout_s
            ),
        )

    async def _list_revisions(self, service: str, doing: str) -> list[Any]:
        client = await self._connection.revisions()

        async def read_pages() -> list[Any]:
            pager = await client.list_revisions(
                parent=f"{self._space}/{service}", retry=None, timeout=self._read_timeout_s
            )
            pages = [type(page).pb(page) async for page in pager.pages]
            return [revision for page in pages for revision in page.revisions]

        return await self._read(doing, read_pages)

    async def _read(self, doing: str, call: Callable[[], Awaitable[_Answer]]) -> _Answer:
        async def read() -> _Answer:
            try:
                return await call()
            except foreign_errors() as exc:
                raise translate(exc, SOURCE, doing) from exc

        return await read_again(read)

    async def _change(self, doing: str, call: Callable[[], Awaitable[Any]]) -> str:
        try:
            answer = await call()
        except foreign_errors() as exc:
            raise translate_change(exc, SOURCE, doing) from exc
        name: str = answer.operation.name
        return name
