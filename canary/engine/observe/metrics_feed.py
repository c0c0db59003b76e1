"""Reads the samples of both sides from Cloud Monitoring: only what is new, no faster than it comes.

The newest minutes are asked for again each time, since points arrive late. After "asked too often"
nothing is asked until the pause is over. What was read is kept in memory and in the history.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from typing import Protocol

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.cloud.views import Reading
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.series import KEPT_S, SampleSeries, find_gaps
from canary.engine.observe.source import Source
from canary.rollout.change.change import Side
from canary.rollout.errors import CanaryError, RecordError, Unavailable
from canary.rollout.measure.samples import Sample
from canary.rollout.plan.plan import Plan
from canary.store.history import History

log = logging.getLogger(__name__)

READ_LIMIT_S = 30.0
"""Real seconds after which a read that does not end counts as failed."""

ASKED_AGAIN_S = 300.0
"""Points of the newest minutes arrive late; so far back is asked for again."""

LAGGING_S = 1800.0
"""A side whose newest sample is older than the other's is waited for so long."""

DEFAULT_DELAY_S = 240.0
"""How late points are when the metric's descriptor does not say."""

PRUNE_EVERY_S = 3600.0
VISIBLE_AFTER_S = 3.0


class SampleReader(Protocol):
    """What is needed of `cloud.monitoring.MonitoringReader`."""

    async def read(self, start: float, end: float, period_s: int = 60) -> Reading:
        """Both sides over (start, end]; raises CanaryError when nothing could be read."""

    async def ingest_delay_s(self) -> float | None:
        """How late points are, as the descriptor says; None when it does not."""


class MetricsFeed:
    """The samples of both sides. `incomplete`: the past may have gaps, to be backfilled."""

    def __init__(
        self,
        plan: Plan,
        reader: SampleReader,
        clock: CloudClock,
        source: Source,
        events: EventLog,
        history: History | None,
    ) -> None:
        self.series: dict[Side, SampleSeries] = {"legacy": SampleSeries(), "canary": SampleSeries()}
        self.ingest_delay_s: float | None = None
        self.incomplete = True
        self._reader = reader
        self._clock = clock
        self._source = source
        self._events = events
        self._history = history
        self._asked_delay = False
        self._pruned_at = 0.0
        self._one_at_a_time = asyncio.Lock()
        minutes = max(plan.metrics.criteria_window_minutes, plan.alerts.watch_minutes)
        self._first_span_s = minutes * 60 + 600 + DEFAULT_DELAY_S

    @property
    def samples(self) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
        """Legacy's and Canary's samples, oldest first."""
        return self.series["legacy"].samples, self.series["canary"].samples

    def load_history(self) -> bool:
        """Take over what earlier consoles have read. True when there was anything.

        Samples from later than now are left out: they are of another run of the embedded cloud.
        """
        now = self._clock.now()
        found = False
        for side, series in self.series.items():
            try:
                known = self._history.load(side, now - KEPT_S) if self._history is not None else ()
            except RecordError as error:
                self._abandon_history(error)
                return found
            found = bool(series.add(s for s in known if s.end <= now)) or found
        return found

    async def read(self) -> bool:
        """Ask for what is new. True when a sample or the source's health is different."""
        async with self._one_at_a_time:
            now = self._clock.now()
            if not self._source.may_ask(now):
                return False
            start = self._start(now)
            changed = await self._ask(Piece(start, now, FINE_S))
            await self._learn_delay()
            self._prune(now)
            return changed

    async def fill(self, piece: Piece) -> bool:
        """Ask for a piece of the past. Raises CanaryError when it could not be read in full.

        It does not wait for `read`, nor the other way round: the newest minutes come first.
        """
        reading = await self._read(piece)
        changed = self._take(reading)
        if reading.failures:
            raise reading.failures[0]
        return changed

    def next_read_at(self, now: float) -> float:
        """When a new minute will be visible, or the quota's pause is over; cloud time."""
        delay_s = self.ingest_delay_s if self.ingest_delay_s is not None else 0.0
        minute = math.floor((now - delay_s) / FINE_S) * FINE_S + FINE_S
        visible = minute + delay_s + VISIBLE_AFTER_S
        return max(visible, self._source.retry_at or 0.0)

    def _start(self, now: float) -> float:
        """From where to ask: shortly before the newest sample, or a first span back."""
        known = [s.newest_end for s in self.series.values() if s.newest_end is not None]
        earliest = now - self._first_span_s
        if not known:
            return _minute(earliest)
        newest = max(known)
        resumed = max(min(known), newest - LAGGING_S) - ASKED_AGAIN_S
        if newest - ASKED_AGAIN_S < earliest:
            self.incomplete = True
        return _minute(max(resumed, earliest))

    async def _ask(self, piece: Piece) -> bool:
        try:
            reading = await self._read(piece)
        except CanaryError as error:
            return self._source.failed(error, self._clock.now())
        changed = self._take(reading)
        if reading.failures:
            turned = self._source.failed(reading.failures[0], self._clock.now(), partly=True)
        else:
            turned = self._source.answered(self._clock.now())
        return turned or changed

    async def _read(self, piece: Piece) -> Reading:
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                return await self._reader.read(piece.start, piece.end, int(piece.period_s))
        except TimeoutError as exc:
            message = f"Cloud Monitoring did not answer in {READ_LIMIT_S:.0f} s."
            raise Unavailable(message) from exc

    def _take(self, reading: Reading) -> bool:
        changed = False
        answers: tuple[tuple[Side, tuple[Sample, ...]], ...] = (
            ("legacy", reading.legacy),
            ("canary", reading.canary),
        )
        for side, samples in answers:
            new = self.series[side].add(samples)
            changed = changed or bool(new)
            self._keep(side, new)
        return changed

    def _keep(self, side: Side, samples: tuple[Sample, ...]) -> None:
        if self._history is None or not samples:
            return
        try:
            self._history.add(side, samples)
        except RecordError as error:
            self._abandon_history(error)

    def _abandon_history(self, error: RecordError) -> None:
        """The history is a cache: without it the console asks the cloud again, no more."""
        self._history = None
        log.warning("history: %s", error)
        self._events.say(self._clock.now(), "warning", f"{error} Going on without the history.")

    async def _learn_delay(self) -> None:
        if self._asked_delay or not self._source.has_answered:
            return
        self._asked_delay = True
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                self.ingest_delay_s = await self._reader.ingest_delay_s()
        except (TimeoutError, CanaryError) as error:
            # Only a nicety: without it new minutes are asked for at a less lucky moment.
            log.info("ingest delay: %s", error)

    def _prune(self, now: float) -> None:
        if now - self._pruned_at < PRUNE_EVERY_S:
            return
        self._pruned_at = now
        for series in self.series.values():
            series.prune(now - KEPT_S)
        try:
            if self._history is not None:
                self._history.prune(now - KEPT_S)
        except RecordError as error:
            self._abandon_history(error)


