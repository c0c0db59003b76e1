"""Which container images a whole project runs: what an image must not be deleted under.

An image of Artifact Registry can be run from any region, so all of them are asked, and one that
does not answer leaves it unknown.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.run.client import SOURCE, RunClient
from canary.cloud.run.listing import list_services
from canary.rollout.errors import Unavailable
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

AT_ONCE: Final = 8
"""So many regions are asked at the same time."""


async def read_images(connection: Connection, plan: Plan) -> dict[str, tuple[str, ...]]:
    """The images, as they are written there, by who runs them: "SERVICE", "job NAME", and of
    another region "SERVICE in REGION".

    Every revision and job of the plan's region and of each region that has a service of the
    project, and the template of every service. Raises CanaryError where any of it cannot be read:
    Unavailable for a region that is away, as what runs there is not known.
    """
    home = plan.target.region
    listing = await list_services(connection, plan.target.project)
    if listing.away:
        away = sanitize(", ".join(listing.away), 200)
        raise Unavailable(
            f"Cloud Run does not reach every region ({away}): which images run there is not known.",
            remedy="Wait until it does: an image that may be in use is not deleted.",
            source=SOURCE,
        )
    found: dict[str, set[str]] = {}

    def add(user: str, region: str, images: tuple[str, ...]) -> None:
        found.setdefault(user if region == home else f"{user} in {region}", set()).update(images)

    for (region, name), service in listing.services.items():
        add(name, region, tuple(one.image for one in service.template.containers))
    asking = asyncio.Semaphore(AT_ONCE)

    async def ask_region(region: str) -> None:
        target = msgspec.structs.replace(plan.target, region=region)
        client = RunClient(connection, msgspec.structs.replace(plan, target=target))
        async with asking:
            told = await client.images()
        for user, images in told.items():
            add(user, region, images)

    regions = {home, *(region for region, _ in listing.services)}
    await asyncio.gather(*(ask_region(region) for region in sorted(regions)))
    return {user: tuple(sorted(images)) for user, images in found.items()}
