"""Looking up a deletion until what was to go is gone. Reads only, never sends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from canary.cloud.connection.clock import CloudClock
from canary.cloud.views import OperationState, ServiceState
from canary.rollout.change.change import DeleteService, Removal
from canary.rollout.errors import CanaryError, Conflict, OutcomeUnknown
from canary.rollout.text import format_duration, format_percent


class Remover(Protocol):
    """What is asked of the cloud (`cloud.router.router.Router`)."""

    async def operation(self, name: str) -> OperationState:
        """Read an operation. Raises CanaryError."""

    async def gone(self, step: Removal) -> bool:
        """Whether what the step deletes is gone. Raises CanaryError."""


class Patience(Protocol):
    """How patiently is looked (`settling.Pace`): real pauses, cloud seconds, number of looks."""

    @property
    def settle_s(self) -> float:
        """For how long an operation is followed."""

    @property
    def looks(self) -> int:
        """How often is looked for the thing itself."""

    def pauses(self) -> Iterator[float]:
        """The pauses before each look, without end."""


class RemovalWaiter:
    """Follows deletions: by their operation, and in the end by the thing itself."""

    def __init__(
        self,
        remover: Remover,
        clock: CloudClock,
        pace: Patience,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._remover = remover
        self._clock = clock
        self._pace = pace
        self._sleep = sleep

    async def settle(self, step: Removal, operation: str) -> None:
        """Wait until an accepted deletion is done and seen to be.

        Raises what the operation failed with, and OutcomeUnknown when it does not end in time.
        """
        began = self._clock.now()
        for pause in self._pace.pauses():
            await self._sleep(pause)
            state = await self._read(operation)
            if state is not None and state.done:
                if state.error is not None:
                    raise state.error
                return await self._confirm(step)
            if state is None and await self._is_gone(step):
                return None
            waited_s = self._clock.now() - began
            if waited_s >= self._pace.settle_s:
                raise OutcomeUnknown(
                    f"The deletion was accepted and has not ended in {format_duration(waited_s)}.",
                    remedy="Look whether it is still there.",
                )
        raise AssertionError  # pauses() has no end

    async def look_up(self, step: Removal, why: OutcomeUnknown) -> None:
        """Find out what became of a deletion whose answer was lost."""
        if not await self._goes(step):
            raise OutcomeUnknown(
                f"{why.message} Looked up since: it is still there, or not to be seen.",
                remedy="It was not sent again. Look once more, then ask again.",
            ) from why

    async def _confirm(self, step: Removal) -> None:
        if not await self._goes(step):
            raise OutcomeUnknown(
                "The deletion is said to be done, but what was to go is still to be seen.",
                remedy="Look whether it is still there.",
            )

    async def _goes(self, step: Removal) -> bool:
        pauses = self._pace.pauses()
        for _ in range(self._pace.looks):
            await self._sleep(next(pauses))
            if await self._is_gone(step):
                return True
        return False

    async def _is_gone(self, step: Removal) -> bool:
        try:
            return await self._remover.gone(step)
        except CanaryError:
            return False

    async def _read(self, operation: str) -> OperationState | None:
        try:
            return await self._remover.operation(operation)
        except CanaryError:
            return None


def check_share(step: DeleteService, state: ServiceState) -> None:
    """Raise Conflict when the split is not what the deletion was decided on."""
    if state.percent != step.percent:
        raise Conflict(
            f"Canary's share is {format_percent(state.percent)} now; the deletion was decided at"
            f" {format_percent(step.percent)}.",
            remedy="Look again, then ask again.",
        )
