"""All rollouts of some projects, read together: one listing and a few metric queries a project.

Each rollout has an observer of its own, as in a console, whose readers hand out its part of what
was read for all; so that a row says just what the console would. A project that fails or denies is
one marked group, and the rest goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from canary.cloud.monitoring.shared import (
    SharedMetrics,
    places_of,
    score_source,
)
from canary.cloud.run.listing import EVERYWHERE, ListedServices, list_services
from canary.engine.clients import Cloud, open_cloud
from canary.engine.fleet.found import find_rollouts
from canary.engine.fleet.member import Member, Named
from canary.rollout.errors import CanaryError
from canary.rollout.fleet.order import sort_rows
from canary.rollout.fleet.rows import FleetRow, lost_row
from canary.rollout.plan.plan import Plan
from canary.store.paths import find_state_dir

log = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""So many rollouts are looked at at a time: the first look asks for each one's revision."""


class Project:
    """The rollouts of one project that are read together. `seek`: what no plan names is found, in
    that region or everywhere; None: only the plans.
    """

    def __init__(self, cloud: Cloud, like: Plan, plans: Sequence[Named], seek: str | None) -> None:
        self._cloud = cloud
        self._like = like
        self._seek = seek
        self._listed = ListedServices()
        self.metrics = SharedMetrics(cloud.connection, like.target.project)
        self._members: dict[tuple[str, str, str], Member] = {}
        self._lost: dict[tuple[str, str, str], FleetRow] = {}
        for named in sorted(plans, key=lambda named: not named.is_own):
            self._add(named)
        self._whole = True

    @property
    def now(self) -> float:
        """The cloud's time."""
        return self._cloud.clock.now()

    @property
    def unread(self) -> FleetRow:
        """The row of a project that has not answered yet."""
        return self.lost("It is still being read.")

    async def rows(self) -> list[FleetRow]:
        """Read everything once; a row for each rollout, in any order."""
        regions = {m.named.plan.target.region for m in self._members.values()}
        region = self._seek or (regions.pop() if len(regions) == 1 else EVERYWHERE)
        try:
            self._listed.listing = await list_services(
                self._cloud.connection, self._like.target.project, region
            )
            self._listed.error = None
        except CanaryError as error:
            self._listed.error = error
            if not self._members:
                return [self.lost(str(error))]
        await self._find()
        # All of them: no reading of the others is left out.
        begun = [member.has_begun_anew() for member in self._members.values()]
        self._whole = self._whole or any(begun)
        plans = [member.named.plan for member in self._members.values() if member.is_shared]
        places = [place for plan in plans for place in places_of(plan)]
        scores = [source for plan in plans if (source := score_source(plan)) is not None]
        if plans:
            await self.metrics.read_all(places, self.now, whole=self._whole, scores=scores)
            self._whole = False
        looking = asyncio.Semaphore(AT_ONCE)

        async def look(member: Member) -> FleetRow:
            async with looking:
                return await member.look()

        found = await asyncio.gather(*(look(m) for m in self._members.values()))
        return [*found, *self._unseen(), *self._lost.values()]

    def _unseen(self) -> list[FleetRow]:
        """The regions that could not be reached, in which there may be more than what is known."""
        if self._seek is None:
            return []
        project = self._like.target.project
        why = "Cloud Run does not reach it: what runs there is not known."
        return [
            FleetRow(f"(region {region})", f"{project}/{region}", trouble=why, looks_only=True)
            for region in self._listed.listing.away
        ]

    async def close(self) -> None:
        """Give back what the members hold."""
        for member in self._members.values():
            await member.close()

    async def _find(self) -> None:
        if self._seek is None or self._listed.error is not None:
            return
        services, away = self._listed.listing.services, self._listed.listing.away
        for key, member in list(self._members.items()):
            place = (member.named.plan.target.region, member.named.plan.router_service)
            if not member.named.path and place not in services and place[0] not in away:
                await self._members.pop(key).close()  # it has ended, and nobody's plan names it
        # A plan of others, with limits of theirs, hides none that is found.
        own = [key for key, member in self._members.items() if member.named.is_own]
        known = {(region, service) for region, service, _ in own}
        for plan in find_rollouts(services, self._like, known):
            self._add(Named(plan))
            self._whole = True

    def _add(self, named: Named) -> None:
        if any(member.named.plan == named.plan for member in self._members.values()):
            return
        # Two plans of one rollout are two rows: somebody's with wide limits hides none of ours.
        key = (named.plan.target.region, named.plan.router_service, named.path)
        try:
            self._members[key] = Member(named, self._cloud, self._listed, self.metrics)
        except CanaryError as error:
            self._lost[key] = lost_row(named.plan, str(error), named.path)

    def lost(self, why: str) -> FleetRow:
        """The row of the whole project, of which nothing is known, and why."""
        project = self._like.target.project
        where = f"{project}/{self._seek or EVERYWHERE}"
        return FleetRow(f"(project {project})", where, trouble=why, looks_only=True)


