"""The monitoring loop: a snapshot every so often, in the cloud's time, for as long as was asked.

It survives whatever the cloud does: a snapshot that nothing can be learned for is written as one
that says "no data". Its moments are multiples of the interval from its begin, so it does not drift;
moments that were slept through (a suspended host) are left out and not made up for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from canary.cloud.connection.clock import CloudClock, SystemClock
from canary.engine.observe.poll_loop import PollLoop
from canary.engine.observe.recorder import record_once
from canary.engine.session import Session
from canary.paint.last_seen import Subject
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.export.monitor_document import file_name, monitor_document, outage_document
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.status import status_line
from canary.rollout.text import format_timestamp, sanitize
from canary.store.monitoring import EndedBy, LoopState, write_state
from canary.store.outputs import write_output

log = logging.getLogger(__name__)

EVERY_S: Final = 1800.0
FOR_S: Final = 86_400.0
"""Where no stage says how long it soaks."""

LAST_STAGE_EVERY_S: Final = 3600.0
"""The procedure's: every 30 min for the soak; at the last stage every 60 min, without end."""

LONGEST_PAUSE_S: Final = 60.0
EMBEDDED_PAUSE_S: Final = 10.0
"""Real seconds after which the clock is looked at again: a host may sleep, and the embedded cloud's
clock can be made to jump or to run faster."""


class LoopOrder(msgspec.Struct, frozen=True):
    """What a loop is to do. `out_dir` is absolute.

    `every_s` and `for_s` None: by the stage that the first snapshot finds, which is watched for its
    whole soak. `for_s` 0: without end. `metrics_port`: a scraper is answered there, on loopback.
    `subject`: what is seen is kept for it, for the next console's first paint.
    """

    out_dir: str
    every_s: float | None = None
    for_s: float | None = None
    metrics_port: int | None = None
    subject: Subject | None = None


class TakenSnapshot(msgspec.Struct, frozen=True):
    """One snapshot that was taken. `snapshot` None: nothing could be asked, `trouble` says why.

    `path` None: it could not be written, and `trouble` says why. `said` is the snapshot's line.
    """

    at: float
    path: Path | None
    snapshot: Snapshot | None
    document: dict[str, Any]
    trouble: str = ""
    said: str = ""

    @property
    def line(self) -> str:
        """For a person: the time, what `canary status --line` says, what went wrong."""
        said = self.said or "? NO DATA"
        where = f"  → {self.path.name}" if self.path is not None else ""
        trouble = f"  ! {sanitize(self.trouble, 300)}" if self.trouble else ""
        return f"{format_timestamp(self.at)}  {said}{where}{trouble}"


OnSnapshotTaken = Callable[[TakenSnapshot], None]
Wait = Callable[[float], Awaitable[bool]]
"""Waits so many real seconds; True as soon as the loop is asked to end."""


