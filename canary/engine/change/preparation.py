"""A step as it is sent: guarded by what the steps before it in the same change have led to."""

from __future__ import annotations

from typing import Final

import msgspec

from canary.engine.change.observed_state import check_guard, check_holds, follow_guard
from canary.engine.change.removal import check_share
from canary.engine.change.settling import ServiceReader
from canary.rollout.change.change import DeleteService, SetScale, SetTraffic, Step
from canary.rollout.plan.plan import Plan
from canary.store.journal import Entry


class Preparation:
    """Prepares the steps of one change, of which `entry` may hold notes of an earlier process."""

    def __init__(self, entry: Entry, plan: Plan, reader: ServiceReader) -> None:
        self._change = entry.change
        self._plan = plan
        self._reader = reader
        self._generation: int | None = _noted_generation(entry)
        """The split's service's, just before a step of this change that alters it too."""

    async def prepare(self, index: int, step: Step) -> tuple[Step, str]:
        """The step as it is to be sent, and what to note of the service before it.

        Leaving production with router `env` both scales Legacy and sets its variable: the first
        step gives the service a new etag. So the guard is checked before it, and moved behind it.
        A scale behind the split (final approval) is sent only while that split holds.
        """
        if isinstance(step, SetScale):
            await self._check_split_ahead(index)
            behind = self._change.steps[index + 1 :]
            split = next((s for s in behind if isinstance(s, SetTraffic)), None)
            if split is None or split.service != step.service:
                return step, ""
            state = await self._reader.service(split.service)
            check_guard(split.guard, state)
            self._generation = state.generation
            return step, f"{_GENERATION}{state.generation}"
        if isinstance(step, DeleteService):
            check_share(step, await self._reader.service(self._plan.router_service))
        if not isinstance(step, SetTraffic):
            return step, ""
        if self._generation is None or not self._plan.target.router.is_guarded_by_service:
            return step, ""  # a URL map's fingerprint is not touched by any service
        after = await self._reader.service(step.service)
        guard = follow_guard(step.guard, self._generation, after)
        return msgspec.structs.replace(step, guard=guard), ""

    async def _check_split_ahead(self, index: int) -> None:
        ahead = self._change.steps[:index]
        split = next((s for s in ahead if isinstance(s, SetTraffic)), None)
        if split is not None:
            state = await self._reader.service(split.service)
            check_holds(split, state, self._change.created_at)


_GENERATION: Final = "generation "


def _noted_generation(entry: Entry) -> int | None:
    """What an earlier process noted of the service before a step that alters it."""
    for note in entry.notes:
        number = note.detail.removeprefix(_GENERATION)
        if note.state == "sent" and number != note.detail and number.isdecimal():
            return int(number)
    return None