class Fleet:
    """The projects of a list. `refresh` reads all of them at once."""

    def __init__(self, projects: Sequence[Project], lost_rows: Iterable[FleetRow] = ()) -> None:
        self._projects = tuple(projects)
        self._lost = tuple(lost_rows)

    async def refresh(
        self, so_far: Callable[[tuple[FleetRow, ...]], None] | None = None
    ) -> tuple[FleetRow, ...]:
        """A row for each rollout, the one that most needs a person first.

        `so_far` is told of what has been read whenever a project is done, so that one that hangs
        holds up no other; a row says of each that it is still being read.
        """
        reading = {asyncio.ensure_future(project.rows()): project for project in self._projects}
        found = list(self._lost)
        try:
            while reading:
                done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    project = reading.pop(task)
                    try:
                        found += task.result()
                    except CanaryError as error:
                        found.append(project.lost(str(error)))
                if so_far is not None and reading:
                    so_far(sort_rows([*found, *(each.unread for each in reading.values())]))
        finally:
            for task in reading:
                task.cancel()
        return sort_rows(found)

    @property
    def now(self) -> float:
        """The time of the first project's cloud; 0 without any."""
        return self._projects[0].now if self._projects else 0.0

    @property
    def metric_calls(self) -> int:
        """How many pages of ListTimeSeries were read."""
        return sum(project.metrics.calls for project in self._projects)


@contextlib.asynccontextmanager
async def open_fleet(
    plans: Sequence[Named], seek: Mapping[str, str] | None = None, like: Plan | None = None
) -> AsyncIterator[Fleet]:
    """The list of these plans, and of what is found in the projects of `seek` (project → region,
    "-" for all), which is looked at as `like` has it. A cloud that cannot be opened is rows that
    say so.
    """
    async with contextlib.AsyncExitStack() as stack:
        projects, gone = list[Project](), list[FleetRow]()
        for like_plan, members, region in _by_cloud(plans, seek or {}, like):
            directory, _ = find_state_dir(like_plan)
            try:
                cloud = await stack.enter_async_context(
                    open_cloud(like_plan, Path(directory), need_metrics=True)
                )
            except CanaryError as error:
                gone += [lost_row(named.plan, str(error), named.path) for named in members]
                continue
            project = Project(cloud, like_plan, members, region)
            stack.push_async_callback(project.close)
            projects.append(project)
        yield Fleet(projects, gone)


def _by_cloud(
    plans: Sequence[Named], seek: Mapping[str, str], like: Plan | None
) -> list[tuple[Plan, list[Named], str | None]]:
    """Plans that can be read together: of one project, at the same addresses."""
    groups: dict[tuple[object, ...], list[Named]] = {}
    for named in plans:
        target = named.plan.target
        own = named.path if named.plan.is_embedded else ""
        key = (named.plan.provider, target.project, target.endpoints, own)
        groups.setdefault(key, []).append(named)
    found: list[tuple[Plan, list[Named], str | None]] = []
    sought = dict(seek)
    for members in groups.values():
        ours = [named for named in members if named.is_own]
        first = (ours or members)[0].plan
        # Where and how is looked for what no plan names is not for a plan of others to say.
        region = sought.pop(first.target.project, None) if ours else None
        found.append((first, members, region))
    for project, region in sought.items():
        if like is not None:
            # An embedded cloud has its own project and no other.
            provider = "gcp" if like.is_embedded else like.provider
            target = msgspec.structs.replace(like.target, project=project)
            plan = msgspec.structs.replace(like, target=target, provider=provider)
            found.append((plan, [], region))
    return found
