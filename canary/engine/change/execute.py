"""Carry out a change: the one path from an intent in the journal to an outcome in the journal.

    intent on disk → "sent" on disk → guarded call → looked up until settled → outcome on disk

Steps are carried out in order and the first that fails ends the change. A step is sent at most once
in the life of an intent, whoever carries it out: "sent" is on the disk before the call, and from
then on the step is only looked up (`settling`). An answer that does not come is "outcome unknown",
looked up, never sent again, unless a person who has looked says so (`recovery`) and the guard from
before it still holds: then of the two sendings at most one can take effect.

A rollback that certainly did not go out, because Cloud Run is away, waits ("waiting" on disk) and
goes out the moment it answers, unless it is withdrawn. A promotion never waits.

Going back is not lost to another tool's touches either: what its guard kept out is sent again as
long as the split is what the strip showed (`retries`; "retry" on disk, each time).

Rejected: sending again under the same etag after a lost answer. The guard would let only one of the
two through, but a scale has no guard, and a second call that is refused hides the first's success.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.cloud.views import ServiceState
from canary.engine.change.capacity import Capacity
from canary.engine.change.grounds import Grounds, makes_room
from canary.engine.change.notes import Ended, Notes, RecordFile
from canary.engine.change.observed_state import Preparation, check_resumable
from canary.engine.change.outcomes import (
    describe_done,
    describe_failed,
    describe_not_begun,
)
from canary.engine.change.retries import KeptOut, Retries
from canary.engine.change.settling import OperationWaiter, Pace, Sent, ServiceReader, StepSender
from canary.rollout.change.change import (
    GOING_BACK,
    Annotate,
    Change,
    DeleteImages,
    DeleteService,
    Outcome,
    SetScale,
    SetTraffic,
    Step,
)
from canary.rollout.change.life import NEVER_SENT, NEXT, State
from canary.rollout.change.text import format_scale
from canary.rollout.change.timing import date_step
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    OperationFailed,
    OutcomeUnknown,
    QuotaExhausted,
    RecordError,
    may_wait,
)
from canary.rollout.permit.permit import authorize_intent
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_percent, sanitize
from canary.store.journal import Entry, Journal

log = logging.getLogger(__name__)

WAITS_S = 86_400.0
"""A rollback waits for Cloud Run no longer than a day: whoever asked has long looked elsewhere."""

QUOTA_PAUSE_S = 10.0
"""Real seconds, the least after "asked too often": a quota is counted by the minute."""


async def carry_out(
    change: Change,
    writer: StepSender,
    reader: ServiceReader,
    journal: Journal,
    clock: CloudClock,
    *,
    plan: Plan,
    stage_file: Path | None = None,
    may_send: bool = True,
    pace: Pace | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Outcome:
    """Carry out an intent that is in the journal and claimed by the caller; return its outcome.

    Begun by another process before: what was sent is looked up, the rest is sent. `may_send` False:
    looked up only, and what was not begun stays so. `stage_file` is written after a split.
    An outcome that is in the journal already is returned, and nothing is done.
    Raises RecordError when nothing was sent because the journal cannot be written.
    """
    entry = journal.entry(change.id)
    if entry is None:
        raise RecordError(f"The change {change.id} is not in the journal, so it is not made.")
    if entry.outcome is not None:
        return entry.outcome
    waiter = OperationWaiter(reader, writer, clock, change.created_at, pace or Pace(), sleep)
    cloud = _Cloud(writer, reader, clock, waiter)
    return await _Execution(entry, plan, cloud, journal, stage_file, may_send).run()


class _Cloud(NamedTuple):
    """What is asked of the cloud for one change."""

    writer: StepSender
    reader: ServiceReader
    clock: CloudClock
    waiter: OperationWaiter


class _NotBegun(Exception):
    """The step may not be sent any more."""


class _Execution:
    """One change being carried out."""

    def __init__(
        self,
        entry: Entry,
        plan: Plan,
        cloud: _Cloud,
        journal: Journal,
        stage_file: Path | None,
        may_send: bool,
    ) -> None:
        self._entry = entry
        self._change = entry.change
        self._plan = plan
        self._cloud = cloud
        self._journal = journal
        self._may_send = may_send
        self._taken = False
        """Whether the cloud took the present step, or may have."""
        self._left = False
        """Whether the present step was sent before a person resumed it."""
        self._sent = False
        """Whether the present try has reached the cloud, or may have."""
        self._remarks: list[str] = []
        self._notes = Notes(journal, entry.change, plan, cloud.clock)
        self._record_file = RecordFile(stage_file, plan, self._notes.remark)
        self._preparation = Preparation(entry, plan, cloud.reader)
        self._grounds = Grounds(entry.change, plan, cloud.reader, cloud.clock.now)
        self._capacity = Capacity(
            entry.change, plan, cloud.reader, cloud.writer, cloud.waiter, self._notes.remark
        )

    async def run(self) -> Outcome:
        index = 0
        try:
            authorize_intent(self._change)
            for index, step in enumerate(self._change.steps):
                await self._carry_out_step(index, step)
        except Ended:
            return self._notes.settled_by_another()
        except _NotBegun:
            why = "It waited too long to be begun."
            return self._notes.end(describe_not_begun(self._change, index, why, self._now()))
        except RecordError:
            raise
        except CanaryError as error:
            seen = await self._cloud.waiter.read(self._change.steps[index].service)
            taken = self._taken or self._left or self._capacity.has_sent
            await self._record_file.commit(self._change)
            failed = describe_failed(self._change, index, error, seen, self._now(), taken=taken)
            remarks = [*self._capacity.said, *self._record_file.remarks]
            return self._notes.end(_with_remarks(failed, remarks))
        # Behind the last step: none of them waits for a hook or a push.
        await self._record_file.commit(self._change)
        behind = (*self._capacity.said, *self._remarks, *self._record_file.remarks)
        return self._notes.end(describe_done(self._change, behind, self._now()))

    async def _carry_out_step(self, index: int, step: Step) -> None:
        state = self._entry.state_of(index)
        self._taken, self._left = state not in NEVER_SENT, False
        if NEXT[state] == "end":
            return
        try:
            sent = await self._begin_or_follow(index, step, state)
        except (OutcomeUnknown, OperationFailed) as error:
            sent = await self._go_on_back(index, step, error)
        await self._capacity.look_behind(index, step)
        if sent.observed == "overtaken":
            self._remark_overtaken(step, sent.state)
        self._notes.note(index, "settled", _modifier(sent))
        if isinstance(step, SetTraffic) and sent.observed == "there":
            self._record_file.write(index, _as_recorded(step, sent.state))

    async def _begin_or_follow(self, index: int, step: Step, state: State) -> Sent:
        match NEXT[state]:
            case "send":
                return await self._send(index, step)
            case "resume":
                return await self._resume(index, step)
            case "follow":
                return await self._settle(index, step, self._entry.operation(index))
            case _:
                why = OutcomeUnknown("No answer was recorded.")
                return await self._look_up(index, step, why)

    async def _look_up(self, index: int, step: Step, why: OutcomeUnknown) -> Sent:
        if makes_room(self._change, index):
            raise why  # to be looked at by what is set, and given once more: it may be doubled
        return await self._cloud.waiter.look_up(step, why)

    async def _go_on_back(self, index: int, step: Step, error: CanaryError) -> Sent:
        """Going back does not end at Legacy's scale: what counts is what it is set to by now."""
        if not isinstance(step, SetScale) or not makes_room(self._change, index):
            raise error
        if not await self._capacity.is_given(step):
            state = await self._cloud.waiter.read(step.service)
            if state is None or not self._may_send:
                raise error
            await self._capacity.give(index, state, step.after)
        self._notes.remark(index, f"it is set, and goes on: {error.message}")
        return Sent(await self._cloud.waiter.read(step.service), "there")

    async def _send(self, index: int, step: Step) -> Sent:
        """Send the step; a rollback waits for a Cloud Run that is away, and is sent again when its
        guard kept it out. Going back is right later too; going on is not: it was decided on numbers
        that are getting old.
        """
        if not self._may_send:
            raise _NotBegun
        waits = self._cloud.waiter.waits()
        retries = Retries(self._change, self._plan, self._cloud.waiter)
        while True:
            try:
                return await self._send_once(index, step)
            except KeptOut as kept_out:
                found = await retries.demand(step, kept_out, sent=self._sent)
                if found is not None:
                    self._taken = True
                    return found
                self._retry(index, kept_out.conflict)
            except CanaryError as error:
                if not may_wait(error) or self._taken or self._change.kind not in GOING_BACK:
                    raise
                await self._wait(index, step, error, waits)

    def _retry(self, index: int, conflict: Conflict) -> None:
        """It had no effect: note that it goes out once more, by the guard as it is then."""
        self._notes.must(index, "retry", conflict.message)
        log.warning("change %s is sent again: %s", self._change.id, conflict.message)
        self._taken = False
        self._preparation.renew()

    async def _wait(
        self, index: int, step: Step, error: CanaryError, waits: Iterator[float]
    ) -> None:
        """Nothing went out: note that it waits, until Cloud Run answers or it is withdrawn."""
        self._notes.must(index, "waiting", error.message)
        log.warning("change %s waits: %s", self._change.id, error.message)
        least_s = QUOTA_PAUSE_S if isinstance(error, QuotaExhausted) else 0.0
        began = time.monotonic()
        async for answers in self._cloud.waiter.wait_for(step.service, waits, least_s):
            if time.monotonic() - began > WAITS_S:
                raise _NotBegun
            entry = self._journal.entry(self._change.id)
            if entry is None or entry.outcome is not None:
                raise Ended
            if answers:
                return

    async def _resume(self, index: int, step: Step) -> Sent:
        """A person has looked and said to go on with this step.

        What may have gone out is looked at once more: what is to be seen is followed; else it goes
        out under its old guard.
        """
        before = self._entry.state_before_resumed(index)
        if before in NEVER_SENT:
            return await self._send(index, step)
        self._taken = True
        if before == "accepted":
            return await self._settle(index, step, self._entry.operation(index))
        waiter = self._cloud.waiter
        if isinstance(step, DeleteImages):
            return await self._send_again(index, step)  # twice does no harm
        if isinstance(step, DeleteService) and await self._is_gone(step):
            return Sent(None, "there")
        state = await waiter.read(step.service)
        if state is None:
            raise OutcomeUnknown("Cloud Run does not answer: it was neither found nor sent again.")
        if waiter.observed(step, state) != "absent":
            return await waiter.look_up(step, OutcomeUnknown("It was sent before."))
        check_resumable(step, state, self._plan)
        return await self._send_again(index, step)

    async def _is_gone(self, step: DeleteService) -> bool:
        try:
            return await self._cloud.writer.gone(step)
        except CanaryError as error:
            raise OutcomeUnknown(f"Whether it is gone is not known: {error.message}") from error

    async def _send_again(self, index: int, step: Step) -> Sent:
        self._taken, self._left = False, True
        return await self._send(index, step)

    async def _send_once(self, index: int, step: Step) -> Sent:
        """Send the step and follow it until it is settled. Raises KeptOut where its guard did not
        hold, before the call, at it, or behind it as the operation's own end.
        """
        self._sent = False
        try:
            step = await self._grounds.check(index, step)
            before = await self._capacity.ensure(index, step)
            if before is not None:
                self._preparation.follow(step, before)
            step, detail = await self._preparation.prepare(index, step)
        except Conflict as error:
            raise KeptOut(error) from error
        step = date_step(step, self._now())
        self._notes.must(index, "sent", detail)  # the last thing before the call
        self._sent = True
        try:
            last_look = functools.partial(self._grounds.confirm, index, step)
            operation = await self._cloud.writer.send(step, last_look=last_look)
        except Conflict as error:
            raise KeptOut(error) from error
        except OperationFailed as error:
            self._taken = True  # a program of the team's fails at once, after it was run
            self._notes.note(index, "unknown", error.message)
            raise
        except OutcomeUnknown as error:
            self._taken = True
            self._notes.note(index, "unknown", error.message)
            return await self._look_up(index, step, error)
        self._taken = True
        self._notes.note(index, "accepted", operation)
        try:
            return await self._settle(index, step, operation)
        except Conflict as error:
            raise KeptOut(error) from error

    async def _settle(self, index: int, step: Step, operation: str) -> Sent:
        # Going back is urgent. Final approval is not: its steps rest on each other's effect.
        waits_behind = index < len(self._change.steps) - 1
        hurried = waits_behind and self._change.kind in GOING_BACK
        return await self._cloud.waiter.settle(step, operation, hurried=hurried)

    def _now(self) -> float:
        return self._cloud.clock.now()

    def _remark_overtaken(self, step: Step, state: ServiceState | None) -> None:
        if state is None:
            return
        if isinstance(step, SetScale):
            shown = format_scale(state.scale)
            self._remarks.append(f"What can run is {shown}: other limits are narrower.")
            return
        if isinstance(step, Annotate):
            self._remarks.append("Somebody has written over it since then.")
            return
        by = f" by {sanitize(state.last_modifier, 100)}" if state.last_modifier else ""
        self._remarks.append(f"It was changed since then{by}: {format_percent(state.percent)} now.")


def _as_recorded(step: SetTraffic, state: ServiceState | None) -> SetTraffic:
    """The step with the record that the cloud has of it: dated when it was sent."""
    record = state.record if state is not None else None
    if record is None or record.change != step.record.change:
        return step
    return msgspec.structs.replace(step, record=record)


def _with_remarks(outcome: Outcome, remarks: list[str]) -> Outcome:
    return msgspec.structs.replace(outcome, message=" ".join((outcome.message, *remarks)))


def _modifier(sent: Sent) -> str:
    """Who Cloud Run says has made the change: this console's identity in the cloud."""
    state = sent.state
    return (
        sanitize(state.last_modifier, 200) if state is not None and sent.observed == "there" else ""
    )
