"""How long the console's engine waits between two looks at a source."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence

from canary.engine.session import Session
from canary.rollout.errors import CanaryError
from canary.rollout.snapshot.snapshot import Snapshot

LEAST_PAUSE_S = 1.0
LEAST_METRICS_S = 0.5
LEAST_RUN_S = 2.0
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

BETWEEN_PIECES_S = 0.005
"""Real seconds for everybody else, the screen's thread included, between two pieces of a past that
is judged again."""

PIECES_SHOWN = 25
"""So many pieces are judged until it is said how far it is."""


def pause_until(wait_s: float, speed: float) -> float:
    """Real seconds to wait for something that comes in `wait_s` and then every minute (cloud
    seconds), however fast the clock: at least `LEAST_METRICS_S`, and still just after it came.
    """
    minute_s, pause = MINUTE_S / speed, max(0.0, wait_s) / speed
    if pause >= LEAST_METRICS_S:
        return pause
    return pause + math.ceil((LEAST_METRICS_S - pause) / minute_s) * minute_s


# Rounds that are done again and again, each at its own pace, and that can be woken before it.

log = logging.getLogger(__name__)


class Polls:
    """The rounds that run, by name. What fails in one is said to `on_trouble`, and tried again."""

    def __init__(self, on_trouble: Callable[[str], None]) -> None:
        self._on_trouble = on_trouble
        self._wakes: dict[str, asyncio.Event] = {}

    @property
    def begun(self) -> bool:
        """Whether any round runs."""
        return bool(self._wakes)

    def wake(self, name: str) -> None:
        """Let a round be done now; nothing if it does not run."""
        wake = self._wakes.get(name)
        if wake is not None:
            wake.set()

    def wake_all(self) -> None:
        """Let all rounds be done now."""
        for wake in self._wakes.values():
            wake.set()

    async def repeat(self, name: str, work: Callable[[], Awaitable[float]]) -> None:
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


# When a snapshot goes out: when it says something else than the last, and as a sign of life.


class Publisher:
    """Hands snapshots on. `looks` see each of them, also those that do not go out."""

    def __init__(
        self,
        session: Session,
        on_snapshot: Callable[[Snapshot], None],
        looks: Sequence[Callable[[Snapshot], None]],
        monotonic: Callable[[], float],
    ) -> None:
        self._session = session
        self._on_snapshot = on_snapshot
        self._looks = tuple(looks)
        self._monotonic = monotonic
        self._shown: tuple[object, ...] = ()
        self._shown_at = float("-inf")
        self._looked_at = float("-inf")

    @property
    def looked_ago_s(self) -> float:
        """Real seconds since the last snapshot was taken, sent out or not; without end before."""
        return self._monotonic() - self._looked_at

    def publish(self, *, changed: bool) -> Snapshot:
        """Take a snapshot, and send it out if it says something else, or after a while anyway."""
        snapshot = self._session.observer.snapshot()
        self._looked_at = self._monotonic()
        for look in self._looks:
            look(snapshot)
        essence = _essence(snapshot)
        silent_s = self._monotonic() - self._shown_at
        if changed or essence != self._shown or silent_s >= SIGN_OF_LIFE_S:
            self._shown, self._shown_at = essence, self._monotonic()
            self._on_snapshot(snapshot)
        return snapshot


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
