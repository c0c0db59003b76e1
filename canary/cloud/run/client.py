"""Cloud Run Admin v2 as it is: services, revisions and operations as raw messages.

Reads are tried again. Changes never are: an answer that is lost raises OutcomeUnknown, and whoever
sent it looks up what became of it. What a split is, is not known here (`cloud.router`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from canary.cloud.connection.calls import ask, demand_whole, send
from canary.cloud.connection.clients import Connection
from canary.cloud.run.deployed import read_deployed
from canary.cloud.run.services import read_revision
from canary.cloud.run.sides import Sides, find_sides, read_past
from canary.cloud.views import RevisionState
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.differences import Deployed

SOURCE = "Cloud Run"
READ_TIMEOUT_S = 10.0
CHANGE_TIMEOUT_S = 15.0
MOST_REVISIONS_KNOWN = 32


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
        self._plan = plan
        self._space = f"projects/{plan.target.project}/locations/{plan.target.region}/services"
        self._read_timeout_s = read_timeout_s
        self._change_timeout_s = change_timeout_s
        self._known_revisions: dict[tuple[str, str], Any] = {}
        self._known_deployed: dict[str, tuple[str, Deployed]] = {}

    @property
    def connection(self) -> Connection:
        """What it asks through, for what is asked of other regions."""
        return self._connection

    async def message(self, name: str) -> Any:
        """A service as the raw message. Raises NotFound, Denied, Unavailable, QuotaExhausted."""
        client, _ = await self._connection.api("services")
        service = await ask(
            lambda: client.get_service(
                name=f"{self._space}/{name}", retry=None, timeout=self._read_timeout_s
            ),
            SOURCE,
            f"reading {name}",
        )
        return type(service).pb(service)

    async def sides(self) -> Sides:
        """Which revisions are both sides', where they share a service; raises as `message`."""
        message = await self.message(self._plan.router_service)
        past = read_past(self._plan, message)
        return find_sides(self._plan.target.router.candidate, message, past)

    async def revisions(self, service: str) -> tuple[RevisionState, ...]:
        """The revisions of a service, newest first; empty when it has none.

        Those of one moment stay as Cloud Run lists them, which is newest first, too.
        """
        listed = await self._list_revisions(service, f"reading {service}'s revisions")
        found = [read_revision(message) for message in listed]
        return tuple(sorted(found, key=lambda r: -(r.created_at or 0.0)))

    async def revision(self, service: str, name: str) -> Any:
        """A revision as a raw message, asked for once: what it runs never changes.

        Only that: its conditions may be old. Raises as `message`.
        """
        known = self._known_revisions.get((service, name))
        if known is not None:
            return known
        client, _ = await self._connection.api("revisions")
        full = f"{self._space}/{service}/revisions/{name}"
        answer = await ask(
            lambda: client.get_revision(name=full, retry=None, timeout=self._read_timeout_s),
            SOURCE,
            f"reading {name}",
        )
        found = type(answer).pb(answer)
        while len(self._known_revisions) >= MOST_REVISIONS_KNOWN:
            self._known_revisions.pop(next(iter(self._known_revisions)))
        self._known_revisions[(service, name)] = found
        return found

    def deployed(self, message: Any, revision: Any) -> Deployed:
        """What a revision of a service runs, by raw messages; read anew when the service is."""
        known = self._known_deployed.get(revision.name)
        if known is not None and known[0] == message.etag:
            return known[1]
        found = read_deployed(revision, message)
        while len(self._known_deployed) >= MOST_REVISIONS_KNOWN:
            self._known_deployed.pop(next(iter(self._known_deployed)))
        self._known_deployed[revision.name] = (message.etag, found)
        return found

    async def images(self) -> dict[str, tuple[str, ...]]:
        """The images that each service's revisions run, as they are written there, and those of
        each job ("job NAME").

        All of the region; each image once, in any order.
        """
        found: dict[str, set[str]] = {}
        for revision in await self._list_revisions("-", "reading all revisions"):
            service = revision.name.partition("/services/")[2].partition("/")[0]
            named = found.setdefault(service, set())
            named.update(container.image for container in revision.containers)
        for job in await self._list_jobs("reading all jobs"):
            named = found.setdefault(f"job {job.name.rpartition('/')[2]}", set())
            named.update(container.image for container in job.template.template.containers)
        return {service: tuple(sorted(named)) for service, named in found.items()}

    async def permissions(self, service: str, names: Iterable[str]) -> set[str]:
        """Those of the permissions that the caller has on a service."""
        client, _ = await self._connection.api("services")
        answer = await ask(
            lambda: client.test_iam_permissions(
                {"resource": f"{self._space}/{service}", "permissions": list(names)},
                timeout=self._read_timeout_s,
            ),
            SOURCE,
            f"asking for permissions on {service}",
        )
        return set(answer.permissions)

    async def update(
        self, update: Any, mask: Iterable[str], doing: str, *, validate_only: bool
    ) -> str:
        """Send one UpdateService, once; return the operation's name ("" when only validated).

        `update` is a raw Service whose etag guards it, `mask` its fields in snake_case. Raises
        Conflict for a stale etag, and OutcomeUnknown when it was not clearly answered.
        """
        client, types = await self._connection.api("services")
        request_class = types.UpdateServiceRequest
        request = request_class.pb(request_class())
        request.service.CopyFrom(update)
        request.update_mask.paths.extend(mask)
        request.validate_only = validate_only
        call = client.update_service(
            request_class.wrap(request), retry=None, timeout=self._change_timeout_s
        )
        answer = await send(call, SOURCE, doing)
        name: str = answer.operation.name
        return name

    async def delete(self, service: str, etag: str, *, validate_only: bool) -> str:
        """Send one DeleteService, once; answers and errors as of `update`."""
        client, _ = await self._connection.api("services")
        request = {
            "name": f"{self._space}/{service}",
            "etag": etag,
            "validate_only": validate_only,
        }
        call = client.delete_service(request, retry=None, timeout=self._change_timeout_s)
        answer = await send(call, SOURCE, f"deleting {service}")
        name: str = answer.operation.name
        return name

    async def operation(self, name: str) -> Any:
        """An operation as the raw message. Raises NotFound when it is no longer known."""
        client, _ = await self._connection.api("services")
        return await ask(
            lambda: client.get_operation(
                {"name": name}, retry=None, timeout=self._change_timeout_s
            ),
            SOURCE,
            "asking for the operation",
        )

    async def etag_of(self, operation: Any) -> str:
        """The etag of the service that an operation led to; "" where its answer is no service."""
        _, types = await self._connection.api("services")
        service = types.Service.pb(types.Service())
        return str(service.etag) if operation.response.Unpack(service) else ""

    async def _list_jobs(self, doing: str) -> list[Any]:
        client, _ = await self._connection.api("jobs")

        async def read_pages() -> list[Any]:
            pager = await client.list_jobs(
                parent=self._space.removesuffix("/services"),
                retry=None,
                timeout=self._read_timeout_s,
            )
            pages = [type(page).pb(page) async for page in pager.pages]
            for page in pages:
                demand_whole(page, SOURCE, doing)
            return [job for page in pages for job in page.jobs]

        return await ask(read_pages, SOURCE, doing)

    async def _list_revisions(self, service: str, doing: str) -> list[Any]:
        client, _ = await self._connection.api("revisions")

        async def read_pages() -> list[Any]:
            pager = await client.list_revisions(
                parent=f"{self._space}/{service}", retry=None, timeout=self._read_timeout_s
            )
            pages = [type(page).pb(page) async for page in pager.pages]
            for page in pages:
                demand_whole(page, SOURCE, doing)
            return [revision for page in pages for revision in page.revisions]

        return await ask(read_pages, SOURCE, doing)
