"""Keeps what the console, a guard or the monitoring loop sees, for the next console's first paint.

At each change of the words and else every so often, on a thread of its own: a home on a disk that
hangs must not hold up the screen. What cannot be kept is not missed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from canary.paint.last_seen import (
    LastSeen,
    Subject,
    find_directory,
    keep_last_seen,
    read_last_seen,
)
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot, format_history_entry
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import RolloutState
from canary.rollout.text import format_duration, format_percent, sanitize

EVERY_S: Final = 20.0
"""So much is lost with a process that is killed."""
_WAIT_S: Final = 1.0


class SeenKeeper:
    """`last` is what was seen before this console began; None for nothing, and for a world that
    starts over.
    """

    def __init__(
        self,
        subject: Subject,
        plan: Plan,
        *,
        starts_over: bool = False,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._subject, self._plan = subject, plan
        self._wall, self._monotonic = wall, monotonic
        self._directory = find_directory()
        self.last = None if starts_over else read_last_seen(subject, self._directory)
        self._newest: LastSeen | None = None
        self._written: LastSeen | None = None
        self._written_at = float("-inf")
        self._thread: threading.Thread | None = None

    def keep(self, snapshot: Snapshot, state: RolloutState) -> None:
        """Keep what is shown now; returns at once. Where Cloud Run has not answered nothing is
        seen, and what was seen before stays.
        """
        if snapshot.traffic.canary_percent is None:
            return
        self._newest = seen = describe_seen(snapshot, state, self._plan, self._wall())
        now, before = self._monotonic(), self._written
        is_new = before is None or _words(before) != _words(seen)
        if not is_new and now - self._written_at < EVERY_S:
            return
        if self._thread is not None and self._thread.is_alive():
            return
        self._written, self._written_at = seen, now
        self._thread = threading.Thread(target=self._write, args=(seen,), name="last-seen")
        self._thread.daemon = True
        self._thread.start()

    def close(self) -> None:
        """Keep the newest; waits a second at most."""
        if self._thread is not None:
            self._thread.join(_WAIT_S)
        if self._newest is None or (self._thread is not None and self._thread.is_alive()):
            return
        last = threading.Thread(target=self._write, args=(self._newest,), daemon=True)
        last.start()
        last.join(_WAIT_S)

    def _write(self, seen: LastSeen) -> None:
        with contextlib.suppress(OSError):
            keep_last_seen(self._subject, seen, self._directory)


@contextlib.contextmanager
def keeping(subject: Subject | None, plan: Plan) -> Iterator[Callable[[Snapshot], None]]:
    """For who looks without a screen: each snapshot is kept as a console would have shown it.

    `subject` None: nothing is kept, since nobody knows which plan's file it was.
    """
    if subject is None:
        yield lambda _: None
        return
    keeper = SeenKeeper(subject, plan)
    try:
        yield lambda snapshot: keeper.keep(snapshot, find_state(snapshot, plan))
    finally:
        keeper.close()


def describe_seen(snapshot: Snapshot, state: RolloutState, plan: Plan, seen_at: float) -> LastSeen:
    """What is kept of a snapshot. `seen_at`: this host's clock, unix seconds."""
    stage, last = snapshot.stage, snapshot.presence.last
    where = "stage not known" if stage.index is None else f"stage {stage.index}"
    if stage.index:
        where += f" of {len(plan.stages)}"
    soaked = None if stage.soaked_hours is None else stage.soaked_hours * 3600
    soak = f"soak {format_duration(soaked)}" if stage.index else ""
    if stage.index and stage.soak_hours is not None:
        soak += f" / {format_duration(stage.soak_hours * 3600)}"
    return LastSeen(
        seen_at=seen_at,
        as_of=snapshot.as_of,
        names=sanitize(snapshot.rollout, 140),
        where=f"{sanitize(snapshot.project, 63)}/{sanitize(snapshot.region, 40)}",
        is_local=snapshot.provider == "local",
        theme=plan.console.theme,
        state=state.word,
        split=f"{where}, {format_percent(snapshot.traffic.canary_percent)} canary",
        soak=soak,
        change="" if last is None else format_history_entry(last, is_dated=True),
    )


def _words(seen: LastSeen) -> tuple[str, ...]:
    return seen.state, seen.split, seen.change
