"""What a person asks to be looked up: what a retirement would delete, how the alert policies stand.

In the engine's loop, one of each at a time. A retirement is looked up here and carried out down the
one path of all changes; alert policies are no change of the rollout, and are written from here
(why, and what is kept of it: `record.alert_writings`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from canary.cloud.registry.artifact_registry import parse_image
from canary.engine.jobs.alert_policies import apply_actions, compare_policies, line_of
from canary.engine.observe.event_log import Severity
from canary.engine.session import Session, SessionOpening
from canary.rollout.change.change import Author
from canary.rollout.errors import CanaryError, NotFound
from canary.rollout.trials.jobs import AlertsView, RetirementView
from canary.rollout.trials.retirement import Candidate, check_retirable

if TYPE_CHECKING:
    from canary.cloud.registry.artifact_registry import ImageRegistry

log = logging.getLogger(__name__)

Say = Callable[[Severity, str], None]
Subject = Literal["retirement", "alerts"]


class Surveys:
    """Both looks of one session, which may still be connecting. `say` writes into the event log,
    `changed` shows the views.
    """

    def __init__(
        self, opening: SessionOpening, say: Say, changed: Callable[[], None], author: Author
    ) -> None:
        self._opening = opening
        self._author = author
        self._say, self._changed = say, changed
        self._tasks: dict[Subject, asyncio.Task[None]] = {}
        self.retirement = RetirementView()
        self.alerts = AlertsView()

    def look_at_retirement(self) -> None:
        """Look up what a retirement would delete now; nothing while that is being done."""
        if not self.retirement.running:
            self.retirement = RetirementView(running=True)
            self._begin("retirement", self._find_candidate)

    def look_at_alerts(self) -> None:
        """Compare the alert policies with the plan; nothing while that is being done."""
        if not self.alerts.running:
            self.alerts = AlertsView(running=True)
            self._begin("alerts", self._compare)

    def apply_alerts(self) -> None:
        """Carry out what was shown, one policy after another, and compare again."""
        if not self.alerts.running and self.alerts.changes:
            self.alerts = msgspec.structs.replace(self.alerts, running=True)
            self._begin("alerts", self._apply)

    def _begin(self, what: Subject, work: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.get_running_loop().create_task(self._run(what, work), name=what)
        self._tasks[what] = task
        self._changed()

    async def _run(self, what: Subject, work: Callable[[], Awaitable[None]]) -> None:
        trouble = ""
        try:
            await work()
        except CanaryError as error:
            trouble = str(error)
        except Exception as error:
            # The boundary of this task: what nobody foresaw is logged and shown.
            log.exception(what)
            trouble = f"It failed ({type(error).__name__}). See engine.log."
        if what == "retirement":
            view = self.retirement
            self.retirement = msgspec.structs.replace(view, running=False, trouble=trouble)
        else:
            self.alerts = msgspec.structs.replace(self.alerts, running=False, trouble=trouble)
        if trouble:
            self._say("warning", f"{what}: {trouble}")
        self._changed()

    async def _find_candidate(self) -> None:
        session = self._opening.session
        check_retirable(session.plan)
        try:
            candidate = await find_candidate(session)
        except NotFound:
            self.retirement = msgspec.structs.replace(self.retirement, gone=True)
            return
        self.retirement = msgspec.structs.replace(self.retirement, candidate=candidate)

    async def _compare(self) -> None:
        actions = await compare_policies(self._opening.session)
        self.alerts = msgspec.structs.replace(self.alerts, actions=actions)

    async def _apply(self) -> None:
        applied = await apply_actions(self._opening.session, self.alerts.changes, self._author)
        for action in applied.done:
            self._say("good", f"alert policy: {line_of(action)}")
        await self._compare()
        if applied.error is not None:
            raise applied.error


# What a retirement would delete: looked up, nothing decided. Rules: `rollout.retirement`.


class _Resolved(msgspec.Struct, frozen=True):
    """Images by digest; and those in registries that are not asked."""

    digests: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()


async def find_candidate(session: Session) -> Candidate:
    """Legacy with its etag and the images that are its alone.

    An image that any other service of the region runs is kept; so is everything that no revision
    of Legacy names. Raises CanaryError when any of it cannot be looked up: an image whose other
    users are not known is not one to delete. NotFound when Legacy is gone already.
    """
    legacy = session.plan.target.legacy
    state = await session.cloud.reader.service(legacy)
    named = await session.cloud.reader.images()
    registry = session.cloud.images
    own = await _resolve(registry, named.get(legacy, ()))
    others = await _resolve(
        registry, {one for service, images in named.items() if service != legacy for one in images}
    )
    return Candidate(
        service=legacy,
        etag=state.etag,
        images=tuple(sorted(own.digests - others.digests)),
        kept=tuple(sorted(own.digests & others.digests)),
        elsewhere=tuple(sorted(own.elsewhere)),
    )


async def _resolve(registry: ImageRegistry, images: Iterable[str]) -> _Resolved:
    digests: set[str] = set()
    elsewhere: set[str] = set()
    for image in sorted(images):
        name = parse_image(image)
        if name is None:
            elsewhere.add(image)
        elif (digest := await registry.resolve(name)) is not None:
            digests.add(digest)
    return _Resolved(frozenset(digests), frozenset(elsewhere))
