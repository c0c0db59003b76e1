"""The rounds of the console's engine: when each source is asked, and when a snapshot goes out.

Every source has a round of its own, so that one that hangs holds up no other. Nothing is asked more
often than it can change; between two rounds nothing runs. A snapshot goes out when something is
different, and every few seconds as a sign of life.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from canary.engine.notify import Notifier, open_notifier
from canary.engine.session import Session
from canary.rollout import words
from canary.rollout.errors import CanaryError, Unavailable
from canary.rollout.snapshot import Snapshot

if TYPE_CHECKING:
    from canary.engine.standby import Standby
    from canary.engine.vigil import Vigil

log = logging.getLogger(__name__)

LEAST_PAUSE_S = 1.0
LEAST_METRICS_S = 0.5
IN_FLIGHT_RUN_S = 2.0
JOURNAL_IDLE_S, JOURNAL_IN_FLIGHT_S = 1.0, 0.25
SIGN_OF_LIFE_S = 5.0
TROUBLE_PAUSE_S = 5.0
EMBEDDED_S = 10.0
EXECUTOR_S = 1.0
BACKFILL_S = 60.0
LOG_AGAIN_S = 60.0
FIRST_NUMBERS_S = 10.0
"""Pauses in real seconds."""

MINUTE_S = 60.0
"""Cloud seconds: metrics are sampled that often."""


class Observing:
    """Runs the rounds of one session. `stands_by`: an executor waits for changes."""

    def __init__(
        self,
        session: Session,
        on_snapshot: Callable[[Snapshot], None],
        on_trouble: Callable[[str], None],
        *,
        stands_by: bool = True,
        vigil: Vigil | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._on_snapshot = on_snapshot
        self._on_trouble = on_trouble
        self._stands_by = stands_by
        self._monotonic = monotonic
        self._vigil = vigil
        self._standby: Standby | None = None
        # A console that only looks changes nothing, and tells nobody.
        self._notifier: Notifier | None = None
        if stands_by:
            self._notifier = open_notifier(session.plan, session.directory, on_trouble)
        if vigil is not None:
            vigil.notifier = self._notifier
        self._wakes: dict[str, asyncio.Event] = {}
        self._has_numbers = False
        self._begun_at = monotonic()
        self._shown: tuple[object, ...] = ()
        self._shown_at = float("-inf")

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
            }
            if self._vigil is not None:
                self._vigil.begin()
                rounds["the way back"] = self._round_of_readiness
                rounds["automatic rollback"] = self._vigil.round_of_guard
            if self._stands_by and self._session.journal is not None:
                rounds["the executor"] = self._round_of_executor
            if self._session.embedded is not None:
                rounds["the embedded cloud"] = self._round_of_embedded
            async with asyncio.TaskGroup() as group:
                for name, work in rounds.items():
                    group.create_task(self._repeat(name, work), name=name)
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
        self._wake("the journal")

    def look_now(self) -> None:
        """Read everything now, rights included."""
        rights = self._session.observer.rights if self._wakes else None
        if rights is not None:
            rights.ask_again()
        for name in self._wakes:
            self._wake(name)

    def show_now(self) -> None:
        """Send a snapshot out: the event log has something new."""
        self._publish(changed=True)

    def look_at_guard(self) -> None:
        """Let automatic rollback look now: it was armed, disarmed or cancelled."""
        self._wake("automatic rollback")

    async def probe(self) -> None:
        """Ask both sides for their health; the answers become events."""
        if not self._wakes:
            raise Unavailable("The cloud is not connected yet.", remedy="Wait a moment.")
        for report in await self._session.probe():
            took = f" in {words.milliseconds(report.latency_ms)}" if report.ok else ""
            state = "healthy" if report.ok else "NOT healthy"
            text = f"health of {report.service}: {state}{took}: {report.message}"
            events = self._session.observer.log
            events.say(report.at, "good" if report.ok else "critical", text)
        self._publish(changed=True)

    async def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play something else, and look what it does."""
        embedded = self._session.embedded
        if embedded is None or not self._wakes:
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
        pause = min(most, max(MINUTE_S / speed, LEAST_PAUSE_S))
        return min(pause, IN_FLIGHT_RUN_S) if observer.in_flight else pause

    async def _round_of_metrics(self) -> float:
        observer, clock = self._session.observer, self._session.clock
        self._publish(changed=await observer.read_metrics())
        self._has_numbers = True
        self._wake("the executor")
        if observer.needs_backfill:
            self._wake("the past")
        now = clock.now()
        return _pause_until(observer.next_metrics_at(now) - now, clock.speed)

    async def _round_of_past(self) -> float:
        """Fill the past, once the newest minutes are there. Beside their own round: on a fast
        clock they would be stale by the time that a day is read.
        """
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
            self._wake("Cloud Run")
            self._wake("the way back")
        busy = before or observer.in_flight
        return JOURNAL_IN_FLIGHT_S if busy else JOURNAL_IDLE_S

    async def _round_of_time(self) -> float:
        """Time alone changes verdicts: data becomes stale, a soak is done, a watch is over."""
        self._publish(changed=False)
        return min(
            SIGN_OF_LIFE_S, max(LEAST_PAUSE_S / 2, SIGN_OF_LIFE_S / self._session.clock.speed)
        )

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

    async def _round_of_executor(self) -> float:
        """Keep one standing by. Not before the first numbers: its start would take the processor
        from them. But not for ever after them either.
        """
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

    async def _repeat(self, name: str, work: Callable[[], Awaitable[float]]) -> None:
        """Do rounds until cancelled; what nobody foresaw is logged and shown, and it goes on."""
        wake = self._wakes[name] = asyncio.Event()
        while True:
            wake.clear()
            try:
                pause = await work()
            except CanaryError as error:
                self._on_trouble(str(error))
                pause = TROUBLE_PAUSE_S
            except Exception as error:
                log.exception("observing %s", name)
                self._on_trouble(
                    f"Observing {name} failed ({type(error).__name__}); it is tried again."
                    " See engine.log."
                )
                pause = TROUBLE_PAUSE_S
            try:
                async with asyncio.timeout(pause):
                    await wake.wait()
            except TimeoutError:
                pass

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

    def _executor(self) -> Standby:
        if self._standby is None:
            from canary.engine.standby import Standby

            session = self._session
            self._standby = Standby(session.plan, session.plan_path, session.directory)
        return self._standby

    def _wake(self, name: str) -> None:
        wake = self._wakes.get(name)
        if wake is not None:
            wake.set()

    def _publish(self, *, changed: bool) -> None:
        """Send a snapshot out if it says something else than the last, or as a sign of life."""
        snapshot = self._session.observer.snapshot()
        if self._notifier is not None:
            self._notifier.watch(snapshot)
        if self._vigil is not None:
            self._vigil.look(snapshot)
        essence = _essence(snapshot)
        silent_s = self._monotonic() - self._shown_at
        if not changed and essence == self._shown and silent_s < SIGN_OF_LIFE_S:
            return
        self._shown, self._shown_at = essence, self._monotonic()
        self._on_snapshot(snapshot)


def _pause_until(wait_s: float, speed: float) -> float:
    """Real seconds to wait for something that comes in `wait_s` and then every minute (cloud
    seconds), however fast the clock: at least `LEAST_METRICS_S`, and still just after it came.
    """
    minute_s, pause = MINUTE_S / speed, max(0.0, wait_s) / speed
    if pause >= LEAST_METRICS_S:
        return pause
    return pause + math.ceil((LEAST_METRICS_S - pause) / minute_s) * minute_s


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
    words = tuple((m.verdict, m.why, m.detected_at) for m in view.metrics)
    return (words, view.source, view.tail.off, view.tail.trouble, view.began_at)
