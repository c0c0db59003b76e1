"""The executor: takes up what is open in the journal and carries it out.

Changes are carried out beside each other, not one after another: a promotion that hangs must not
keep the rollback waiting that was pressed because of it. `executor_process` is what it runs in.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from canary.engine.change.clients import CloudClients
from canary.engine.change.execute import WAITS_S as WAITS_S
from canary.engine.change.execute import carry_out
from canary.engine.change.settling import Pace
from canary.engine.notify import Notifier
from canary.rollout.errors import CanaryError
from canary.rollout.plan.plan import Plan
from canary.store.journal import Entry, Journal
from canary.store.locks import Owner

log = logging.getLogger(__name__)

FRESH_S = 120.0
"""An intent older than this (wall clock) is not begun any more: whoever asked has long looked
elsewhere, and the split may be another's by now. What was begun is still looked up."""


TAKEN_OVER = "found unfinished: its process had ended; looking it up"


def may_send(entry: Entry, age_s: float) -> bool:
    """Whether an intent taken up `age_s` (wall clock) after it was written may still be begun.

    A rollback that waited for Cloud Run may for a day: it was confirmed, and its guard is checked.
    """
    waits = entry.waiting_since is not None
    return abs(age_s) <= (WAITS_S if waits else FRESH_S)


class Executor:
    """Takes up the open changes of a journal and carries them out beside each other."""

    def __init__(
        self,
        plan: Plan,
        cloud_clients: CloudClients,
        journal: Journal,
        owner: Owner,
        *,
        stage_file: Path | None = None,
        notifier: Notifier | None = None,
        pace: Pace | None = None,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._plan = plan
        self._hands = cloud_clients
        self._journal = journal
        self._owner = owner
        self._stage_file = stage_file
        self._notifier = notifier
        self._pace = pace
        self._wall = wall
        self._sleep = sleep
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether any change is being carried out."""
        return bool(self._tasks)

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What carries changes out now, one task each."""
        return tuple(self._tasks.values())

    def take_up(self) -> None:
        """Begin, or go on with, every open change that no living executor has."""
        try:
            for entry in self._journal.open_changes():
                change_id = entry.change.id
                if change_id in self._tasks or not self._journal.claim(
                    change_id, self._owner.token
                ):
                    continue
                task = asyncio.create_task(self._carry_out(entry), name=f"change {change_id}")
                self._tasks[change_id] = task
                task.add_done_callback(partial(self._forget, change_id))
        except CanaryError as error:
            log.warning("the journal cannot be looked into: %s", error)

    async def finish(self) -> None:
        """Wait until everything that was begun has an outcome."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def warm(self) -> bool:
        """Read the service that carries the split. False: Cloud Run does not answer."""
        try:
            await self._hands.reader.service(self._plan.router_service)
        except CanaryError as error:
            log.warning("not warm: %s", error)
            return False
        return True

    def _note_takeover(self, entry: Entry) -> None:
        """Say that the process which began it has ended: "sent" alone would look as if it ran."""
        if entry.last is not None and entry.owner not in ("", self._owner.token):
            now = self._hands.clock.now()
            self._journal.note(entry.change.id, entry.last.step, "remark", TAKEN_OVER, now)

    def _forget(self, change_id: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(change_id, None)

    async def _carry_out(self, entry: Entry) -> None:
        age_s = self._wall() - entry.intended_at
        if self._notifier is not None and not entry.notes:
            # One with notes was begun, and told, by an executor before this one.
            self._notifier.begun(entry.change)
        try:
            self._note_takeover(entry)
            outcome = await carry_out(
                entry.change,
                self._hands.writer,
                self._hands.reader,
                self._journal,
                self._hands.clock,
                plan=self._plan,
                stage_file=self._stage_file,
                may_send=may_send(entry, age_s),
                pace=self._pace,
                sleep=self._sleep,
            )
        except CanaryError as error:
            log.warning("change %s: %s", entry.change.id, error)
        except Exception:
            # The boundary of this worker: the others go on, and the change stays open in the
            # journal, to be looked up by the next executor.
            log.exception("change %s", entry.change.id)
        else:
            log.info("change %s: %s: %s", entry.change.id, outcome.state, outcome.message)
            if self._notifier is not None:
                self._notifier.ended(entry.change, outcome)
