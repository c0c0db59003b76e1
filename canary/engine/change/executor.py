"""The executor: the one way from an intent to its outcome.

The executor's process takes up what is open in the journal, a shell command carries out its own
change and waits, `canary guard` begins its rollbacks and goes on looking: all by this class, and so
with the same claims, the same notes and the same notifications.

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
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from canary.cloud.connection.clock import CloudClock, read_steady
from canary.engine.change.execute import WAITS_S as WAITS_S
from canary.engine.change.execute import carry_out
from canary.engine.change.notes import intend, without_journal
from canary.engine.change.settling import Pace, ServiceReader, StepSender
from canary.engine.notify import Notifier
from canary.rollout.change.change import Change, Outcome
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.routing import routes_alike
from canary.store.journal import Entry, Journal

if TYPE_CHECKING:
    from canary.cloud.embedded.embedded import EmbeddedCloud
    from canary.engine.clients import Cloud

log = logging.getLogger(__name__)

FRESH_S = 120.0
"""An intent older than this (wall clock) is not begun any more: whoever asked has long looked
elsewhere, and the split may be another's by now. What was begun is still looked up."""

MAKE_UP_S = 30.0
"""So often is looked for ends of which nobody told, real seconds."""

MAKE_UP_MOST = 20
"""How many changes, the newest, are looked at for that."""

TAKEN_OVER = "found unfinished: its process had ended; looking it up"

OTHERS = "left alone: it was asked for under a plan that routes otherwise"

OnEnd = Callable[[Change, Outcome | Exception], None]
"""Called in the loop with what became of a change in the background: its outcome, or why it has
none; then it is open in the journal, for the next executor."""


class Claim(Protocol):
    """What claims changes in a journal: a `store.locks.Owner`."""

    @property
    def token(self) -> str:
        """What goes into the journal."""


class CloudClients(NamedTuple):
    """Writer and reader of Cloud Run, and the cloud's clock. `embedded` None: a cloud elsewhere."""

    writer: StepSender
    reader: ServiceReader
    clock: CloudClock
    embedded: EmbeddedCloud | None = None

    @classmethod
    def of(cls, cloud: Cloud) -> Self:
        """Those of a plan's cloud that is connected."""
        return cls(cloud.router, cloud.router, cloud.clock, cloud.embedded)


def may_send(entry: Entry, age_s: float) -> bool:
    """Whether an intent taken up `age_s` (wall clock) after it was written may still be begun.

    A rollback that waited for Cloud Run may for a day: it was confirmed, and its guard is checked.
    """
    waits = entry.waiting_since is not None
    return abs(age_s) <= (WAITS_S if waits else FRESH_S)


