"""A split that a program of the team's makes: `set` with {percent}; `read`, if there is one.

The program is opaque: it takes no guard and no record. What can be kept of the promise that record
and split stay together is kept on the service that stands for the split, in this order:

1. the intent: an annotation beside the record, guarded by the service's etag. Of two people at two
   consoles one is refused here, before any program runs; while another's program may be running,
   going back waits for it (`intent`);
2. all of it looked at once more: the intent is still this change's, the share is what was decided;
3. the program, at once and once, and (with `read`) its result read back;
4. the record takes the intent's place, in one guarded update.

What is refused at 2 takes its intent back. A crash before 3 or 4 leaves it. Whoever looks sees the
old record, the share as `read` tells it (not known without `read`), and whose change to what was
begun and not recorded. The next change of the split takes the intent's place. Against changes made
past the console there is no guard from 2 until the program has had its effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from canary.cloud.registry import ImageRegistry
from canary.cloud.router.intent import (
    BEGIN_S,
    demand_no_more,
    demand_share,
    demand_turn,
    ended_key,
    intent_key,
    left_behind,
    read_intent,
)
from canary.cloud.router.program import Ended, find_program, run_command
from canary.cloud.router.program_share import SOURCE, ask_program, read_share
from canary.cloud.router.router import NO_GUARD, LastLook, Router, check_guard, look_no_more
from canary.cloud.run.client import RunClient
from canary.cloud.run.services import read_service
from canary.cloud.views import ServiceState
from canary.rollout.change.change import SetTraffic
from canary.rollout.change.stage_record import encode_record
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    OperationFailed,
    OutcomeUnknown,
    ToolFailed,
    Unavailable,
)
from canary.rollout.plan.plan import Endpoints, Plan
from canary.rollout.text import quote_command, sanitize

READ_BACKS = 5
READ_BACK_PAUSE_S = 1.0
RECORD_TRIES = 20
RECORD_PAUSE_S = 0.1
"""The program has acted: its record is not lost to another tool that touches the service."""


class CommandRouter(Router):
    """Runs the team's program between two guarded updates of the service that stands for the split.

    Without `read` the share is the record's, as long as no change was begun and not recorded.
    `sleep` waits between the looks at what the program has set; `monotonic` tells how long it took
    until the program could be run.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunClient,
        registry: ImageRegistry,
        endpoints: Endpoints,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(plan, run, registry, endpoints)
        self._sleep = sleep
        self._monotonic = monotonic

    async def read_split(self) -> ServiceState:
        """The service with the program's share. A `read` that fails is told as `record_error`."""
        message = await self.run.message(self.plan.router_service)
        percent, trouble = await read_share(self.plan, message)
        state = await self.add_serving(read_service(self.plan, message), message)
        error = state.record_error or trouble
        return msgspec.structs.replace(state, percent=percent, record_error=error)

    async def set_split(
        self, step: SetTraffic, *, validate_only: bool, last_look: LastLook = look_no_more
    ) -> str:
        """Intent, second look, program, record.

        Raises OperationFailed when the program failed or took too long, or was not run and its
        intent stays; OutcomeUnknown when what it did could not be recorded; and Unavailable or
        Conflict while another's program may be running.
        """
        plan, began = self.plan, self._monotonic()
        service = await self.run.message(step.service)
        if not validate_only:
            demand_turn(plan, service, step)
        share, _ = await read_share(plan, service, step.record.change)
        check_guard(
            step.guard,
            share,
            service.etag,
            share="Canary's share",
            moved=f"{step.service}, which keeps the record, was changed since this was decided.",
        )
        demand_no_more(plan, service, step, share)
        if share == step.percent or validate_only:
            kept = self.keep_record(service, step.record)
            await last_look()
            return await self._keep(service, kept, step, validate_only=validate_only)
        find_program(plan.target.router.set)
        await self._begin(step, service)
        try:
            await last_look()
            await self._look_again(step, share, began)
        except CanaryError as refused:
            await self._take_back(step, refused)
            raise
        try:
            await self._run_program(step, share)
            return await self._record(step)
        except CanaryError:
            await self._note_ended(step)
            raise

    @staticmethod
    def describe_place(step: SetTraffic, plan: Plan) -> str:
        """The program, and that nothing guards it."""
        program = sanitize(plan.target.router.set[0], 80)
        return f"what {program} sets ({NO_GUARD}); the record on {sanitize(step.service)}"

    @staticmethod
    def by_hand(step: SetTraffic, plan: Plan, _stable: str) -> str:
        """The program itself."""
        return quote_command(plan.target.router.set_arguments(step.percent))

    async def _begin(self, step: SetTraffic, service: Any) -> None:
        """Write the intent. An answer that is lost is no harm: it is looked for before anything
        takes effect.
        """
        intent = {intent_key(self.plan): encode_record(step.record)}
        with contextlib.suppress(OutcomeUnknown):
            await self._keep(service, intent, step)

    async def _look_again(self, step: SetTraffic, share: int | None, began: float) -> None:
        """The last look before the program: writing the intent may have taken long.

        `share` is what the first look saw. Raises Conflict where somebody was faster, and
        Unavailable where the intent has not come to be there, or all of it took too long.
        """
        await self._demand_own(step)
        if self.plan.target.router.read:
            decided = step.guard.percent
            now = await ask_program(self.plan)
            demand_share(step, now, share if decided is None else decided)
        if self._monotonic() - began > BEGIN_S:
            raise Unavailable("It took too long until the program could be run.", source=SOURCE)

    async def _demand_own(self, step: SetTraffic) -> None:
        service = await self.run.message(step.service)
        intent = read_intent(self.plan, service)
        if intent is not None and intent.change == step.record.change:
            return
        if intent is None:
            said = f"That the change was begun could not be noted on {sanitize(step.service, 60)}."
            raise Unavailable(said, source="Cloud Run")
        raise Conflict("Another change of the split was begun meanwhile; the program was not run.")

    async def _take_back(self, step: SetTraffic, refused: CanaryError) -> None:
        """Take the intent away: the program was not run. Raises what to say where that fails."""
        try:
            service = await self.run.message(step.service)
            intent = read_intent(self.plan, service)
            if intent is not None and intent.change == step.record.change:
                await self._keep(service, {}, step)
        except CanaryError as error:
            raise left_behind(step, refused, error) from refused

    async def _note_ended(self, step: SetTraffic) -> None:
        """Nobody waits for a program that has ended. Where that cannot be noted, they wait for as
        long as it might have taken.
        """
        with contextlib.suppress(CanaryError):
            service = await self.run.message(step.service)
            intent = read_intent(self.plan, service)
            if intent is not None and intent.change == step.record.change:
                kept = {
                    intent_key(self.plan): service.annotations[intent_key(self.plan)],
                    ended_key(self.plan): intent.change,
                }
                await self._keep(service, kept, step)

    async def _run_program(self, step: SetTraffic, before: int | None) -> None:
        router = self.plan.target.router
        try:
            ended = await run_command(router.set_arguments(step.percent), router.timeout_s)
        except ToolFailed as error:  # what was begun is noted on the service by now
            raise OperationFailed(error.message, remedy=error.remedy, source=SOURCE) from error
        if ended.code != 0:
            raise await self._failure(ended, before)
        if router.read:
            await self._read_back(step)

    async def _read_back(self, step: SetTraffic) -> None:
        """Look whether the program has set the share. That it cannot be read says nothing of that:
        it was run, and may have.
        """
        shown: int | None = None
        trouble: CanaryError | None = None
        for look in range(READ_BACKS):
            if look:
                await self._sleep(READ_BACK_PAUSE_S)
            try:
                shown, trouble = await ask_program(self.plan), None
            except CanaryError as error:
                trouble = error
            if trouble is None and shown == step.percent:
                return
        if trouble is not None:
            raise OutcomeUnknown(
                f"The program ended well; what is set could not be read back: {trouble.message}",
                remedy="Look at what is set; adopt it if it is as it should be.",
            )
        raise OperationFailed(
            f"The program ended well, and the share is {shown} % even so, not {step.percent} %.",
            remedy="Look at what the program did, then try again or roll back.",
            source=SOURCE,
        )

    async def _failure(self, ended: Ended, before: int | None) -> OperationFailed:
        now = "What is set now is not known."
        if self.plan.target.router.read:
            try:
                percent = await ask_program(self.plan)
                same = " as before" if percent == before else ""
                now = f"The share is {percent} %{same}."
            except CanaryError as error:
                now = f"{error.message} {now}"
        return OperationFailed(
            f"The program that sets the share {ended.words}. {now}",
            remedy="Look at what the program did, then try again or roll back.",
            source=SOURCE,
        )

    async def _record(self, step: SetTraffic) -> str:
        """Put the record in the intent's place; the split is set by now."""
        try:
            for left in range(RECORD_TRIES, 0, -1):
                service = await self.run.message(step.service)
                intent = read_intent(self.plan, service)
                if intent is None or intent.change != step.record.change:
                    raise Conflict("Another change of the split was begun meanwhile.")
                try:
                    return await self._keep(service, self.keep_record(service, step.record), step)
                except Conflict:
                    if left == 1:
                        raise
                await self._sleep(RECORD_PAUSE_S)
            raise AssertionError  # the last try returns or raises
        except CanaryError as error:
            raise OutcomeUnknown(
                f"The program has set the share; that could not be recorded: {error.message}",
                remedy="Look at the split; adopt it if it is as it should be.",
            ) from error

    async def _keep(
        self, service: Any, kept: dict[str, str], step: SetTraffic, *, validate_only: bool = False
    ) -> str:
        """One guarded update of the annotations; an intent that is not in `kept` goes away."""
        annotations = dict(service.annotations)
        for key in (intent_key(self.plan), ended_key(self.plan)):
            annotations.pop(key, None)
        return await self.annotate(
            service, {**annotations, **kept}, step, validate_only=validate_only
        )
