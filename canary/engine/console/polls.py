"""The rounds of the console's engine: when each source is asked, and when a snapshot goes out.

Every source has a round of its own, so that one that hangs holds up no other. Nothing is asked more
often than it can change; between two rounds nothing runs. A snapshot goes out when something is
different, and every few seconds as a sign of life.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from canary.engine.console.intervals import (
    BACKFILL_S,
    BETWEEN_PIECES_S,
    EMBEDDED_S,
    EXECUTOR_S,
    FIRST_NUMBERS_S,
    IN_FLIGHT_RUN_S,
    JOURNAL_IDLE_S,
    JOURNAL_IN_FLIGHT_S,
    LEAST_PAUSE_S,
    LEAST_RUN_S,
    LOG_AGAIN_S,
    MINUTE_S,
    PIECES_SHOWN,
    SIGN_OF_LIFE_S,
    TROUBLE_PAUSE_S,
    Polls,
    Publisher,
    pause_until,
)
from canary.engine.console.revival import Revival
from canary.engine.notify import Notifier, open_notifier
from canary.engine.observe.event_log import Severity
from canary.engine.session import Session
from canary.rollout.errors import CanaryError, Unavailable
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_milliseconds

if TYPE_CHECKING:
    from canary.engine.console.executor_supervisor import ExecutorSupervisor
    from canary.engine.guard.supervisor import GuardSupervisor

log = logging.getLogger(__name__)


class Observing:
    """Runs the rounds of one session. `stands_by`: an executor waits for changes."""

    def __init__(
        self,
        session: Session,
        on_snapshot: Callable[[Snapshot], None],
        on_trouble: Callable[[str], None],
        *,
        stands_by: bool = True,
        guard_supervisor: GuardSupervisor | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._on_trouble = on_trouble
        self._stands_by = stands_by
        self._monotonic = monotonic
        self._vigil = guard_supervisor
        self._standby: ExecutorSupervisor | None = None
        # A console that only looks changes nothing, and tells nobody.
        self._notifier: Notifier | None = None
        if stands_by:
            self._notifier = open_notifier(session.plan, session.directory, on_trouble)
        if guard_supervisor is not None:
            guard_supervisor.notifier = self._notifier
        self._rounds = Polls(on_trouble)
        self._has_numbers = False
        self._begun_at = monotonic()
        looks: list[Callable[[Snapshot], None]] = []
        if self._notifier is not None:
            looks.append(self._notifier.watch)
        if guard_supervisor is not None:
            looks.append(guard_supervisor.look)
        self._publisher = Publisher(session, on_snapshot, looks, monotonic)

    async def run(self) -> None:
        """Connect, then observe until cancelled."""
        try:
            await self._connect()
            observer = self._session.observer
            observer.read_journal()
            if observer.load_history():
                self._publish(changed=True)
            rounds: dict[str, Callable[[], Awaitable[float]]] = {
                "Cloud Run": self._round_of_run,
                "Cloud Monitoring": self._round_of_metrics,
                "the past": self._round_of_past,
                "the journal": self._round_of_journal,
                "the clock": self._round_of_time,
                "the request log": self._round_of_log,
                "the evidence": self._round_of_evidence,
            }
            if self._vigil is not None:
                self._vigil.begin()
                rounds["rollback readiness"] = self._round_of_readiness
                rounds["automatic rollback"] = self._vigil.round_of_guard
            if self._stands_by and self._session.journal is not None:
                rounds["the executor"] = self._round_of_executor
            if self._session.embedded is not None:
                rounds["the embedded cloud"] = self._round_of_embedded
                revival = Revival(self._session, self._announce, self._monotonic)
                rounds["the embedded cloud's life"] = revival.round
            async with asyncio.TaskGroup() as group:
                for name, work in rounds.items():
                    group.create_task(self._rounds.repeat(name, work), name=name)
        finally:
            if self._standby is not None:
                self._standby.stop()
            if self._vigil is not None:
                self._vigil.end()
            if self._notifier is not None:
                self._notifier.close()

    def ring(self) -> None:
        """Tell the executor that the journal has something for it; start it if there is none."""
        try:
            self._executor().ring()
        except CanaryError as error:
            log.warning("ringing: %s", error)
            self._on_trouble(str(error))
        self.look_into_journal()

    def look_into_journal(self) -> None:
        """Read the journal now, and Cloud Run behind it."""
        self._rounds.wake("the journal")

    def look_now(self) -> None:
        """Read everything now, rights included."""
        rights = self._session.observer.rights if self._rounds.begun else None
        if rights is not None:
            rights.ask_again()
        self._rounds.wake_all()

    def show_now(self) -> None:
        """Send a snapshot out: the event log has something new."""
        self._publish(changed=True)

    def look_at_guard(self) -> None:
        """Let automatic rollback look now: it was armed, disarmed or cancelled."""
        self._rounds.wake("automatic rollback")

    async def probe(self) -> None:
        """Ask both sides for their health; the answers become events."""
        if not self._rounds.begun:
            raise Unavailable("The cloud is not connected yet.", remedy="Wait a moment.")
        await log_health(self._session)
        self._publish(changed=True)

    async def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play something else, and look what it does."""
        embedded = self._session.embedded
        if embedded is None or not self._rounds.begun:
            raise Unavailable("There is no embedded cloud, or it is not up yet.")
        await embedded.set_scenario(name)
        self._session.observer.log.say(
            self._session.clock.now(), "info", f"the embedded cloud plays: {name}"
        )
        self._publish(changed=True)
        self.look_now()

    # -- rounds: each does its work once and returns how long to wait, in real seconds -------------

    async def _round_of_run(self) -> float:
        observer = self._session.observer
        changed = await observer.read_run()
        self._publish(changed=observer.read_results() or changed)
        speed, most = self._session.clock.speed, self._session.plan.metrics.refresh_s
        pause = min(most, max(MINUTE_S / speed, LEAST_RUN_S))
        return min(pause, IN_FLIGHT_RUN_S) if observer.in_flight else pause

    async def _round_of_metrics(self) -> float:
        observer, clock = self._session.observer, self._session.clock
        self._publish(changed=await observer.read_metrics())
        self._has_numbers = True
        self._rounds.wake("the executor")
        if observer.needs_backfill:
            self._rounds.wake("the past")
        now = clock.now()
        return pause_until(observer.next_metrics_at(now) - now, clock.speed)

    async def _round_of_past(self) -> float:
        """Fill the past beside the newest minutes: those would be stale until a day is read."""
        observer = self._session.observer
        if observer.needs_backfill:
            async for found in observer.backfill():
                self._publish(changed=found)
            self._publish(changed=True)
        return BACKFILL_S

    async def _round_of_journal(self) -> float:
        observer = self._session.observer
        before = observer.in_flight
        if observer.read_journal():
            self._publish(changed=True)
            self._rounds.wake("Cloud Run")
            self._rounds.wake("rollback readiness")
        busy = before or observer.in_flight
        return JOURNAL_IN_FLIGHT_S if busy else JOURNAL_IDLE_S

    async def _round_of_time(self) -> float:
        """Time alone changes verdicts: data becomes stale, a soak is done, a watch is over.

        Another round may have looked just now, as they all do on a fast clock.
        """
        pause = min(SIGN_OF_LIFE_S, max(LEAST_PAUSE_S, SIGN_OF_LIFE_S / self._session.clock.speed))
        ahead_s = pause - self._publisher.looked_ago_s
        if ahead_s > 0:
            return ahead_s
        self._publish(changed=False)
        return pause

    async def _round_of_log(self) -> float:
        """Follow the request log for as long as it can be read; then look again after a while.

        First the metrics: they say how many entries there will be.
        """
        observer = self._session.observer
        feed = observer.comparison
        waited = self._monotonic() - self._begun_at
        if feed is None or (not self._has_numbers and waited < FIRST_NUMBERS_S):
            return LOG_AGAIN_S if feed is None else LEAST_PAUSE_S
        async with aclosing(feed.follow_tail(observer.requests_per_s)) as windows:
            async for changed in windows:
                self._publish(changed=changed)
        self._publish(changed=False)
        return LOG_AGAIN_S

    async def _round_of_evidence(self) -> float:
        """Judge again what is kept, a piece at a time: the other rounds and the screen go on."""
        feed, pieces = self._session.observer.comparison, 0
        while feed is not None and feed.is_rebuilding:
            pieces += 1
            if not feed.rebuild() or pieces % PIECES_SHOWN == 0:
                self._publish(changed=True)
            await asyncio.sleep(BETWEEN_PIECES_S)
        return LOG_AGAIN_S

    async def _round_of_executor(self) -> float:
        """Keep one standing by; soon after the first numbers, which its start would hold up."""
        if self._has_numbers or self._standby is not None or self._monotonic() > self._begun_at + 3:
            self._executor().tend()
        return EXECUTOR_S

    async def _round_of_readiness(self) -> float:
        """What going back rests on; not before the first numbers, which are waited for."""
        if self._vigil is None or not (self._has_numbers or self._monotonic() > self._begun_at + 3):
            return EXECUTOR_S
        return await self._vigil.round_of_readiness()

    async def _round_of_embedded(self) -> float:
        """Follow the embedded cloud's clock, and what another console lets it play."""
        embedded = self._session.embedded
        if embedded is not None:
            await embedded.refresh()
            self._publish(changed=False)
        return EMBEDDED_S

    def _announce(self, severity: Severity, text: str) -> None:
        """Into the event log and out with the next snapshot; then look at everything."""
        self._session.observer.log.say(self._session.clock.now(), severity, text)
        self._publish(changed=True)
        if severity == "good":
            self.look_now()

    async def _connect(self) -> None:
        """Connect, again and again: a cloud that does not come up may do so later."""
        while True:
            try:
                await self._session.connect()
            except CanaryError as error:
                log.warning("connecting: %s", error)
                self._on_trouble(str(error))
                await asyncio.sleep(TROUBLE_PAUSE_S)
            else:
                return

    def _executor(self) -> ExecutorSupervisor:
        if self._standby is None:
            from canary.engine.console.executor_supervisor import ExecutorSupervisor

            session = self._session
            self._standby = ExecutorSupervisor(session.plan, session.plan_path, session.directory)
        return self._standby

    def _publish(self, *, changed: bool) -> None:
        """Send a snapshot out, if it says something else; what it waits for is done behind it."""
        snapshot = self._publisher.publish(changed=changed)
        if snapshot.evidence is not None and snapshot.evidence.rebuilding is not None:
            self._rounds.wake("the evidence")


# Both sides' health, asked for once and written into the event log.


async def log_health(session: Session) -> None:
    """Ask both sides, Legacy first; an event for each answer. Nothing is raised."""
    for report in await session.probe():
        took = f" in {format_milliseconds(report.latency_ms)}" if report.ok else ""
        state = "healthy" if report.ok else "NOT healthy"
        text = f"health of {report.service}: {state}{took}: {report.message}"
        session.observer.log.say(report.at, "good" if report.ok else "critical", text)
