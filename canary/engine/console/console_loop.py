"""What the console adds to the poll loop once it is connected: readiness, automatic rollback, the
executor, the embedded cloud's revival; and which snapshots go to the screen.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from canary.engine.guard.supervisor import GuardSupervisor
from canary.engine.notify import Notifier, open_notifier
from canary.engine.observe.event_log import Severity
from canary.engine.observe.poll_loop import (
    ERROR_PAUSE_S,
    GUARD,
    JOURNAL,
    READINESS,
    SIGN_OF_LIFE_S,
    PollLoop,
    Subscriber,
)
from canary.engine.session import Session, SessionOpening
from canary.rollout.change.change import Author, Change
from canary.rollout.errors import CanaryError, Unavailable
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_milliseconds, sanitize

if TYPE_CHECKING:
    from canary.engine.console.executor_supervisor import ExecutorSupervisor

log = logging.getLogger(__name__)

EXECUTOR_S = 1.0
FIRST_NUMBERS_S = 3.0
"""Real seconds. What would hold up the first numbers begins when they are there, or after these."""


async def connect(opening: SessionOpening, on_error: Callable[[str], None]) -> Session:
    """Connect, again and again: a cloud that does not come up may do so later."""
    while True:
        try:
            return await opening.connect()
        except CanaryError as error:
            log.warning("connecting: %s", error)
            on_error(str(error))
            await asyncio.sleep(ERROR_PAUSE_S)


class ConsoleLoop:
    """The poll loop of one console. `read_only`: it changes nothing, and notifies nobody.

    `submit` takes a change down the one path; `in_loop` reaches this loop from any thread.
    """

    def __init__(
        self,
        session: Session,
        author: Author,
        on_snapshot: Callable[[Snapshot], None],
        on_error: Callable[[str], None],
        submit: Callable[[Change], None],
        in_loop: Callable[[Callable[[], object]], None],
        *,
        read_only: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._on_error = on_error
        self._executor: ExecutorSupervisor | None = None
        self._notifier: Notifier | None = None
        if not read_only:
            self._notifier = open_notifier(session.plan, session.directory, on_error)
        self.guard = GuardSupervisor(
            session, author, submit, in_loop, self.show_now, self._notifier, read_only=read_only
        )
        self._polls = PollLoop(
            session.observer,
            session.embedded,
            self._keep_trouble,
            beside=self.guard.beside,
            monotonic=monotonic,
        )
        if self._notifier is not None:
            self._polls.subscribe(lambda snapshot, _: self._watch(snapshot))
        self._polls.subscribe(lambda snapshot, _: self.guard.look(snapshot))
        self._polls.subscribe(only_news(on_snapshot, monotonic))
        self._polls.follow_failures()
        self._polls.add(READINESS, self._poll_readiness)
        self._polls.add(GUARD, self.guard.poll)
        if not read_only and session.journal is not None:
            self._polls.add("the executor", self._poll_executor)
        if session.embedded is not None:
            revival = Revival(session, self._say_aloud, monotonic)
            self._polls.add("the embedded cloud's life", revival.poll)

    async def run(self) -> None:
        """Observe until cancelled."""
        try:
            self.guard.begin()
            await self._polls.run()
        finally:
            if self._executor is not None:
                self._executor.stop()
            self.guard.end()
            if self._notifier is not None:
                self._notifier.close()

    def wake_executor(self) -> None:
        """Tell the executor that the journal has something for it; start it if there is none."""
        try:
            self._supervisor().wake()
        except CanaryError as error:
            log.warning("waking the executor: %s", error)
            self._keep_trouble(str(error))
        self.look_into_journal()

    def look_into_journal(self) -> None:
        """Read the journal now, and Cloud Run behind it."""
        self._polls.wake(JOURNAL)

    def look_now(self) -> None:
        """Read everything now, rights included."""
        self._session.observer.ask_rights_again()
        self._polls.wake_all()

    def show_now(self) -> None:
        """Send a snapshot out: the event log has something new."""
        self._polls.publish(changed=True)

    def warn(self, sentence: str) -> None:
        """Say something in the event log; it is no error of what is shown."""
        self._session.observer.log.say(self._session.clock.now(), "warning", sentence)
        self.show_now()

    def look_at_guard(self) -> None:
        """Let automatic rollback look now: it was armed, disarmed or cancelled."""
        self._polls.wake(GUARD)

    async def probe(self) -> None:
        """Ask both sides for their health; the answers become events."""
        await say_health(self._session)
        self.show_now()

    async def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play another scenario, and look what it does."""
        embedded = self._session.embedded
        if embedded is None:
            raise Unavailable("There is no embedded cloud, or it is not up yet.")
        await embedded.set_scenario(name)
        self._session.observer.log.say(
            self._session.clock.now(), "info", f"the embedded cloud plays: {name}"
        )
        self.show_now()
        self.look_now()

    async def _poll_executor(self) -> float:
        """Keep one ready; soon after the first numbers, which its start would hold up."""
        if self._executor is not None or self._polls.has_numbers(FIRST_NUMBERS_S):
            self._supervisor().tend()
        return EXECUTOR_S

    async def _poll_readiness(self) -> float:
        """What a rollback rests on; not before the first numbers, which are waited for."""
        if not self._polls.has_numbers(FIRST_NUMBERS_S):
            return EXECUTOR_S
        return await self.guard.poll_readiness()

    def _watch(self, snapshot: Snapshot) -> None:
        if self._notifier is not None:
            self._notifier.watch(snapshot)

    def _keep_trouble(self, sentence: str) -> None:
        """Show it, and keep it: the next snapshot takes it off the screen."""
        self._session.observer.log.say(self._session.clock.now(), "warning", sentence)
        self._on_error(sentence)

    def _say_aloud(self, severity: Severity, text: str) -> None:
        """Into the event log and out with the next snapshot; then look at everything."""
        self._session.observer.log.say(self._session.clock.now(), severity, text)
        self.show_now()
        if severity == "good":
            self.look_now()

    def _supervisor(self) -> ExecutorSupervisor:
        if self._executor is None:
            from canary.engine.console.executor_supervisor import ExecutorSupervisor

            session = self._session
            self._executor = ExecutorSupervisor(session.plan, session.plan_path, session.directory)
        return self._executor


