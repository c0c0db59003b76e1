"""Legacy's instances, looked at again around every split that sends requests back to it.

"Legacy is in backup" was true or not when a question opened; it is asked again before the split is
sent, and once more behind it, since somebody else may make Legacy the backup between the two. In
backup, it is raised first. A raise is harmless and may be doubled, so that it needs no step of its
own: a remark is in the journal before it is sent, and it is sent again where its answer was lost.

The other way round: whoever makes Legacy the backup looks behind it whether it may be, and puts it
back where it serves again. So of two people who cross, the last one that looks sees the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import msgspec

from canary.cloud.views import ServiceState
from canary.engine.change.grounds import is_ahead, split_now
from canary.engine.change.observed_state import ServiceReader
from canary.engine.change.outcomes import describe_rival
from canary.engine.change.settling import OperationWaiter, StepSender
from canary.rollout.change.basis import (
    covers,
    legacy_scaled,
    lowers,
    needs_raising,
    raise_to,
)
from canary.rollout.change.change import Change, SetScale, Step, basis_of, split_of
from canary.rollout.change.text import format_scale
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    Denied,
    OperationFailed,
    OutcomeUnknown,
    QuotaExhausted,
    Unavailable,
)
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.text import sanitize

RAISED = "raised first: "
"""How the remark begins that is written before Legacy is raised."""

Remark = Callable[[int, str], None]


class Capacity:
    """Legacy's around the steps of one change. `remark` writes to the journal; `said` are the
    sentences for the outcome, and `has_sent` tells whether anything of it went out.
    """

    def __init__(
        self,
        change: Change,
        plan: Plan,
        reader: ServiceReader,
        sender: StepSender,
        waiter: OperationWaiter,
        remark: Remark,
    ) -> None:
        self.said: list[str] = []
        self.has_sent = False
        self._change = change
        self._plan = plan
        self._reader = reader
        self._sender = sender
        self._waiter = waiter
        self._remark = remark

    async def ensure(self, index: int, step: Step) -> ServiceState | None:
        """Raise Legacy before a split that sends requests back to it, if it is in backup.

        Returns its state from before the raise; None when there was nothing to raise. Raises
        Unavailable and QuotaExhausted while that cannot be asked, and OperationFailed where Legacy
        cannot be raised: then nothing is sent back to it.
        """
        if not lowers(step):
            return None
        try:
            state = await self._reader.service(legacy_scaled(self._plan))
        except Denied as error:  # not to be seen is no reason to stay on Canary
            self._remark(index, f"whether Legacy is in backup cannot be read: {error.message}")
            return None
        if not needs_raising(self._plan, state.limits):
            return None
        await self.give(index, state, self._plan.scale.production)
        return state

    async def look_behind(self, index: int, step: Step) -> None:
        """Behind a step: raise Legacy that got into backup in the same moment; put it back where
        this step made it the backup and requests come to it again. Raises Conflict in that case.
        """
        if lowers(step):
            try:
                await self.ensure(index, step)
            except CanaryError as error:
                self._remark(index, f"Legacy was not looked at again: {error.message}")
        elif isinstance(step, SetScale) and self._makes_backup(index, step):
            await self._confirm_idle(index, step)

    async def give(self, index: int, state: ServiceState, wanted: ScalePreset) -> None:
        """Raise a service to at least `wanted`, sent again once where its answer was lost.

        Raises as `ensure`.
        """
        after = raise_to(state.limits or wanted, wanted)
        step = SetScale(state.name, state.scale, after)
        self._remark(index, f"{RAISED}{state.name} to {format_scale(after)} instances")
        for last in (False, True):
            try:
                self.has_sent = True
                last_look = functools.partial(self._demand_no_loss, step)
                operation = await self._sender.send(step, last_look=last_look)
                await self._waiter.settle(step, operation, hurried=True)
            except (Unavailable, QuotaExhausted):
                raise
            except CanaryError as error:
                if await self.is_given(step):
                    break
                if last or not isinstance(error, OutcomeUnknown | Conflict):
                    raise OperationFailed(
                        f"{sanitize(state.name, 60)} is in backup size and could not be raised:"
                        f" {error.message}",
                        remedy=error.remedy,
                        source="Cloud Run",
                    ) from error
                now = await self._waiter.read(state.name)
                after = raise_to(now.limits or after, wanted) if now is not None else after
                step = msgspec.structs.replace(step, after=after)
            else:
                break
        name, was = sanitize(state.name, 60), format_scale(state.scale)
        said = f"{name} was raised to {format_scale(after)} instances first (was {was})."
        self.said.append(said)

    async def _demand_no_loss(self, step: SetScale) -> None:
        """The last look: somebody who gave more meanwhile keeps it. Raises Conflict."""
        now = await self._waiter.read(step.service)
        limits = step.after if now is None else now.limits or step.after
        if raise_to(limits, step.after) != step.after:
            raise Conflict(f"{sanitize(step.service, 60)} was scaled meanwhile.")

    async def is_given(self, step: SetScale) -> bool:
        """Whether a service is set to at least what a step gives it."""
        now = await self._waiter.read(step.service)
        return now is not None and covers(now.limits or now.scale, step.after)

    def _makes_backup(self, index: int, step: SetScale) -> bool:
        basis = basis_of(self._change)
        behind = split_of(self._change) is not None and not is_ahead(self._change, index)
        rests = behind or (basis is not None and basis.idle)
        smaller = needs_raising(self._plan, step.after)
        return rests and smaller and step.service == legacy_scaled(self._plan)

    async def _confirm_idle(self, index: int, step: SetScale) -> None:
        split = await self._waiter.read(self._plan.router_service)
        if split is None:
            self._remark(index, "whether Legacy serves was not looked at again: no answer")
            return
        now = split_now(self._plan, split)
        if now.percent == 100 and not now.in_flux:
            return
        legacy = await self._waiter.read(step.service)
        if legacy is not None and needs_raising(self._plan, legacy.limits):
            await self.give(index, legacy, step.before or self._plan.scale.production)
        raise Conflict(
            f"Legacy serves again, so it keeps its instances: {describe_rival(split)}.",
            remedy="Look again, then ask again.",
        )
