"""Looking up what became of a step that was sent, until it is settled. Reads only, never sends.

It holds for whoever looks: the process that sent it, or another that took over from a killed one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Protocol

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.cloud.router.router import LastLook, look_no_more
from canary.cloud.views import OperationState, ServiceState
from canary.engine.change.observed_state import (
    ObservedState,
    find_observed_state,
    foreign_change,
    format_not_served,
    is_served,
)
from canary.engine.change.observed_state import ServiceReader as ServiceReader
from canary.rollout.change.change import Removal, SetScale, Step
from canary.rollout.change.text import format_scale
from canary.rollout.errors import CanaryError, OutcomeUnknown
from canary.rollout.text import format_duration, format_percent, sanitize


class StepSender(Protocol):
    """What is asked of Cloud Run (`cloud.router.router.Router`)."""

    async def send(self, step: Step, *, last_look: LastLook = look_no_more) -> str:
        """Send a step once; return the operation's name. Raises CanaryError.

        `last_look` comes last before it takes effect; what it raises keeps it from that.
        """

    async def operation(self, name: str) -> OperationState:
        """Read an operation. Raises CanaryError."""

    async def gone(self, step: Removal) -> bool:
        """Whether what a step deletes is gone. Raises CanaryError."""


class Pace(msgspec.Struct, frozen=True):
    """How patiently a step is looked up.

    Pauses are real seconds and grow from `first_pause_s`, which comes after a look without any
    pause; `settle_s` and `handover_s` are cloud seconds, since the embedded cloud can run faster.
    `looks` bounds the looking up of a lost answer (30 looks are 50 s). `waiting_s` is the longest
    pause, real seconds, between two looks whether a Cloud Run that is away answers again. `tries`
    bounds the further sendings of a rollback that was kept out (20 of them are 25 s).
    """

    first_pause_s: float = 0.05
    growth: float = 1.4
    longest_pause_s: float = 2.0
    settle_s: float = 600.0
    handover_s: float = 30.0
    looks: int = 30
    waiting_s: float = 3.0
    tries: int = 20

    def pauses(self) -> Iterator[float]:
        """The pauses before each look, without end."""
        yield 0.0
        pause = self.first_pause_s
        while True:
            yield pause
            pause = min(pause * self.growth, self.longest_pause_s)


class Sent(msgspec.Struct, frozen=True):
    """How a sent step stands: the service as last read, and whether it has been changed since."""

    state: ServiceState | None
    observed: ObservedState


class OperationWaiter:
    """Follows the steps of one change. `asked_at` is when the change was asked for, cloud time."""

    def __init__(
        self,
        reader: ServiceReader,
        writer: StepSender,
        clock: CloudClock,
        asked_at: float,
        pace: Pace,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._asked_at = asked_at
        self._pace = pace
        self._sleep = sleep
        self._removals = RemovalWaiter(writer, clock, pace, sleep)

    async def read(self, service: str) -> ServiceState | None:
        """The service now; None when it cannot be read."""
        try:
            return await self._reader.service(service)
        except CanaryError:
            return None

    def observed(self, step: Step, state: ServiceState) -> ObservedState:
        """What the service shows of a step of this change."""
        return find_observed_state(step, state, self._asked_at)

    def waits(self) -> Iterator[float]:
        """The pauses of one change that waits, without end: they go on growing when it has to wait
        again, so that a cloud which answers reads and refuses changes is not asked as fast as it
        can refuse.
        """
        for pause in self._pace.pauses():
            yield max(self._pace.first_pause_s, min(pause, self._pace.waiting_s))

    def tries(self) -> Iterator[float]:
        """The pauses before each further sending of a rollback that was kept out; bounded. They
        grow, so that they do not keep in step with what touches the service.
        """
        return itertools.islice(self._pace.pauses(), self._pace.tries)

    async def pause(self, pause_s: float) -> None:
        """Wait, real seconds."""
        await self._sleep(pause_s)

    async def wait_for(
        self, service: str, waits: Iterator[float], least_s: float = 0.0
    ) -> AsyncIterator[bool]:
        """Look again and again whether Cloud Run answers; without end, and bounded in its pace.

        Yields before each look, too, so that whoever waits can leave. `least_s`: the least pause.
        """
        for pause in waits:
            await self._sleep(max(pause, least_s))
            yield False
            if await self.read(service) is not None:
                yield True

    async def settle(self, step: Step, operation: str, *, hurried: bool) -> Sent:
        """Wait until an accepted step is settled.

        A `hurried` step hands over after `handover_s` if the service shows what was asked for: a
        slow operation must not keep a rollback waiting. Raises what the operation
        failed with, and OutcomeUnknown when it does not end within `settle_s`.
        """
        if isinstance(step, Removal):
            await self._removals.settle(step, operation)
            return Sent(None, "there")
        began = self._clock.now()
        for pause in self._pace.pauses():
            await self._sleep(pause)
            finished = await self._read_operation(operation)
            if finished is not None and finished.done:
                if finished.error is not None:
                    raise finished.error
                return await self._confirm(step)
            waited_s = self._clock.now() - began
            unreadable = finished is None
            if unreadable or (hurried and waited_s >= self._pace.handover_s):
                state = await self.read(step.service)
                if state is not None and self._is_good(step, state, settled=unreadable):
                    return Sent(state, "there")
            if waited_s >= self._pace.settle_s:
                raise self._not_settled(waited_s)
        raise AssertionError  # pauses() has no end

    async def look_up(self, step: Step, why: OutcomeUnknown) -> Sent:
        """Find out what became of a step whose answer was lost.

        Raises Conflict when somebody else's change is there instead, and OutcomeUnknown when
        nothing is to be seen of it for as long as is looked.
        """
        if isinstance(step, Removal):
            await self._removals.look_up(step, why)
            return Sent(None, "there")
        state: ServiceState | None = None
        pauses = self._pace.pauses()
        for _ in range(self._pace.looks):
            await self._sleep(next(pauses))
            newest = await self.read(step.service)
            if newest is None:
                continue
            state, observed = newest, find_observed_state(step, newest, self._asked_at)
            if observed == "overtaken":
                return Sent(state, observed)
            if observed == "foreign":
                raise foreign_change(state) from why
            if observed == "there":
                return await self._until_quiet(step, state)
        raise _never_seen(why, state) from why

    async def _confirm(self, step: Step) -> Sent:
        """The operation succeeded: the service must show it. What came after it is only noted."""
        state: ServiceState | None = None
        pauses = self._pace.pauses()
        for _ in range(self._pace.looks):
            await self._sleep(next(pauses))
            state = await self.read(step.service) or state
            if state is None:
                continue
            observed = find_observed_state(step, state, self._asked_at)
            if observed == "there" and is_served(step, state):
                return Sent(state, observed)
            # A revision's own limits narrow the service's: a scale need not show as it was asked.
            if observed in ("overtaken", "foreign") or isinstance(step, SetScale):
                return Sent(state, "overtaken")
        if state is not None and find_observed_state(step, state, self._asked_at) == "there":
            raise _not_served(state)
        raise OutcomeUnknown(
            "Cloud Run says that the change is done, but the service does not show it.",
            remedy="Look at the service in Cloud Run; do not send it again before.",
        )

    async def _until_quiet(self, step: Step, state: ServiceState) -> Sent:
        """The step is to be seen, without an operation to follow: wait while it is in flux."""
        began = self._clock.now()
        pauses = self._pace.pauses()
        looks = self._pace.looks
        while state.reconciling or (looks > 0 and self._is_unserved(step, state)):
            looks -= not state.reconciling
            waited_s = self._clock.now() - began
            if waited_s >= self._pace.settle_s:
                raise self._not_settled(waited_s)
            await self._sleep(next(pauses))
            state = await self.read(step.service) or state
        if state.ready is False and find_observed_state(step, state, self._asked_at) == "there":
            raise OutcomeUnknown(
                f"The change is set, but the service is not ready: {sanitize(state.ready_reason)}",
                remedy="See the newest revision's logs; what serves now may be the old split.",
            )
        if self._is_unserved(step, state):
            raise _not_served(state)
        return Sent(state, find_observed_state(step, state, self._asked_at))

    def _is_unserved(self, step: Step, state: ServiceState) -> bool:
        """Set as asked, and not served: what was set may still arrive, or never."""
        shown = find_observed_state(step, state, self._asked_at) == "there"
        return shown and state.ready is not False and not is_served(step, state)

    async def _read_operation(self, name: str) -> OperationState | None:
        try:
            return await self._writer.operation(name)
        except CanaryError:
            return None

    def _is_good(self, step: Step, state: ServiceState, *, settled: bool) -> bool:
        """Whether the service by itself shows that the step is done (`settled`: and in effect)."""
        shown = find_observed_state(step, state, self._asked_at) == "there"
        if not settled:
            return shown
        effective = not state.reconciling and state.ready is not False
        return shown and effective and is_served(step, state)

    def _not_settled(self, waited_s: float) -> OutcomeUnknown:
        return OutcomeUnknown(
            "Cloud Run accepted the change and has not finished it in "
            f"{format_duration(waited_s)}.",
            remedy="See the service's revisions in Cloud Run. Rolling back is possible meanwhile.",
        )


def _not_served(state: ServiceState) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"The change is set, and it does not serve: {format_not_served(state)}",
        remedy="See the service's traffic and revisions in Cloud Run; roll back serves even so.",
    )


def _never_seen(why: OutcomeUnknown, state: ServiceState | None) -> OutcomeUnknown:
    if state is None:
        seen = "Since then Cloud Run has not answered."
    elif state.percent is not None:
        served = format_percent(state.percent)
        seen = f"Looked up since: nothing of it is to be seen (Canary {served})."
    else:
        seen = f"Looked up since: not to be seen (instances {format_scale(state.scale)})."
    return OutcomeUnknown(f"{why.message} {seen}", remedy="It was not sent again. Look once more.")


class RemovalWaiter:
    """Follows deletions: by their operation, and in the end by the thing itself."""

    def __init__(
        self,
        remover: StepSender,
        clock: CloudClock,
        pace: Pace,
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
