"""The one poll loop: when each source is asked, and when a snapshot is handed to the subscribers.

The console, `canary guard` and `canary monitor` run this one; they differ in what they subscribe
and in the polls that they add. Every source has a poll of its own, so that one that hangs holds up
no other. Nothing is asked more often than it can change; between two polls nothing runs.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple

from canary.engine.observe.observer import Observer
from canary.engine.observe.speed import Pace
from canary.rollout.decision.guard import GuardView
from canary.rollout.errors import CanaryError
from canary.rollout.snapshot.snapshot import OperatorSession, Snapshot

if TYPE_CHECKING:
    from canary.cloud.embedded.embedded import EmbeddedCloud

log = logging.getLogger(__name__)

LEAST_PAUSE_S = 1.0
LEAST_METRICS_S = 0.5
LEAST_RUN_S = 2.0
IN_FLIGHT_RUN_S = 2.0
JOURNAL_IDLE_S, JOURNAL_IN_FLIGHT_S = 1.0, 0.25
SIGN_OF_LIFE_S = 5.0
ERROR_PAUSE_S = 5.0
EMBEDDED_S = 10.0
BACKFILL_S = 60.0
LOG_AGAIN_S = 60.0
LIST_S, LIST_EMBEDDED_S = 60.0, 5.0
FIRST_NUMBERS_S = 10.0
FIRST_LOOK_S = 3.0
"""Pauses in real seconds."""

MINUTE_S = 60.0
"""Cloud seconds: metrics are sampled that often."""

BETWEEN_PIECES_S = 0.005
"""Real seconds for everybody else, the screen's thread included, between two pieces of a past that
is judged again."""

PIECES_SHOWN = 25
"""So many pieces are judged until it is said how far it is."""

RUN: Final = "Cloud Run"
METRICS: Final = "Cloud Monitoring"
PAST: Final = "the past"
JOURNAL: Final = "the journal"
CLOCK: Final = "the clock"
REQUEST_LOG: Final = "the request log"
EVIDENCE: Final = "the evidence"
FAILURES: Final = "the failures"
EMBEDDED: Final = "the embedded cloud"
READINESS: Final = "rollback readiness"
GUARD: Final = "automatic rollback"
"""The names of the polls; who needs failures, readiness or the guard switches theirs on."""

Poll = Callable[[], Awaitable[float]]
"""Does its work once, and returns how long to wait until the next time, in real seconds."""

Subscriber = Callable[[Snapshot, bool], None]
"""Gets each snapshot, and whether something that was read is different from the one before."""

Wait = Callable[[asyncio.Event, float], Awaitable[None]]
"""Waits so many real seconds, or until the event is set."""


class Beside(NamedTuple):
    """What the process that observes adds to a snapshot: who else is here, automatic rollback."""

    others: Sequence[OperatorSession] = ()
    guard: GuardView | None = None


class PollLoop:
    """Polls the sources of `observer`. `embedded`: whose clock is followed; None: a real cloud.

    `on_error` is told, as a sentence for a person, what fails in a poll; it is tried again.
    `beside` is asked for each snapshot.
    """

    def __init__(
        self,
        observer: Observer,
        embedded: EmbeddedCloud | None,
        on_error: Callable[[str], None],
        *,
        beside: Callable[[], Beside] = Beside,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Wait | None = None,
    ) -> None:
        self._observer, self._clock = observer, observer.clock
        self._embedded = embedded
        self._on_error = on_error
        self._beside = beside
        self._monotonic = monotonic
        self._wait = wait if wait is not None else wait_for_event
        self._subscribers: list[Subscriber] = []
        self._wakes: dict[str, asyncio.Event] = {}
        self._has_numbers = self._has_run = False
        self._begun_at = monotonic()
        self._looked_at = float("-inf")
        self._pace = Pace(observer.plan.metrics.stale_after_s, LEAST_METRICS_S)
        self._polls: dict[str, Poll] = {
            RUN: self._poll_run,
            METRICS: self._poll_metrics,
            PAST: self._poll_past,
            JOURNAL: self._poll_journal,
            CLOCK: self._poll_clock,
            REQUEST_LOG: self._poll_request_log,
            EVIDENCE: self._poll_evidence,
        }
        if embedded is not None:
            self._polls[EMBEDDED] = self._poll_embedded

    def subscribe(self, subscriber: Subscriber) -> None:
        """Hand every snapshot from now on to it, in the order of subscribing."""
        self._subscribers.append(subscriber)

    def add(self, name: str, poll: Poll) -> None:
        """Switch on one more poll; before `run`. `name` is as a person reads it."""
        self._polls[name] = poll

    def follow_failures(self) -> None:
        """Look for what fails too, for whoever shows it; before `run`."""
        self.add(FAILURES, self._poll_failures)

    async def run(self) -> None:
        """Take over what is on this host's disk, then poll until cancelled."""
        self._begun_at = self._monotonic()
        self._observer.read_journal()
        if self._observer.load_history():
            self.publish(changed=True)
        self._wakes = {name: asyncio.Event() for name in self._polls}
        async with asyncio.TaskGroup() as group:
            for name, poll in self._polls.items():
                group.create_task(self._repeat(name, poll), name=name)

    async def poll_all(self, *, past: bool = False) -> Snapshot:
        """Read every source once, `past`: what is missing of the past too; the snapshot, which goes
        to the subscribers. A source that fails is told in it; raises Unavailable when the embedded
        cloud is gone.
        """
        if self._embedded is not None:
            # Its clock may have jumped since it was last asked.
            await self._embedded.refresh()
        await self._observer.refresh()
        if past and self._observer.needs_backfill:
            async for _ in self._observer.backfill():
                pass
        return self.publish(changed=True)

    def wake(self, name: str) -> None:
        """Let a poll be done now; nothing if it does not run."""
        wake = self._wakes.get(name)
        if wake is not None:
            wake.set()

    def wake_all(self) -> None:
        """Let all polls be done now."""
        for wake in self._wakes.values():
            wake.set()

    def has_numbers(self, within_s: float) -> bool:
        """Whether Monitoring was read, or so many real seconds have passed since the begin."""
        return self._has_numbers or self._monotonic() - self._begun_at > within_s

    def publish(self, *, changed: bool) -> Snapshot:
        """Judge what is known now, and hand the snapshot on."""
        snapshot = self._observer.judge(*self._beside())
        self._looked_at = self._monotonic()
        if snapshot.evidence is not None and snapshot.evidence.rebuilding is not None:
            self.wake(EVIDENCE)
        if self._has_looked(snapshot):
            for subscriber in self._subscribers:
                subscriber(snapshot, changed)
        return snapshot

    def _has_looked(self, snapshot: Snapshot) -> bool:
        """Whether Cloud Run has answered or failed to, or has had the time to. Before, a snapshot
        would say for a moment that Cloud Run cannot be seen, over what was last seen of it.
        """
        if any(source.name == RUN and source.state != "never" for source in snapshot.sources):
            return True
        return self._monotonic() - self._begun_at > FIRST_LOOK_S

    def _look(self, *, changed: bool) -> None:
        """Publish what is different; what is the same only where nobody has looked just now: what
        time alone changes is the clock's poll to find.
        """
        if changed or self._monotonic() - self._looked_at >= LEAST_PAUSE_S:
            self.publish(changed=changed)

    async def _repeat(self, name: str, poll: Poll) -> None:
        """Poll until cancelled; what nobody foresaw is logged and told, and it goes on."""
        wake = self._wakes[name]
        while True:
            wake.clear()
            try:
                pause = await poll()
            except CanaryError as error:
                self._on_error(str(error))
                pause = ERROR_PAUSE_S
            except Exception as error:
                log.exception("observing %s", name)
                self._on_error(
                    f"Observing {name} failed ({type(error).__name__}); it is tried again."
                    " See engine.log."
                )
                pause = ERROR_PAUSE_S
            await self._wait(wake, pause)

    @property
    def _speed(self) -> float:
        """Cloud seconds in a real one; a clock that stands still is looked at as any other."""
        return self._clock.speed if self._clock.speed > 0 else 1.0

    async def _poll_run(self) -> float:
        observer = self._observer
        changed = await observer.read_run()
        self._look(changed=observer.read_results() or changed)
        if not self._has_run:
            self._has_run = True
            self.wake(PAST)
        most = observer.plan.metrics.refresh_s
        pause = min(most, max(MINUTE_S / self._speed, LEAST_RUN_S))
        return min(pause, IN_FLIGHT_RUN_S) if observer.in_flight else pause

    async def _poll_metrics(self) -> float:
        begun = self._monotonic()
        changed = await self._observer.read_metrics()
        self._pace.note(self._monotonic() - begun)
        self.publish(changed=changed)
        if not self._has_numbers:
            self._has_numbers = True
            for name in self._polls:
                if name not in (RUN, METRICS, EMBEDDED):
                    self.wake(name)
        if self._observer.needs_backfill:
            self.wake(PAST)
        now = self._clock.now()
        return pause_until(self._observer.next_metrics_at(now) - now, self._speed)

    async def _poll_past(self) -> float:
        """Fill the past beside the newest minutes: those would be stale until a day is read."""
        if self._observer.needs_backfill:
            async for found in self._observer.backfill():
                self.publish(changed=found)
            self.publish(changed=True)
        return BACKFILL_S

    async def _poll_journal(self) -> float:
        before = self._observer.in_flight
        if self._observer.read_journal():
            self.publish(changed=True)
            self.wake(RUN)
            self.wake(READINESS)
        busy = before or self._observer.in_flight
        return JOURNAL_IN_FLIGHT_S if busy else JOURNAL_IDLE_S

    async def _poll_clock(self) -> float:
        """Time alone changes verdicts: data becomes stale, a soak is done, a watch is over.

        Another poll may have looked just now, as they all do on a fast clock.
        """
        pause = min(SIGN_OF_LIFE_S, max(LEAST_PAUSE_S, SIGN_OF_LIFE_S / self._speed))
        ahead_s = pause - (self._monotonic() - self._looked_at)
        if ahead_s > 0:
            return ahead_s
        self.publish(changed=False)
        return pause

    async def _poll_request_log(self) -> float:
        """Follow the request log for as long as it can be read; then look again after a while.

        First the metrics: they say how many entries there will be.
        """
        feed = self._observer.comparison
        if feed is None:
            return LOG_AGAIN_S
        if not self.has_numbers(FIRST_NUMBERS_S):
            return LEAST_PAUSE_S
        async with aclosing(feed.follow_tail(self._observer.requests_per_s)) as windows:
            async for changed in windows:
                self.publish(changed=changed)
        self.publish(changed=False)
        return LOG_AGAIN_S

    async def _poll_failures(self) -> float:
        """Ask for what failed before; where the log is not tailed, list it again and again, more
        often where that is free.
        """
        if not self.has_numbers(FIRST_NUMBERS_S):
            return LEAST_PAUSE_S
        if await self._observer.list_failures():
            self.publish(changed=True)
        return LIST_S if self._embedded is None else LIST_EMBEDDED_S

    async def _poll_evidence(self) -> float:
        """Judge again what is kept, a piece at a time: the other polls and the screen go on."""
        feed, pieces = self._observer.comparison, 0
        while feed is not None and feed.is_rebuilding:
            pieces += 1
            if not feed.rebuild() or pieces % PIECES_SHOWN == 0:
                self.publish(changed=True)
            await asyncio.sleep(BETWEEN_PIECES_S)
        return LOG_AGAIN_S

    async def _poll_embedded(self) -> float:
        """Follow the embedded cloud's clock, and what another console lets it play."""
        if self._embedded is not None:
            await self._embedded.refresh()
            await self._hold_pace(self._embedded)
            self.publish(changed=False)
        return EMBEDDED_S

    async def _hold_pace(self, embedded: EmbeddedCloud) -> None:
        """Lower a speed at which everything that is read here would be stale, and say so."""
        speed = self._clock.speed
        lowered = self._pace.lowered(speed, self._observer.visible_after_s)
        if lowered is None:
            return
        await embedded.set_clock(speed=lowered)
        said = (
            f"The local cloud's clock ran ×{speed:g}, too fast for this machine (a reading takes up"
            f" to {self._pace.slowest_s:.1f} s): lowered to ×{lowered:g}."
        )
        self._observer.log.say(self._clock.now(), "warning", said)


def pause_until(wait_s: float, speed: float) -> float:
    """Real seconds to wait for something that comes in `wait_s` and then every minute (cloud
    seconds), however fast the clock: at least `LEAST_METRICS_S`, and still just after it came.
    """
    minute_s, pause = MINUTE_S / speed, max(0.0, wait_s) / speed
    if pause >= LEAST_METRICS_S:
        return pause
    return pause + math.ceil((LEAST_METRICS_S - pause) / minute_s) * minute_s


async def wait_for_event(event: asyncio.Event, pause_s: float) -> None:
    """Wait until the event is set, at most so many real seconds."""
    try:
        async with asyncio.timeout(pause_s):
            await event.wait()
    except TimeoutError:
        pass
