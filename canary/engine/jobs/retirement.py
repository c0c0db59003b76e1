"""What a retirement would delete: looked up, nothing decided. Rules: `rollout.trials.retirement`.

Carried out it is down the one path of all changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from canary.cloud.run.images import read_images
from canary.engine.jobs.job import Host, Job
from canary.rollout.errors import NotFound
from canary.rollout.trials.jobs import RetirementView
from canary.rollout.trials.retirement import Candidate, check_retirable

if TYPE_CHECKING:
    from canary.engine.session import Session


async def find_candidate(session: Session) -> Candidate:
    """Legacy with its etag and the images that are its alone.

    An image that any other service or job of the project runs is kept, in whatever region it has
    services; so is everything that no revision of Legacy names. Raises CanaryError when any of it
    cannot be looked up, or a region is away: an image whose other users are not known is not one
    to delete. NotFound when Legacy is gone already.
    """
    legacy = session.plan.target.legacy
    state = await session.cloud.router.service(legacy)
    named = await read_images(session.cloud.connection, session.plan)
    registry = session.cloud.router.registry
    own = await registry.resolve_all(named.get(legacy, ()))
    others = await registry.resolve_all(
        {one for service, images in named.items() if service != legacy for one in images}
    )
    return Candidate(
        service=legacy,
        etag=state.etag,
        images=tuple(sorted(own.digests - others.digests)),
        kept=tuple(sorted(own.digests & others.digests)),
        elsewhere=tuple(sorted(own.elsewhere)),
    )


class RetirementJob(Job[RetirementView]):
    """The console's look-up of what would be deleted."""

    def __init__(self, host: Host) -> None:
        super().__init__(host, RetirementView())

    def look(self) -> None:
        """Look it up now; nothing while that is being done."""
        if not self.view.running:
            self.view = RetirementView(running=True)
            self._begin("retirement", self._find)

    async def _find(self) -> None:
        session = self._host.opening.session
        check_retirable(session.plan)
        try:
            self._show(candidate=await find_candidate(session))
        except NotFound:
            self._show(gone=True)
