"""What the evidence keeps on this host, and how it is judged again from there: piece by piece.

Three days of windows take seconds to judge. Nobody may wait for that: who asks gets one piece at a
time, and says meanwhile that it is not all.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right

from canary.cloud.connection.clock import CloudClock
from canary.engine.observe.event_log import EventLog
from canary.rollout.errors import RecordError
from canary.rollout.evidence.window import EvidenceWindow
from canary.store.evidence import Checkpoint, EvidenceRecord

log = logging.getLogger(__name__)

KEEP_EVERY_S = 30.0
"""So much cloud time is written to the record at once."""

KEPT_S = 72 * 3600.0

PIECE = 100
"""Windows that are judged again in one go: a few milliseconds."""


class EvidenceKeeping:
    """A record that may fail: then that is said, and it goes on. None: keeps nothing."""

    def __init__(self, record: EvidenceRecord | None, clock: CloudClock, events: EventLog) -> None:
        self._record = record
        self._clock = clock
        self._events = events
        self._unkept: list[EvidenceWindow] = []
        self._kept_at = 0.0

    def find(self) -> Checkpoint | None:
        """What earlier consoles have come to; None without.

        What is from later than now is of another run of the embedded cloud, and left alone.
        """
        now = self._clock.now()
        try:
            found = self._record.checkpoint() if self._record is not None else None
        except RecordError as error:
            self._abandon(error)
            return None
        if found is None or found.tail_end > now or found.state.began_at > now:
            return None
        return found

    def covered(self, since: float) -> tuple[tuple[float, float], ...]:
        """(start, end] of the windows since then that were fit to be judged."""
        try:
            return self._record.covered(since) if self._record is not None else ()
        except RecordError as error:
            self._abandon(error)
            return ()

    def piece(self, since: float, until: float) -> tuple[EvidenceWindow, ...]:
        """The next windows that end in (since, until], oldest first: at most PIECE of them."""
        try:
            found = self._record.load(since, PIECE) if self._record is not None else ()
        except RecordError as error:
            self._abandon(error)
            return ()
        return tuple(window for window in found if window.end <= until)

    def recent(self, since: float) -> tuple[EvidenceWindow, ...]:
        """All kept windows that end after `since`, oldest first; none from later than now."""
        now = self._clock.now()
        try:
            found = self._record.load(since) if self._record is not None else ()
        except RecordError as error:
            self._abandon(error)
            return ()
        return tuple(window for window in found if window.end <= now)

    def note(self, window: EvidenceWindow) -> None:
        """To be kept with the next `keep`."""
        self._unkept.append(window)

    def is_due(self, end: float) -> bool:
        """Whether enough cloud time has passed by `end` since something was kept."""
        return end - self._kept_at >= KEEP_EVERY_S

    def keep(self, checkpoint: Checkpoint | None, end: float) -> None:
        """Write the noted windows and, if there is one, what they came to; `end`: up to there."""
        try:
            if self._record is not None:
                self._record.keep(self._unkept, checkpoint)
                self._record.prune(self._clock.now() - KEPT_S)
                self._record.shrink()
        except RecordError as error:
            self._abandon(error)
        self._unkept.clear()
        self._kept_at = end

    def _abandon(self, error: RecordError) -> None:
        """A cache: without it the evidence of this console goes on, and no further."""
        self._record = None
        log.warning("evidence: %s", error)
        self._events.say(self._clock.now(), "warning", f"{error} Going on without that record.")


class Past:
    """The kept windows that end in (since, until], taken a piece at a time."""

    def __init__(self, keeping: EvidenceKeeping, since: float, until: float) -> None:
        self._keeping = keeping
        self._since = self._reached = since
        self._until = until

    @property
    def done(self) -> float:
        """How far it is, 0…1 of the time."""
        length = self._until - self._since
        return 1.0 if length <= 0 else min(1.0, (self._reached - self._since) / length)

    def take(self) -> tuple[tuple[EvidenceWindow, ...], bool]:
        """The next piece, and whether there may be more."""
        windows = self._keeping.piece(self._reached, self._until)
        if windows:
            self._reached = windows[-1].end
        return windows, len(windows) == PIECE


# Which stretches of time have been judged already: so that none is judged twice.


class Coverage:
    """Half-open stretches (start, end], joined where they touch; few, however long they are."""

    def __init__(self) -> None:
        self._starts: list[float] = []
        self._ends: list[float] = []

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, start: float, end: float) -> None:
        """Cover (start, end]."""
        if end <= start:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last], self._ends[first:last] = [start], [end]

    def remove(self, start: float, end: float) -> None:
        """Uncover (start, end]."""
        kept = []
        for low, high in zip(self._starts, self._ends, strict=True):
            kept += [(low, min(high, start)), (max(low, end), high)] if low < end else [(low, high)]
        stretches = sorted({(low, high) for low, high in kept if low < high})
        self._starts = [low for low, _ in stretches]
        self._ends = [high for _, high in stretches]

    def forget(self, until: float) -> None:
        """Forget the stretches that end at or before `until`: nobody asks for them any more."""
        count = bisect_right(self._ends, until)
        del self._starts[:count], self._ends[:count]

    def overlaps(self, start: float, end: float) -> bool:
        """Whether any moment of (start, end] is covered."""
        index = bisect_right(self._ends, start)
        return index < len(self._starts) and self._starts[index] < end
