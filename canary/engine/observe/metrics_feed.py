"""Reads the samples of both sides from their source: only what is new, no faster than it comes.

The newest minutes are asked for again each time, since points arrive late; and each metric keeps
its own newest: one that failed while others answered is asked for from where it stopped. After
"asked too often" nothing is asked until the pause is over. What was read is kept in memory and in
the history.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Set as AbstractSet
from typing import Protocol

from canary.cloud.connection.clock import CloudClock
from canary.cloud.monitoring.queries import ESSENTIAL
from canary.cloud.views import Reading
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.missing import (
    FINE_S,
    Piece,
    Unanswered,
    columns_missing,
    plan_again,
    plan_backfill,
)
from canary.engine.observe.series import FIELDS_OF, KEPT_S, SampleSeries
from canary.engine.observe.source import Source
from canary.rollout.change.change import Side
from canary.rollout.errors import CanaryError, RecordError, Unavailable
from canary.rollout.measure.samples import Sample
from canary.rollout.plan.plan import Plan
from canary.store.history import History

log = logging.getLogger(__name__)

READ_LIMIT_S = 30.0
"""Real seconds after which a read that does not end counts as failed."""

ASKED_AGAIN_S = 600.0
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
    """The samples of both sides. `incomplete`: the past may have gaps, to be backfilled. `kept_s`:
    so far back they are kept in memory.

    `oldest_change` is the end of the oldest sample that became another since a reader of it set it
    back to infinity.
    """

    def __init__(
        self,
        plan: Plan,
        reader: SampleReader,
        clock: CloudClock,
        source: Source,
        events: EventLog,
        history: History | None,
        *,
        kept_s: float = KEPT_S,
    ) -> None:
        self._kept_s = kept_s
        self.series: dict[Side, SampleSeries] = {"legacy": SampleSeries(), "canary": SampleSeries()}
        self.ingest_delay_s: float | None = None
        self.incomplete = True
        self.oldest_change = math.inf
        self._unanswered = Unanswered()
        self._failing: AbstractSet[str] = frozenset()
        self._asked_until: float | None = None
        self._said_absent: set[str] = set()
        self._plan = plan
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
        for role, spans in columns_missing(self.samples, ASKED_AGAIN_S).items():
            for start, end in spans:
                self._unanswered.add((role,), start, end)
        self._asked_until = max((s[-1].end for s in self.samples if s), default=None)
        return found

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing of what is judged, up to what was asked for last."""
        return not self.incomplete and not self._unanswered.spans(ESSENTIAL)

    def missing(self, since: float, now: float) -> tuple[Piece, ...]:
        """The questions for all of (since, now] that is not known, newest first. A metric that
        fails just now is not asked for, unless nothing is judged without it.
        """
        newest = max((s[-1].end for s in self.samples if s), default=now)
        gaps = plan_backfill(self.samples, since, newest, now)
        roles = ESSENTIAL | (FIELDS_OF.keys() - self._failing)
        again = plan_again(self._unanswered.spans(roles), since, newest, gaps)
        return tuple(sorted((*gaps, *again), key=lambda p: -p.end))

    async def read(self) -> bool:
        """Ask for what is new. True when a sample or the source's health is different."""
        async with self._one_at_a_time:
            now = self._clock.now()
            if not self._source.may_ask(now):
                return False
            piece = Piece(self._start(now), now, FINE_S)
            changed = await self._ask(piece)
            await self._learn_delay()
            self._prune(now)
            return changed

    async def fill(self, piece: Piece) -> bool:
        """Ask for a piece of the past. Raises CanaryError when what is judged by is not all there.

        It does not wait for `read`, nor the other way round: the newest minutes come first.
        """
        reading = await self._read(piece)
        changed = self._take(reading, piece)
        for role in ESSENTIAL & reading.unread.keys():
            raise reading.unread[role]
        return changed

    def next_read_at(self, now: float) -> float:
        """When a new minute will be visible, or the quota's pause is over; cloud time."""
        delay_s = self.ingest_delay_s if self.ingest_delay_s is not None else 0.0
        minute = math.floor((now - delay_s) / FINE_S) * FINE_S + FINE_S
        visible = minute + delay_s + VISIBLE_AFTER_S
        return max(visible, self._source.retry_at or 0.0)

    def _start(self, now: float) -> float:
        """From where to ask: shortly before the newest value of each metric, or a first span back.

        What lies before is noted as unanswered.
        """
        earliest = now - self._first_span_s
        fields = [field for role in sorted(ESSENTIAL) for field in FIELDS_OF[role]]
        ends = [s.newest_of(field) for s in self.series.values() for field in fields]
        known = [end for end in ends if end is not None]
        newest = max(known, default=earliest)
        start = max(min(known, default=earliest), newest - LAGGING_S) - ASKED_AGAIN_S
        if self._asked_until is not None:
            self._unanswered.add(FIELDS_OF, self._asked_until - ASKED_AGAIN_S, now)
        hole = self._unanswered.first_after(earliest)
        return _minute(max(min(start, hole if hole is not None else start), earliest))

    async def _ask(self, piece: Piece) -> bool:
        self._asked_until = piece.end
        try:
            reading = await self._read(piece)
        except CanaryError as error:
            self._unanswered.add(FIELDS_OF, piece.start, piece.end)
            return self._source.failed(error, self._clock.now())
        changed = self._take(reading, piece)
        self._look_back(reading.unread.keys())
        if reading.failures:
            turned = self._source.failed(reading.failures[0], self._clock.now(), partly=True)
        else:
            turned = self._source.answered(self._clock.now())
        return turned or changed

    def _look_back(self, unread: AbstractSet[str]) -> None:
        """Have the past filled, if a metric that answers now was not known at some time before."""
        answers_again = (ESSENTIAL | self._failing) - unread
        self._failing = frozenset(unread)
        if self._unanswered.spans(answers_again):
            self.incomplete = True

    async def _read(self, piece: Piece) -> Reading:
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                return await self._reader.read(piece.start, piece.end, int(piece.period_s))
        except TimeoutError as exc:
            message = f"{self._plan.metrics.source_name} did not answer in {READ_LIMIT_S:.0f} s."
            raise Unavailable(message) from exc

    def _take(self, reading: Reading, piece: Piece) -> bool:
        self._unanswered.add(reading.unread, piece.start, piece.end)
        read = FIELDS_OF.keys() - reading.unread.keys()
        self._unanswered.answer(read, piece.start, piece.end)
        self._say_absent(reading)
        changed = False
        answers: tuple[tuple[Side, tuple[Sample, ...]], ...] = (
            ("legacy", reading.legacy),
            ("canary", reading.canary),
        )
        for side, samples in answers:
            spoilt = ((s.role, s.end) for s in reading.spoilt if s.side == side)
            new = self.series[side].add(samples, spoilt)
            changed = changed or bool(new)
            self.oldest_change = min([self.oldest_change, *(s.end for s in new)])
            self._keep(side, new)
        return changed

    def _say_absent(self, reading: Reading) -> None:
        """Say once of a metric that it is not there: asking again tells nothing new."""
        for role, error in reading.absent.items():
            if role not in self._said_absent:
                self._said_absent.add(role)
                text = f"{role} is shown as no data: {error}"
                self._events.say(self._clock.now(), "warning", text)

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
        self._unanswered.forget(now - self._kept_s)
        for series in self.series.values():
            series.prune(now - self._kept_s)
        try:
            if self._history is not None:
                self._history.prune(now - KEPT_S)
                self._history.shrink()
        except RecordError as error:
            self._abandon_history(error)


def _minute(at: float) -> float:
    return math.floor(at / FINE_S) * FINE_S
