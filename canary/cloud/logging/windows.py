"""Single requests → windows of both sides. Pure: `now` is given, entries come in any order.

A request belongs to the window in which it ended: its log entry is written then, so a slow one is
not late. A window is closed `grace_s` after its end; what comes later is counted as late, and in no
window. One that misses many is named once more, as not to be judged after all. Requests of Canary's
new instances are counted apart, unless most are.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Final

import msgspec

from canary.cloud.logging.instances import WarmUp
from canary.cloud.monitoring.timeseries import Side
from canary.rollout.evidence.window import LATENCY_BOUNDS_MS, EvidenceWindow, SideWindow
from canary.rollout.failures.requests import FailedRequest
from canary.rollout.measure.samples import Distribution, Responses

WINDOW_S: Final = 5.0
GRACE_S: Final = 3.0

MOVED: Final = "another revision has become Canary or Legacy"
"""Why a window is unfit that was open, or shows other revisions, when a tag was moved."""

_REVISIONS_A_WINDOW: Final = 8
_MOST_OPEN: Final = 720
"""An hour: neither entries from a strange future nor a jump of the clock make more windows."""

MOST_LATE: Final = 0.05
"""Of a window's entries; with more that came too late it is unfit."""

_CLOSED_KEPT: Final = 180
"""A quarter of an hour: later than that nothing is taken back."""

_BUCKETS: Final = len(LATENCY_BOUNDS_MS) + 1


class Request(msgspec.Struct, frozen=True):
    """One request as the log has it. `ended_at` is cloud time; `status` the HTTP status.

    `refused`: no instance took it, for want of one; Cloud Run's front answered. Cloud Monitoring's
    request_count does not have it, so it counts as a failure whatever its status is (429 or 500).
    `instance` is the container instance that answered; "" where none did. `failed` tells more of
    one that failed; None of every other.
    """

    side: Side
    ended_at: float
    status: int
    latency_ms: float
    revision: str
    refused: bool = False
    instance: str = ""
    failed: FailedRequest | None = None