async def say_health(session: Session) -> None:
    """Ask both sides, Legacy first; an event for each answer. Nothing is raised."""
    for report in await session.probe():
        took = f" in {format_milliseconds(report.latency_ms)}" if report.ok else ""
        state = "healthy" if report.ok else "NOT healthy"
        text = f"health of {report.service}: {state}{took}: {report.message}"
        session.observer.log.say(report.at, "good" if report.ok else "critical", text)


# When a snapshot goes to the screen: when it says something else than the last, and as a sign of
# life.


def only_news(
    on_snapshot: Callable[[Snapshot], None], monotonic: Callable[[], float]
) -> Subscriber:
    """A subscriber that hands on what says something else, and one now and then anyway."""
    shown: tuple[object, ...] = ()
    shown_at = float("-inf")

    def take(snapshot: Snapshot, changed: bool) -> None:
        nonlocal shown, shown_at
        essence, now = _essence(snapshot), monotonic()
        if changed or essence != shown or now - shown_at >= SIGN_OF_LIFE_S:
            shown, shown_at = essence, now
            on_snapshot(snapshot)

    return take


def _essence(snapshot: Snapshot) -> tuple[object, ...]:
    """What makes a snapshot another one, apart from ages and clocks that the screen runs itself."""
    guard, readiness = snapshot.guard, snapshot.readiness
    left = None if guard is None or guard.left_s is None else math.ceil(guard.left_s)
    return (
        None if guard is None else (guard.armed, guard.cause, guard.held, left),
        None if readiness is None else (readiness.state, readiness.reasons),
        snapshot.presence,
        snapshot.missing_rights,
        snapshot.decision.verdict,
        snapshot.decision.reason,
        snapshot.legacy.data,
        snapshot.canary.data,
        tuple(g.state for g in snapshot.gates),
        snapshot.alerts,
        tuple((s.name, s.state, s.message, s.since) for s in snapshot.sources),
        snapshot.scenario,
        snapshot.backfilled,
        snapshot.advice,
        _essence_of_evidence(snapshot),
    )


def _essence_of_evidence(snapshot: Snapshot) -> tuple[object, ...]:
    view = snapshot.evidence
    if view is None:
        return ()
    verdicts = tuple((m.verdict, m.why, m.detected_at) for m in view.metrics)
    return (verdicts, view.source, view.tail.off, view.tail.trouble, view.began_at)


# The embedded cloud's second life: one that dies under an open console is started again. A few
# times, not for ever: what dies again and again has a reason, and a person must see it.

MOST_TRIES: Final = 3
WITHIN_S: Final = 600.0
"""So many starts in that time, real seconds; then only when a person asks for a look."""
TRY_AGAIN_S: Final = 2.0
GIVEN_UP_S: Final = 86_400.0

Say = Callable[[Severity, str], None]


class Revival:
    """Waits for the end of a session's embedded cloud. `say` writes into the event log."""

    def __init__(self, session: Session, say: Say, monotonic: Callable[[], float]) -> None:
        self._session = session
        self._say = say
        self._monotonic = monotonic
        self._tries: list[float] = []
        self._given_up = False

    async def poll(self) -> float:
        """Wait until it dies, and start it again; how long to wait then, in real seconds."""
        embedded = self._session.embedded
        if embedded is None:
            return GIVEN_UP_S
        await embedded.wait_lost()
        now = self._monotonic()
        # After giving up only a person lets this begin anew.
        kept = [] if self._given_up else [at for at in self._tries if now - at < WITHIN_S]
        self._tries, self._given_up = kept, False
        if len(self._tries) >= MOST_TRIES:
            self._given_up = True
            self._say(
                "critical",
                f"the embedded cloud has ended {MOST_TRIES} times and is not started again by"
                " itself: see cloud.log; F5 tries once more",
            )
            return GIVEN_UP_S
        self._tries.append(now)
        self._say("warning", "the embedded cloud has ended: starting it again, from its state")
        try:
            await self._session.revive_embedded()
        except CanaryError as error:
            log.warning("reviving: %s", error)
            self._say("warning", f"the embedded cloud: {sanitize(error, 300)}")
            return TRY_AGAIN_S
        self._say("good", "the embedded cloud runs again; what was set is as it was")
        return 0.0
