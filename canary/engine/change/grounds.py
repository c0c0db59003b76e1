"""Whether what a step rests on still holds, asked of the cloud in the moment in which it is sent.

The comparing is `rollout.change.basis`; this reads what is compared. A step that only gives more is
right under any split, so that nothing unreadable keeps a side from being scaled up.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from canary.cloud.views import ServiceState
from canary.engine.change.observed_state import ServiceReader, gives_more
from canary.engine.change.outcomes import describe_rival
from canary.rollout.change.basis import (
    SplitNow,
    canary_scaled,
    find_moved_scale,
    find_moved_split,
    legacy_scaled,
    lowers,
    needs_raising,
    raise_to,
    raises,
    rests_on_split,
)
from canary.rollout.change.change import (
    GOING_BACK,
    Change,
    SetScale,
    SetTraffic,
    Step,
    basis_of,
    goes_on,
    split_of,
)
from canary.rollout.change.irreversible import find_irreversible, format_marked
from canary.rollout.errors import CanaryError, Conflict, GateNotMet
from canary.rollout.permit.standstill import demand_going_on
from canary.rollout.plan.plan import Plan


class Grounds:
    """Of one change: compares each step with what it was decided on. `now` is the cloud's time."""

    def __init__(
        self, change: Change, plan: Plan, reader: ServiceReader, now: Callable[[], float]
    ) -> None:
        self._change = change
        self._plan = plan
        self._reader = reader
        self._now = now

    async def check(self, index: int, step: Step) -> Step:
        """Return the step as it may be sent now: a scale ahead of a split takes nothing away.

        Raises Conflict where what it rests on has moved, GateNotMet where a hold or a freeze has
        begun that keeps a promotion back, and CanaryError where that cannot be read.
        """
        if goes_on(self._change):
            await self._check_standstill(index)
        if rests_on_split(step):
            await self._check_split(index)
        if isinstance(step, SetScale):
            return await self._check_scale(index, step)
        if isinstance(step, SetTraffic) and self._change.cause:
            await self._check_irreversible()
        decides = isinstance(step, SetTraffic) and raises(step)
        if decides and self._change.kind not in GOING_BACK and basis_of(self._change) is not None:
            state = await self._reader.service(canary_scaled(self._plan))
            own = state.name != self._plan.router_service  # the carrier's is told by its etag
            revision = (state.serving or state.revision) if own else ""
            moved = find_moved_scale(self._plan, self._change, index, state.limits, revision)
            _demand_unmoved(moved, "")
        return step

    async def confirm(self, index: int, step: Step) -> None:
        """The last look before a step as `check` let it pass takes effect: since then the journal
        was written, and what it changes was read, perhaps more than once.

        Raises Conflict, as `check`, also where a step would take instances away by now, send
        requests back to a Legacy that has become the backup, or go back to more than serves.
        """
        if lowers(step):
            await self._confirm_room()
        if self._change.kind in GOING_BACK and isinstance(step, SetTraffic):
            await self._confirm_no_more(step)
            if self._change.cause:
                await self._check_irreversible()
            return
        if await self.check(index, step) != step:
            raise Conflict(f"{step.service} was scaled meanwhile.", remedy="Look again.")

    async def _confirm_no_more(self, step: SetTraffic) -> None:
        if step.percent == 0:
            return
        state = await self._read_or_none(self._plan.router_service)
        if state is not None and gives_more(step, state):
            raise Conflict("Canary has less already.", remedy="Look again.")

    async def _read_or_none(self, service: str) -> ServiceState | None:
        """That it cannot be read keeps nothing from going back: it could be, a moment ago."""
        try:
            return await self._reader.service(service)
        except CanaryError:
            return None

    async def _confirm_room(self) -> None:
        state = await self._read_or_none(legacy_scaled(self._plan))
        if state is not None and needs_raising(self._plan, state.limits):
            raise Conflict("Legacy was made the backup meanwhile.", remedy="Look again.")

    async def _check_standstill(self, index: int) -> None:
        """Each step of a promotion looks again: one that began meanwhile keeps back what is left.

        A freeze gives way to what was forced, a hold to nothing.
        """
        state = await self._reader.service(self._plan.router_service)
        freezes = () if self._change.forced else self._plan.freeze
        demand_going_on(state.hold, freezes, self._now(), _kept_back(self._change, index))

    async def _check_irreversible(self) -> None:
        """Automatic rollback stands down over a step that it would not undo, marked meanwhile."""
        state = await self._read_or_none(canary_scaled(self._plan))
        if state is None:
            return
        # Of one service the revision that serves need not be Canary's: its mark says nothing.
        deployed = "" if self._plan.target.shares_one_service else state.deployed_mark
        found = find_irreversible(state.irreversible, deployed, state.serving)
        if found is not None:
            raise GateNotMet(
                f"Automatic rollback stands down: {format_marked(found)}",
                remedy="A person decides: `canary rollback`.",
            )

    async def _check_split(self, index: int) -> None:
        if basis_of(self._change) is None or self._change.kind in GOING_BACK:
            return
        state = await self._reader.service(self._plan.router_service)
        moved = find_moved_split(self._change, index, split_now(self._plan, state))
        _demand_unmoved(moved, f" Last: {describe_rival(state)}.")

    async def _check_scale(self, index: int, step: SetScale) -> SetScale:
        state = await self._reader.service(step.service)
        moved = find_moved_scale(self._plan, self._change, index, state.limits)
        _demand_unmoved(moved, "")
        if not is_ahead(self._change, index) or state.limits is None:
            return step
        return msgspec.structs.replace(step, after=raise_to(state.limits, step.after))


def split_now(plan: Plan, state: ServiceState) -> SplitNow:
    """The split as its service shows it."""
    failed = plan.target.router.is_on_service and state.ready is False
    return SplitNow(
        percent=state.percent,
        record=state.record.change if state.record is not None else "",
        served=state.served_percent,
        in_flux=(state.reconciling or failed) and state.served_percent != state.percent,
    )


def is_ahead(change: Change, index: int) -> bool:
    """Whether a step comes before the one that sets the split."""
    split = split_of(change)
    return split is not None and index < change.steps.index(split)


def makes_room(change: Change, index: int) -> bool:
    """Whether a step gives Legacy the instances for what comes back to it in the same change."""
    split = split_of(change)
    scales = isinstance(change.steps[index], SetScale)
    return scales and is_ahead(change, index) and split is not None and lowers(split)


def _kept_back(change: Change, index: int) -> str:
    """What is so instead, where step `index` of a promotion is kept back."""
    if change.kind != "promote":
        return "The approval is not completed"
    split = split_of(change)
    behind = split is not None and index > change.steps.index(split)
    return "Legacy keeps its instances" if behind else "Not promoted"


def _demand_unmoved(moved: str, last: str) -> None:
    if moved:
        raise Conflict(f"{moved}{last}", remedy="Look again, then ask again.")
