"""`canary guard`: automatic rollback without a screen, until it is asked to end.

Observes as the console does, counts down, and carries the change out in this process by the same
path: intent in the journal first, so that whatever ends it, the next executor takes it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from canary.engine.change.execute import carry_out
from canary.engine.change.intents import intend
from canary.engine.guard.guard import AutomaticRollback
from canary.engine.guard.supervisor import operator_session_of, show_guard
from canary.engine.notify import Notifier, telling
from canary.engine.observe.event_log import Severity
from canary.engine.session import Session
from canary.engine.signals import ended_by_signal
from canary.rollout.change.change import Author, Change, Outcome
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.export.notification import Notification, place_of
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.journal import Journal
from canary.store.locks import Owner
from canary.store.presence import OperatorSessionHolder
from canary.store.stage_file import stage_file_path

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
COUNTING_S: Final = 0.25
EMBEDDED_S: Final = 10.0
MINUTE_S: Final = 60.0
"""Pauses: real seconds; a minute of the cloud's time is what metrics are sampled by."""

SayLine = Callable[[Severity, str], None]
Wait = Callable[[asyncio.Event, float], Awaitable[None]]


class GuardOrder(msgspec.Struct, frozen=True):
    """How to guard. `countdown_s` None: the plan's. `once`: look once, act if need be, and end."""

    countdown_s: float | None = None
    once: bool = False


class GuardEnd(msgspec.Struct, frozen=True):
    """How it ended: the last snapshot (None: it never came to one), and the last outcome."""

    snapshot: Snapshot | None
    outcome: Outcome | None


async def guard(
    plan: Plan, plan_path: Path, order: GuardOrder, author: Author, say: SayLine
) -> GuardEnd:
    """Guard until SIGTERM, SIGINT or SIGHUP, or once. Raises CanaryError when it cannot begin."""
    asked = asyncio.Event()
    with ended_by_signal(asked.set):
        async with await Session.open(plan, plan_path) as session:
            if session.journal is None:
                raise session.journal_error or RecordError("The journal cannot be opened.")
            directory = session.directory

            def trouble(sentence: str) -> None:
                say("warning", sentence)

            with Owner(directory) as owner:
                async with telling(plan, directory, trouble) as notifier:
                    keeper = GuardLoop(session, session.journal, owner, notifier, author, say)
                    return await keeper.run(order, asked)


class GuardLoop:
    """Looks, counts, acts. `owner` claims what is carried out here. `monotonic` counts down."""

    def __init__(
        self,
        session: Session,
        journal: Journal,
        owner: Owner,
        notifier: Notifier | None,
        author: Author,
        say: SayLine,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Wait | None = None,
    ) -> None:
        self._session = session
        self._journal = journal
        self._owner = owner
        self._notifier = notifier
        self._author = author
        self._format_line = say
        self._monotonic = monotonic
        self._wait = wait if wait is not None else _wait
        self._tasks: set[asyncio.Task[None]] = set()
        self._read_at = self._embedded_at = float("-inf")
        self._outcome: Outcome | None = None
        self.rollback = AutomaticRollback(
            session.plan, journal, author, self._submit, self._say, monotonic=monotonic
        )

    async def run(self, order: GuardOrder, asked: asyncio.Event) -> GuardEnd:
        """Look until asked to end, or once until there is nothing (more) to do."""
        observer = self._session.observer
        place = operator_session_of(self._author, False, kind="guard")
        seat = OperatorSessionHolder(self._session.directory, place)
        observer.guard = lambda: self.rollback.view
        snapshot: Snapshot | None = None
        try:
            observer.load_history()
            self.rollback.arm(str(self._author), order.countdown_s)
            while not asked.is_set():
                snapshot = await self._look()
                place = show_guard(seat, place, self.rollback.view)
                if order.once and not self.rollback.is_counting and not self._tasks:
                    break
                await self._wait(asked, COUNTING_S if self.rollback.is_counting else LOOK_S)
        finally:
            seat.release()
        if self._tasks:
            await self._finish(asked)
        return GuardEnd(snapshot, self._outcome)

    async def _look(self) -> Snapshot:
        """Read what is due, judge it, and let automatic rollback look at it. Never raises for a
        cloud that fails: the snapshot tells, and nothing is done on it.
        """
        session, observer = self._session, self._session.observer
        now = self._monotonic()
        if session.embedded is not None and now - self._embedded_at >= EMBEDDED_S:
            self._embedded_at = now
            with contextlib.suppress(CanaryError):
                await session.embedded.refresh()
        pace = min(session.plan.metrics.refresh_s, max(MINUTE_S / _speed(session), LOOK_S))
        if now - self._read_at >= pace:
            self._read_at = now
            observer.read_results()
            await observer.refresh()
            if observer.needs_backfill:
                async for _ in observer.backfill():
                    pass
        observer.read_journal()
        snapshot = observer.snapshot()
        if self._notifier is not None:
            self._notifier.watch(snapshot)
        self.rollback.look(snapshot, session.clock.now())
        return snapshot

    async def _finish(self, asked: asyncio.Event) -> None:
        """What is under way ends first; asked a second time, it is left to the next executor."""
        self._format_line("info", "a rollback is under way and is finished first")
        asked.clear()
        again = asyncio.ensure_future(asked.wait())
        while self._tasks and not asked.is_set():
            await asyncio.wait({*self._tasks, again}, return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        for task in tuple(self._tasks):
            task.cancel()

    def _submit(self, change: Change) -> None:
        """Keep the intent, claimed, and begin; the looking goes on meanwhile."""
        if not intend(self._journal, change, self._session.plan, self._owner.token):
            return  # another guard of this host has written the very same, and carries it out
        task = asyncio.get_running_loop().create_task(self._carry_out(change), name="rollback")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, change: Change) -> None:
        session = self._session
        if self._notifier is not None:
            self._notifier.begun(change)
        try:
            outcome = await carry_out(
                change,
                session.writer(),
                session.run_reader,
                self._journal,
                session.clock,
                plan=session.plan,
                stage_file=stage_file_path(session.plan_path, session.plan.record.file),
            )
        except CanaryError as error:
            self._say("critical", f"automatic rollback was not carried out: {error}")
            return
        except Exception:
            # The boundary of this task: the change is open, and the next executor takes it up.
            log.exception("automatic rollback")
            self._say("critical", "automatic rollback failed by a mistake in this program")
            return
        self._outcome = outcome
        state = outcome.state.replace("_", " ")
        severity: Severity = "good" if outcome.state == "done" else "critical"
        self._say(severity, f"automatic rollback: {state}: {outcome.message} {outcome.remedy}")
        if self._notifier is not None:
            self._notifier.ended(change, outcome)

    def _say(self, severity: Severity, text: str) -> None:
        plan = self._session.plan
        self._format_line(severity, text)
        self._session.observer.log.say(self._session.clock.now(), severity, text)
        if self._notifier is not None:
            place = place_of(plan.name, plan.target.project, plan.provider)
            self._notifier.tell(Notification("", f"{place}: {text}", severity))


async def _wait(asked: asyncio.Event, pause_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asked.wait(), pause_s)


def _speed(session: Session) -> float:
    return session.clock.speed if session.clock.speed > 0 else 1.0
