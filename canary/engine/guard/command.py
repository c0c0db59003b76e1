"""`canary guard`: automatic rollback without a screen, until it is asked to end.

Runs the same poll loop as the console, and carries the change out in this process by the same path:
intent in the journal first, so that whatever ends it, the next executor takes it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from canary.engine.change.executor import CloudClients, Executor
from canary.engine.guard.supervisor import GuardSupervisor
from canary.engine.metrics_port import MetricsPort, serving
from canary.engine.notify import Notifier, telling
from canary.engine.observe.event_log import Severity
from canary.engine.observe.poll_loop import GUARD, PollLoop, Wait
from canary.engine.observe.recorder import Recorder
from canary.engine.session import Session
from canary.engine.signals import ended_by_signal
from canary.host.clock import read_steady_clock
from canary.paint.keeper import keeping
from canary.paint.last_seen import Subject
from canary.rollout.change.change import Author, Change, Outcome
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.journal import Journal
from canary.store.locks import Owner
from canary.store.stage_file import stage_file_path

log = logging.getLogger(__name__)

SayLine = Callable[[Severity, str], None]


class GuardOrder(msgspec.Struct, frozen=True):
    """How to guard. `countdown_s` None: the plan's. `once`: look once, act if need be, and end.
    `metrics_port`: a scraper is answered there, on loopback. `subject`: what is seen is kept for
    it, for the next console's first paint.
    """

    countdown_s: float | None = None
    once: bool = False
    metrics_port: int | None = None
    subject: Subject | None = None


class GuardEnd(msgspec.Struct, frozen=True):
    """How it ended: the last snapshot (None: it never came to one), and the last outcome."""

    snapshot: Snapshot | None
    outcome: Outcome | None


async def guard(
    plan: Plan, plan_path: Path, order: GuardOrder, author: Author, say: SayLine
) -> GuardEnd:
    """Guard until SIGTERM, SIGINT or SIGHUP, or once. Raises CanaryError when it cannot begin."""
    asked = asyncio.Event()
    end: GuardEnd | None = None
    try:
        with ended_by_signal(asked.set):
            async with await Session.open(plan, plan_path) as session:
                end = await _guard_in(session, order, author, say, asked)
    except Exception:
        if end is None or end.outcome is None:
            raise
        log.exception("closing after a rollback")  # it has ended: that is what is answered
    return end


async def _guard_in(
    session: Session, order: GuardOrder, author: Author, say: SayLine, asked: asyncio.Event
) -> GuardEnd:
    if session.journal is None:
        raise session.journal_error or RecordError("The journal cannot be opened.")
    directory = session.directory

    def on_error(sentence: str) -> None:
        say("warning", sentence)

    def on_no_port(sentence: str) -> None:
        say(
            "warning",
            f"{sentence} What listens there is not this guard, which guards all the same.",
        )

    with Owner(directory) as owner:
        async with telling(session.plan, directory, on_error) as notifier:
            keeper = GuardLoop(session, session.journal, owner, notifier, author, say)
            told = MetricsPort(session.plan)
            keeper.polls.subscribe(lambda snapshot, _: told.show(snapshot))
            # Whoever took the port first must not keep a guard from guarding.
            with keeping(order.subject, session.plan) as keep:
                keeper.polls.subscribe(lambda snapshot, _: keep(snapshot))
                async with serving(order.metrics_port, told, on_no_port):
                    return await keeper.run(order, asked)


class GuardLoop:
    """The poll loop with automatic rollback. `owner` claims what is carried out here; `monotonic`
    counts down.
    """

    def __init__(
        self,
        session: Session,
        journal: Journal,
        owner: Owner,
        notifier: Notifier,
        author: Author,
        say: SayLine,
        *,
        monotonic: Callable[[], float] = read_steady_clock,
        wait: Wait | None = None,
    ) -> None:
        self._session = session
        self._notifier = notifier
        self._say_line = say
        self._said_error = ""
        plan, stage_file = session.plan, session.plan.record.file
        self._executor = Executor(
            plan,
            CloudClients.of(session.cloud),
            journal,
            owner,
            stage_file=stage_file_path(session.plan_path, stage_file),
            notifier=notifier,
            on_end=self._ended,
        )
        self._outcome: Outcome | None = None
        self._snapshot: Snapshot | None = None
        self.supervisor = GuardSupervisor(
            session,
            author,
            self._submit,
            lambda act: act(),
            lambda: self.polls.publish(changed=True),
            notifier,
            kind="guard",
            also_say=say,
            monotonic=monotonic,
        )
        self.polls = PollLoop(
            session.observer,
            session.embedded,
            self._on_error,
            beside=self.supervisor.beside,
            monotonic=monotonic,
            wait=wait,
        )
        self.polls.subscribe(self._look)
        self._recorder: Recorder | None = None

    async def run(self, order: GuardOrder, asked: asyncio.Event) -> GuardEnd:
        """Guard until asked to end, or once until there is nothing (more) to do."""
        session = self._session
        self._recorder = Recorder(session.directory, session.plan)
        try:
            self.supervisor.begin()
            self.supervisor.arm(order.countdown_s)
            if order.once:
                with contextlib.suppress(CanaryError):  # the snapshot tells
                    self._session.observer.load_history()
                    await self.polls.poll_all(past=True)
                await self.supervisor.poll()
            if not (order.once and self._is_idle()):
                await self._poll_until(asked, once=order.once)
        finally:
            self.supervisor.end()
            self._recorder.close()
        if self._executor.is_busy:
            await self._finish(asked)
        return GuardEnd(self._snapshot, self._outcome)

    async def _poll_until(self, asked: asyncio.Event, *, once: bool) -> None:
        async def poll() -> float:
            pause = await self.supervisor.poll()
            if once and self._is_idle():
                asked.set()
            return pause

        self.polls.add(GUARD, poll)
        polling = asyncio.ensure_future(self.polls.run())
        waiting = asyncio.ensure_future(asked.wait())
        try:
            await asyncio.wait({polling, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (polling, waiting):
                task.cancel()
            await asyncio.wait({polling, waiting})

    def _is_idle(self) -> bool:
        return not self.supervisor.is_counting and not self._executor.is_busy

    def _look(self, snapshot: Snapshot, _: bool) -> None:
        self._snapshot = snapshot
        if self._recorder is not None:
            self._recorder.take(snapshot)
        self._notifier.watch(snapshot)

    def _on_error(self, sentence: str) -> None:
        """Once for each: a poll that goes on failing says nothing new."""
        if sentence != self._said_error:
            self._said_error = sentence
            self._say_line("warning", sentence)

    async def _finish(self, asked: asyncio.Event) -> None:
        """What is under way ends first; asked a second time, it is left to the next executor."""
        self._say_line("info", "a rollback is under way and is finished first")
        asked.clear()
        again = asyncio.ensure_future(asked.wait())
        while self._executor.is_busy and not asked.is_set():
            await asyncio.wait({*self._executor.tasks, again}, return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        for task in self._executor.tasks:
            task.cancel()

    def _submit(self, change: Change) -> None:
        """Begin; the looking goes on meanwhile. Where another guard of this host has written the
        very same, that one carries it out.
        """
        self._executor.begin(change)

    def _ended(self, _: Change, ended: Outcome | Exception) -> None:
        """Say what became of a rollback; one without an outcome is left to the next executor."""
        if isinstance(ended, CanaryError):
            self.supervisor.say("critical", f"automatic rollback was not carried out: {ended}")
        elif isinstance(ended, Exception):
            mistake = "automatic rollback failed by a mistake in this program"
            self.supervisor.say("critical", mistake)
        else:
            self._outcome = ended
            state = ended.state.replace("_", " ")
            severity: Severity = "good" if ended.state == "done" else "critical"
            said = f"automatic rollback: {state}: {ended.message} {ended.remedy}"
            self.supervisor.say(severity, said)