class Executor:
    """Carries out the changes of a journal, in this process, as `owner`.

    `stage_file` None: none is kept. `on_end` hears of those in the background.
    """

    def __init__(
        self,
        plan: Plan,
        cloud_clients: CloudClients,
        journal: Journal,
        owner: Claim,
        *,
        stage_file: Path | None = None,
        notifier: Notifier | None = None,
        on_end: OnEnd | None = None,
        pace: Pace | None = None,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = read_steady,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._plan = plan
        self._cloud = cloud_clients
        self._journal = journal
        self._owner = owner
        self._stage_file = stage_file
        self._notifier = notifier
        self._on_end = on_end
        self._pace = pace
        self._wall = wall
        self._steady = steady
        self._looked_at: float | None = None
        self._made_up_at = float("-inf")
        self._intents: dict[str, float] = {}
        """When each open change was intended, as of the last look (`_looked_at`, steady)."""
        self._sleep = sleep
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether any change is being carried out in the background."""
        return bool(self._tasks)

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What carries changes out in the background, one task each."""
        return tuple(self._tasks.values())

    def take_up(self) -> None:
        """Begin, or go on with, every open change that no living executor has."""
        try:
            looked_at, before = self._steady(), self._intents
            entries = self._journal.open_changes()
            for entry in entries:
                if not routes_alike(entry.change.routing, self._plan):
                    self._leave(entry)
                elif entry.change.id not in self._tasks and self._claim(entry.change.id):
                    age_s = self._age_of(entry, before, looked_at)
                    self._begin(entry, fresh=may_send(entry, age_s))
            self._intents = {entry.change.id: entry.intended_at for entry in entries}
            self._looked_at = looked_at
            self._make_up(looked_at)
        except CanaryError as error:
            log.warning("the journal cannot be looked into: %s", error)

    def _age_of(self, entry: Entry, before: dict[str, float], now: float) -> float:
        """How old an intent is. By the wall clock only what was there at the first look: one that
        was not there at the last is no older than that look, whatever the clock was set to since.
        """
        age_s = self._wall() - entry.intended_at
        is_new = before.get(entry.change.id) != entry.intended_at
        if self._looked_at is not None and is_new:
            return min(max(age_s, 0.0), now - self._looked_at)
        return age_s

    def begin(self, change: Change) -> bool:
        """Write the intent, claimed, and carry it out in the background. False: it is written
        already, and another executor's.

        Raises RecordError when it cannot be written; nothing is changed then.
        """
        if not intend(self._journal, change, self._plan, self._owner.token):
            return False
        self._begin(self._entry(change.id), fresh=True)
        return True

    async def execute(self, change: Change) -> Outcome:
        """Write the intent, claimed, carry it out, and return its outcome.

        Raises as `begin`, and what `carry_out` raises. Cancelled, the change stays as it is.
        """
        intend(self._journal, change, self._plan, self._owner.token)
        try:
            entry = self._entry(change.id)
        except RecordError as error:
            raise without_journal(error, change, self._plan) from error
        return await self._carry_out(entry, fresh=True)

    async def go_on(self, change_id: str) -> Outcome | None:
        """Go on with a change that a person has just handed back; None: another executor has it."""
        if not routes_alike(self._entry(change_id).change.routing, self._plan):
            return None
        if not self._claim(change_id):
            return None
        return await self._carry_out(self._entry(change_id), fresh=True)

    async def finish(self) -> None:
        """Wait until everything that was begun in the background has ended."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def warm(self) -> bool:
        """Read the service that carries the split. False: Cloud Run does not answer."""
        try:
            await self._cloud.reader.service(self._plan.router_service)
        except CanaryError as error:
            log.warning("not warm: %s", error)
            return False
        return True

    def _entry(self, change_id: str) -> Entry:
        entry = self._journal.entry(change_id)
        if entry is None:
            raise RecordError(f"The change {change_id} is gone from the journal.")
        return entry

    def _claim(self, change_id: str) -> bool:
        return self._journal.claim(change_id, self._owner.token)

    def _begin(self, entry: Entry, *, fresh: bool) -> None:
        change_id = entry.change.id
        task = asyncio.create_task(self._in_background(entry, fresh), name=f"change {change_id}")
        self._tasks[change_id] = task
        task.add_done_callback(partial(self._forget, change_id))

    def _leave(self, entry: Entry) -> None:
        """Another plan's: left alone, and said once."""
        if entry.outcome is None and not any(n.detail == OTHERS for n in entry.notes):
            log.warning("change %s: %s", entry.change.id, OTHERS)
            self._journal.remark(entry.change.id, "remark", OTHERS, self._cloud.clock.now())

    def _forget(self, change_id: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(change_id, None)

    async def _in_background(self, entry: Entry, fresh: bool) -> None:
        change = entry.change
        ended: Outcome | Exception
        try:
            ended = await self._carry_out(entry, fresh=fresh)
            log.info("change %s: %s: %s", change.id, ended.state, ended.message)
        except CanaryError as error:
            log.warning("change %s: %s", change.id, error)
            ended = error
        except Exception as error:
            # The boundary of this worker: the others go on, and the change stays open in the
            # journal, to be looked up by the next executor.
            log.exception("change %s", change.id)
            ended = error
        if self._on_end is not None:
            self._on_end(change, ended)

    async def _carry_out(self, entry: Entry, *, fresh: bool) -> Outcome:
        """The path of every change: from its intent in the journal to its outcome there.

        Not `fresh`: what was not begun is not begun any more.
        """
        if self._notifier is not None and not entry.notes:
            # One with notes was begun, and told, by an executor before this one.
            self._notifier.begun(entry.change)
        self._note_takeover(entry)
        outcome = await carry_out(
            entry.change,
            self._cloud.writer,
            self._cloud.reader,
            self._journal,
            self._cloud.clock,
            plan=self._plan,
            stage_file=self._stage_file,
            may_send=fresh,
            pace=self._pace,
            sleep=self._sleep,
        )
        if self._notifier is not None:
            self._notifier.ended(entry.change, outcome)
        return outcome

    def _make_up(self, now: float) -> None:
        """Tell what an executor that was killed did not come to tell, and what was not taken."""
        if self._notifier is not None and now - self._made_up_at >= MAKE_UP_S:
            self._made_up_at = now
            self._notifier.make_up(self._journal.recent(MAKE_UP_MOST))
            self._notifier.resume()

    def _note_takeover(self, entry: Entry) -> None:
        """Say that the process which began it has ended: "sent" alone would look as if it ran."""
        if entry.last is not None and entry.owner not in ("", self._owner.token):
            now = self._cloud.clock.now()
            self._journal.note(entry.change.id, entry.last.step, "remark", TAKEN_OVER, now)