class _Bins:
    """One side of one open window."""

    def __init__(self) -> None:
        self.requests = 0
        self.bad = 0
        self.refused = 0
        self.counts = [0] * _BUCKETS
        self.total_ms = 0.0
        self.squares = 0.0
        self.revisions: set[str] = set()
        self.classes = [0] * 6

    def add(self, request: Request) -> None:
        self.requests += 1
        self.bad += request.refused or 500 <= request.status < 600
        if request.refused:
            self.refused += 1  # the front's answer: its latency says nothing of the side
        else:
            self.classes[request.status // 100] += 1
            self._time(request.latency_ms)
        if request.revision and len(self.revisions) < _REVISIONS_A_WINDOW:
            self.revisions.add(request.revision)

    def _time(self, latency_ms: float) -> None:
        self.counts[bisect_right(LATENCY_BOUNDS_MS, latency_ms)] += 1
        self.total_ms += latency_ms
        self.squares += latency_ms * latency_ms

    def add_all(self, other: _Bins) -> None:
        self.requests += other.requests
        self.bad += other.bad
        self.refused += other.refused
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total_ms += other.total_ms
        self.squares += other.squares
        self.revisions |= other.revisions
        self.classes = [a + b for a, b in zip(self.classes, other.classes, strict=True)]

    @property
    def answers(self) -> Responses:
        """By class; the refused are in none, as in Cloud Monitoring."""
        other, ok, redirect, client, server = self.classes[1:]
        return Responses(ok, redirect, client, server, other, self.refused)

    def close(self, cold: _Bins) -> SideWindow:
        """The side; `cold` are the requests of new instances. Where most are, all count."""
        answers = self.answers + cold.answers
        if cold.requests > self.requests:
            self.add_all(cold)
            cold = _Bins()
        if not self.requests:
            return SideWindow(answers=answers)
        return SideWindow(
            self.requests,
            self.bad,
            self._latency(),
            tuple(sorted(self.revisions | cold.revisions))[:_REVISIONS_A_WINDOW],
            self.refused,
            answers,
            cold.requests,
        )

    def _latency(self) -> Distribution | None:
        timed = self.requests - self.refused
        if not timed:
            return None
        last = max(i for i, count in enumerate(self.counts) if count)
        mean = self.total_ms / timed
        return Distribution(
            LATENCY_BOUNDS_MS,
            tuple(self.counts[: last + 1]),
            timed,
            mean,
            max(0.0, self.squares - timed * mean * mean),
        )


class _Open:
    """One window that is open: both sides, and Canary's new instances."""

    def __init__(self) -> None:
        self.legacy, self.canary, self.cold = _Bins(), _Bins(), _Bins()

    @property
    def requests(self) -> int:
        return self.legacy.requests + self.canary.requests + self.cold.requests


class Windows:
    """The windows that are open. Begins with the first whole one after `now`.

    `grace_s` may be set at any time: how long a window waits after its end. `warm_up` knows which
    instances are new; None: none is.
    """

    def __init__(
        self, now: float, *, grace_s: float = GRACE_S, warm_up: WarmUp | None = None
    ) -> None:
        self._first = self._next = math.floor(now / WINDOW_S) + 1
        self.grace_s = grace_s
        self._warm_up = warm_up or WarmUp(0.0)
        self._open: dict[int, _Open] = {}
        self._unfit: dict[int, str] = {}
        self._closed: dict[int, int] = {}
        self._missed: dict[int, int] = {}
        self._too_late: list[float] = []
        self._late = 0

    @property
    def next_close_at(self) -> float:
        """When the oldest open window may be closed; cloud time."""
        return (self._next + 1) * WINDOW_S + self.grace_s

    def add(self, request: Request) -> None:
        """Count a request where it belongs."""
        index = math.ceil(request.ended_at / WINDOW_S) - 1
        if index < self._next or index > self._next + _MOST_OPEN:
            # What ended before the first window was never to be counted: it is not late.
            if index >= self._first:
                self._miss(index)
            return
        sides = self._open.get(index)
        if sides is None:
            sides = self._open[index] = _Open()
        if request.side == "legacy":
            sides.legacy.add(request)
        elif self._warm_up.is_cold(request.instance, request.ended_at):
            sides.cold.add(request)
        else:
            sides.canary.add(request)

    def _miss(self, index: int) -> None:
        """An entry came after its window was closed; with many of them that is unfit."""
        self._late += 1
        counted = self._closed.get(index)
        if counted is None:
            return
        missed = self._missed[index] = self._missed.get(index, 0) + 1
        if missed > MOST_LATE * (counted + missed):
            self._too_late.append(index * WINDOW_S)
            del self._closed[index], self._missed[index]

    def spoil(self, now: float, reason: str) -> None:
        """Something is missing from what came up to now: no window open by then may be judged."""
        last = min(math.floor(now / WINDOW_S), self._next + _MOST_OPEN)
        for index in range(self._next, last + 1):
            self._unfit[index] = reason

    def close(self, now: float) -> list[EvidenceWindow]:
        """The windows whose time is over, oldest first; those without requests too."""
        closed = []
        behind = math.floor((now - self.next_close_at) / WINDOW_S)
        if behind > _MOST_OPEN:  # asleep, or the clock has jumped: nothing was seen meanwhile
            self._next += behind
            self._open.clear()
            self._unfit.clear()
        while now >= self.next_close_at:
            closed.append(self._close(self._next))
            self._next += 1
        return closed

    def break_off(self, now: float, reason: str) -> list[EvidenceWindow]:
        """All windows that have begun, marked as unfit: the source has ended amid them."""
        self.spoil(now, reason)
        last = min(math.floor(now / WINDOW_S), self._next + _MOST_OPEN)
        closed = [self._close(index) for index in range(self._next, last + 1)]
        self._next = last + 1
        return closed

    def _close(self, index: int) -> EvidenceWindow:
        sides = self._open.pop(index, None)
        late, self._late = self._late, 0
        too_late, self._too_late = tuple(self._too_late), []
        self._closed[index] = sides.requests if sides else 0
        for old in [i for i in self._closed if i <= index - _CLOSED_KEPT]:
            del self._closed[old]
            self._missed.pop(old, None)
        legacy, canary, cold = (
            (sides.legacy, sides.canary, sides.cold) if sides else (_Bins(), _Bins(), _Bins())
        )
        return EvidenceWindow(
            index * WINDOW_S,
            (index + 1) * WINDOW_S,
            "tail",
            legacy.close(_Bins()),
            canary.close(cold),
            self._unfit.pop(index, ""),
            late,
            too_late,
        )
