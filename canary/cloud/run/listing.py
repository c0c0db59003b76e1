"""All services of a project at once, for who watches many rollouts.

One ListServices tells what a GetService for each would: the messages are the same. A region that is
away is named, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from canary.cloud.connection.calls import ask
from canary.cloud.connection.clients import Connection
from canary.cloud.run.client import READ_TIMEOUT_S, SOURCE, RunClient
from canary.rollout.errors import CanaryError, NotFound, Unavailable
from canary.rollout.plan.plan import Plan

EVERYWHERE: Final = "-"
PAGE_SIZE: Final = 1000
Place = tuple[str, str]
"""(region, short name of a service)."""


class Listing(msgspec.Struct, frozen=True):
    """Raw services by region and name; `away` are the regions that could not be reached."""

    services: Mapping[Place, Any]
    away: tuple[str, ...] = ()


async def list_services(connection: Connection, project: str, region: str = EVERYWHERE) -> Listing:
    """All services of a project, in one region or everywhere; raises CanaryError."""
    client, types = await connection.api("services")
    request = types.ListServicesRequest(
        parent=f"projects/{project}/locations/{region}", page_size=PAGE_SIZE
    )
    doing = f"listing the services of {project}"

    async def read_pages() -> Listing:
        found: dict[Place, Any] = {}
        away: list[str] = []
        pager = await client.list_services(request, retry=None, timeout=READ_TIMEOUT_S)
        async for page in pager.pages:
            raw = type(page).pb(page)
            # Beside what was reached, unlike in a single rollout: one region's trouble is its own.
            away += [name.rpartition("/")[2] for name in getattr(raw, "unreachable", ())]
            for service in raw.services:
                _, _, rest = service.name.partition("/locations/")
                region_of, _, name = rest.partition("/services/")
                found[(region_of, name)] = service
        return Listing(found, tuple(dict.fromkeys(away)))

    listing: Listing = await ask(read_pages, SOURCE, doing)
    return listing


class ListedServices:
    """What was listed last, for the clients of many plans; `revisions` are shared by them."""

    def __init__(self) -> None:
        self.listing = Listing({})
        self.error: CanaryError | None = None
        self.revisions: dict[tuple[str, str], Any] = {}

    def find(self, region: str, name: str) -> Any:
        """A raw service as it was listed. Raises what went wrong, or NotFound."""
        if self.error is not None:
            raise self.error
        if region in self.listing.away:
            raise Unavailable(f"Cloud Run does not reach {region} ({name}).", source=SOURCE)
        found = self.listing.services.get((region, name))
        if found is None:
            raise NotFound(f"There is no service {name} in {region}.", source=SOURCE)
        return found


class ListedRunClient(RunClient):
    """A client whose services are those that were listed; revisions are asked for once."""

    def __init__(self, connection: Connection, plan: Plan, listed: ListedServices) -> None:
        super().__init__(connection, plan)
        self._listed = listed
        self._region = plan.target.region

    async def message(self, name: str) -> Any:
        """A service as it was listed last; raises as the listing did."""
        return self._listed.find(self._region, name)

    async def revision(self, service: str, name: str) -> Any:
        """A revision, asked for once by whoever needs it first."""
        key = (f"{self._region}/{service}", name)
        known = self._listed.revisions.get(key)
        if known is None:
            known = self._listed.revisions[key] = await super().revision(service, name)
        return known