class MonitoringLoop:
    """The loop for one plan; `directory` is where its state is kept. The caller holds the lock."""

    def __init__(
        self,
        plan: Plan,
        plan_path: Path,
        directory: Path,
        order: LoopOrder,
        on_snapshot: OnSnapshotTaken,
        *,
        wait: Wait,
    ) -> None:
        self._plan, self._plan_path = plan, plan_path
        self._directory, self._order = directory, order
        self._on_snapshot = on_snapshot
        self._wait = wait
        self._session: Session | None = None
        self._clock: CloudClock = SystemClock()
        self._lost = False
        self.state: LoopState | None = None

    async def run(self) -> LoopState:
        """Take snapshots until the time is over or it is asked to end; the last state."""
        try:
            state = self._begin(await self._take())
            while state.next_at is not None:
                if await self._wait_until(state.next_at):
                    return self._end(state, "signal")
                state = self._go_on(state, await self._take())
            return self._end(state, "time")
        finally:
            await self._close()

    def end_early(self, by: EndedBy) -> LoopState | None:
        """Note the end of a loop whose `run` was cancelled in the middle of a turn."""
        return self._end(self.state, by) if self.state is not None else None

    # -- moments ---------------------------------------------------------------------------------

    def _begin(self, taken: TakenSnapshot) -> LoopState:
        last = taken.snapshot is not None and taken.snapshot.stage.index == len(self._plan.stages)
        every_s, for_s = self._order.every_s, self._order.for_s
        if every_s is None:
            every_s = LAST_STAGE_EVERY_S if last else EVERY_S
        if for_s is None:
            for_s = 0.0 if last else _soak_s(taken.snapshot)
        state = LoopState(
            pid=os.getpid(),
            since=taken.at,
            every_s=every_s,
            until=taken.at + for_s if for_s else None,
            out_dir=self._order.out_dir,
        )
        return self._go_on(state, taken)

    def _go_on(self, state: LoopState, taken: TakenSnapshot) -> LoopState:
        """Count the turn, and say when the next is."""
        following: float | None = next_turn(state.since, state.every_s, self._clock.now())
        # A hair's breadth: the sum of many intervals is not exact.
        if state.until is not None and following is not None and following > state.until + 1e-3:
            following = None
        written = taken.path is not None
        state = msgspec.structs.replace(
            state,
            next_at=following,
            files=state.files + written,
            last_file=str(taken.path) if written else state.last_file,
            last_at=taken.at,
            verdict=taken.snapshot.decision.verdict if taken.snapshot is not None else "no_data",
            trouble=taken.trouble,
        )
        self._keep(state)
        self._on_snapshot(taken)
        return state

    def _end(self, state: LoopState, by: EndedBy) -> LoopState:
        ended = msgspec.structs.replace(
            state, next_at=None, ended_at=self._clock.now(), ended_by=by
        )
        self._keep(ended)
        return ended

    def _keep(self, state: LoopState) -> None:
        self.state = state
        try:
            write_state(self._directory, state)
        except RecordError as error:
            log.warning("%s", error)  # only others' view of it; the snapshots go on

    # -- one snapshot ----------------------------------------------------------------------------

    async def _take(self) -> TakenSnapshot:
        """Look once and write what was seen; never raises for a cloud or a disk that fails."""
        snapshot: Snapshot | None = None
        trouble = ""
        try:
            polls = await self._opened()
            snapshot = await polls.poll_all()
        except CanaryError as error:
            trouble = str(error)
            self._lost = True
        at = snapshot.as_of if snapshot is not None else self._clock.now()
        if snapshot is not None:
            failing = (s for s in snapshot.sources if s.state == "failing")
            trouble = "; ".join(f"{s.name}: {s.message}" for s in failing)
            document = monitor_document(snapshot, self._plan)
            now = time.time()  # beside the person's clock
            await asyncio.to_thread(record_once, self._directory, self._plan, snapshot, now)
        else:
            document = outage_document(self._plan, at, trouble)
        path: Path | None = Path(self._order.out_dir) / file_name(at)
        try:
            write_output(Path(self._order.out_dir) / file_name(at), document)
        except RecordError as error:
            path, trouble = None, f"{trouble}; {error}".lstrip("; ")
        said = "" if snapshot is None else status_line(snapshot, self._plan)
        return TakenSnapshot(at, path, snapshot, document, trouble, said)

    async def _opened(self) -> PollLoop:
        """The poll loop of the session, opened anew after it was lost.

        It polls when a snapshot is due, not by its own intervals: for a day or more, with nobody
        watching, the cloud is asked no more often than files are written.
        """
        if self._session is not None and self._lost:
            await self._close()
        if self._session is None:
            self._session = await Session.open(self._plan, self._plan_path)
            self._clock, self._lost = self._session.clock, False
            # What earlier looks have read, so that a one-hour watch is known at once.
            self._session.observer.load_history()
        return PollLoop(self._session.observer, self._session.embedded, log.warning)

    async def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # -- waiting ---------------------------------------------------------------------------------

    async def _wait_until(self, at: float) -> bool:
        """Wait for a moment of the cloud's time; True when asked to end before."""
        while True:
            remaining_s = at - self._clock.now()
            if remaining_s <= 0:
                return False
            embedded = self._session.embedded if self._session is not None else None
            longest = LONGEST_PAUSE_S if embedded is None else EMBEDDED_PAUSE_S
            # A clock that stands still is looked at again no more often than any other.
            speed = self._clock.speed
            pause = min(longest, remaining_s / speed) if speed > 0 else longest
            if await self._wait(pause):
                return True
            if embedded is not None and not self._lost:
                try:
                    await embedded.refresh()
                except CanaryError:
                    self._lost = True  # it is opened again for the next snapshot


def _soak_s(snapshot: Snapshot | None) -> float:
    """How long the present stage soaks, in seconds; FOR_S where that is not known or has no end."""
    hours = snapshot.stage.soak_hours if snapshot is not None else None
    return hours * 3600.0 if hours else FOR_S


def next_turn(since: float, every_s: float, now: float) -> float:
    """The first multiple of the interval after `now`, counted from `since`; all cloud time."""
    passed = math.floor((now - since) / every_s + 1e-9) + 1
    return since + passed * every_s


async def wait_for(asked: asyncio.Event, pause_s: float) -> bool:
    """Wait so long, or until asked to end; True when asked."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asked.wait(), pause_s)
    return asked.is_set()
