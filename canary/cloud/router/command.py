"""A split that a program of the team's makes: `set` with {percent}; `read`, if there is one.

The program is opaque: it takes no guard and no record. What can be kept of the promise that record
and split stay together is kept on the service that stands for the split, in this order:

1. the intent: an annotation beside the record, guarded by the service's etag. Of two people at two
   consoles one is refused here, before any program runs;
2. the program, once, and (with `read`) its result read back;
3. the record takes the intent's place, in one guarded update.

A crash before 2 or 3 leaves the intent. Whoever looks sees the old record, the share as `read`
tells it (not known without `read`), and whose change to what was begun and not recorded. The next
change of the split takes the intent's place. Against changes made past the console there is no
guard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from canary.cloud.registry import ImageRegistry
from canary.cloud.router.program import Ended, find_program, run_command
from canary.cloud.router.router import NO_GUARD, Router, check_guard
from canary.cloud.run.client import RunClient
from canary.cloud.run.services import read_service
from canary.cloud.views import ServiceState
from canary.rollout.change.change import SetTraffic
from canary.rollout.change.stage_record import StageRecord, decode_record, encode_record
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    Malformed,
    OperationFailed,
    OutcomeUnknown,
    ToolFailed,
)
from canary.rollout.plan.plan import Endpoints, Plan
from canary.rollout.text import format_timestamp, quote_command, sanitize

SOURCE = "the router's program"
READ_TIMEOUT_S = 10.0
READ_BACKS = 5
READ_BACK_PAUSE_S = 1.0
RECORD_TRIES = 20
RECORD_PAUSE_S = 0.1
"""The program has acted: its record is not lost to another tool that touches the service."""


def intent_key(plan: Plan) -> str:
    """The annotation that is there from before the program runs until its result is recorded."""
    return f"{plan.record.annotation}-intent"


async def read_share(plan: Plan, service: Any) -> tuple[int | None, str]:
    """The present share and "", or what is not as it should be (the share may be known even so)."""
    begun = _begun(plan, service)
    if plan.target.router.read:
        try:
            return await ask_program(plan), begun
        except CanaryError as error:
            return None, error.message
    if begun:
        return None, begun
    record = _decode(service.annotations.get(plan.record.annotation, ""))
    return (record.percent if record is not None else None), ""


async def ask_program(plan: Plan) -> int:
    """The share as `read` prints it: a whole number, 0 to 100. Raises ToolFailed, Malformed."""
    ended = await run_command(plan.target.router.read, READ_TIMEOUT_S)
    if ended.code != 0:
        raise ToolFailed(f"The program that reads the share {ended.words}.")
    text = ended.said.strip().removesuffix("%").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 100):
        raise Malformed(
            f'The program that reads the share said "{sanitize(text, 80)}", not 0 to 100.',
            source=SOURCE,
        )
    return int(text)


class CommandRouter(Router):
    """Runs the team's program between two guarded updates of the service that stands for the split.

    Without `read` the share is the record's, as long as no change was begun and not recorded.
    `sleep` waits between the looks at what the program has set.
    """

    def __init__(
        self,
        plan: Plan,
        run: RunClient,
        registry: ImageRegistry,
        endpoints: Endpoints,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(plan, run, registry, endpoints)
        self._sleep = sleep

    async def read_split(self) -> ServiceState:
        """The service with the program's share. A `read` that fails is told as `record_error`."""
        message = await self.run.message(self.plan.router_service)
        percent, trouble = await read_share(self.plan, message)
        state = await self.add_serving(read_service(self.plan, message), message)
        error = state.record_error or trouble
        return msgspec.structs.replace(state, percent=percent, record_error=error)

    async def set_split(self, step: SetTraffic, *, validate_only: bool) -> str:
        """Intent, program, record.

        Raises OperationFailed when the program failed or took too long, and OutcomeUnknown when
        what it did could not be recorded.
        """
        plan = self.plan
        service = await self.run.message(step.service)
        share, _ = await read_share(plan, service)
        check_guard(
            step.guard,
            share,
            service.etag,
            share="Canary's share",
            moved=f"{step.service}, which keeps the record, was changed since this was decided.",
        )
        if share == step.percent or validate_only:
            kept = self.keep_record(service, step.record)
            return await self._keep(service, kept, step, validate_only=validate_only)
        find_program(plan.target.router.set)
        await self._keep(service, {intent_key(plan): encode_record(step.record)}, step)
        await self._run_program(step, share)
        return await self._record(step)

    @staticmethod
    def describe_place(step: SetTraffic, plan: Plan) -> str:
        """The program, and that nothing guards it."""
        program = sanitize(plan.target.router.set[0], 80)
        return f"what {program} sets ({NO_GUARD}); the record on {sanitize(step.service)}"

    @staticmethod
    def by_hand(step: SetTraffic, plan: Plan, _stable: str) -> str:
        """The program itself."""
        return quote_command(plan.target.router.set_arguments(step.percent))

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
                intent = _decode(service.annotations.get(intent_key(self.plan), ""))
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
        annotations.pop(intent_key(self.plan), None)
        return await self.annotate(
            service, {**annotations, **kept}, step, validate_only=validate_only
        )


def _begun(plan: Plan, service: Any) -> str:
    """Whose change was begun and not recorded; "" without one."""
    if intent_key(plan) not in service.annotations:
        return ""
    intent = _decode(service.annotations[intent_key(plan)])
    if intent is None:
        return "A change of the split was begun and not recorded."
    by = sanitize(f"{intent.by}@{intent.host}", 100)
    return (
        f"A change to {intent.percent} % by {by} was begun at {format_timestamp(intent.entered_at)}"
        " and is not recorded yet."
    )


def _decode(text: str) -> StageRecord | None:
    try:
        return decode_record(text)
    except Malformed:
        return None