def _minute(at: float) -> float:
    return math.floor(at / FINE_S) * FINE_S


# What of the past is asked for, and in which pieces.

FINE_S, COARSE_S = 60.0, 600.0
FINE_HOURS = 6.0
LONGEST_S = 86_400.0
"""One question covers at most a day, so that something new is shown after each."""

LEAST_GAP_S = 180.0
"""Shorter gaps are taken for what they are: minutes without a request."""

MOST_GAPS = 8


class Piece(msgspec.Struct, frozen=True):
    """One question: (start, end] in periods of `period_s`."""

    start: float
    end: float
    period_s: float


def begin_of_backfill(entered_at: float | None, now: float) -> float:
    """How far back the history is wanted: an hour before the stage began, six hours at least.

    At most `KEPT_S`. On a full minute.
    """
    wanted = now - FINE_HOURS * 3600
    if entered_at is not None:
        wanted = min(wanted, entered_at - 3600)
    return _down(max(wanted, now - KEPT_S), FINE_S)


def plan_backfill(
    sides: Sequence[Sequence[Sample]], since: float, until: float, now: float
) -> tuple[Piece, ...]:
    """The questions for all gaps in (since, until], newest first. Empty when nothing is missing.

    A gap that is older than the fine hours is asked for in coarse periods that lie wholly in it;
    what is left at its edges, less than one coarse period, in fine ones: overlapping what is
    there would count requests twice.
    """
    border = _down(now - FINE_HOURS * 3600, COARSE_S)
    gaps = find_gaps(sides, since, until, LEAST_GAP_S)[-MOST_GAPS:]
    pieces: list[Piece] = []
    for start, end in gaps:
        if end > border:
            pieces += _split(max(start, border), end, FINE_S)
        if start < border:
            pieces += _coarse(start, min(end, border), since)
    return tuple(sorted(pieces, key=lambda p: -p.end))


def _coarse(start: float, end: float, since: float) -> list[Piece]:
    # Before `since` nothing is known, so the oldest period may begin earlier.
    first = _down(start, COARSE_S) if start <= since else _up(start, COARSE_S)
    last = _down(end, COARSE_S)
    if first >= last:
        return _split(start, end, FINE_S)
    edges = [(start, first), (last, end)]
    pieces = [Piece(a, b, FINE_S) for a, b in edges if b - a >= FINE_S]
    return pieces + _split(first, last, COARSE_S)


def _split(start: float, end: float, period_s: float) -> list[Piece]:
    pieces = []
    while end > start:
        begin = max(start, end - LONGEST_S)
        pieces.append(Piece(begin, end, period_s))
        end = begin
    return pieces


def _down(at: float, step: float) -> float:
    return math.floor(at / step) * step


def _up(at: float, step: float) -> float:
    return math.ceil(at / step) * step
