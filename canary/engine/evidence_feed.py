"""Keeps the evidence: windows from the request log where there is one, else Monitoring's minutes.

Never both for the same time. The order in which windows come does not matter to the tests (each is
a stratum of its own), so a minute that Cloud Monitoring shows after the tail has gone on – the tail
was cut, or the console was not there – is taken when it comes.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec

from canary.cloud.clock import CloudClock
from canary.engine.coverage import Coverage
from canary.engine.event_log import EventLog
from canary.record.evidence import Checkpoint, EvidenceRecord
from canary.rollout import words
from canary.rollout.errors import RecordError
from canary.rollout.evidence.state import (
    EvidenceState,
    advance,
    advance_scores,
    close_past,
    open_past,
    start_evidence,
)
from canary.rollout.evidence.verdict import MetricVerdict, judge
from canary.rollout.evidence.view import EvidenceSource, EvidenceView, TailView, view_evidence
from canary.rollout.evidence.window import EvidenceWindow, window_of_samples
from canary.rollout.measure import Distribution, Sample, merge
from canary.rollout.plan import Plan

log = logging.getLogger(__name__)

KEEP_EVERY_S = 30.0
"""So much cloud time is written to the record at once."""

HELD_WINDOWS = 24
"""Windows of the log wait so long (2 minutes) for the past, which is to be judged before them."""

OVERTAKEN = "older than what the request log has shown since"

KEPT_S = 72 * 3600.0
BASELINE_S = 3600.0
LONG_PAST_S = 1800.0
SLACK_S = 1.0
_SAID = {"errors": "5xx", "slow": "slow requests", "score": "confidence"}


class WindowReader(Protocol):
    """What is needed of `cloud.log_tail.LogTail`."""

    @property
    def view(self) -> TailView:
        """How it stands now."""

    def windows(self, expected_per_s: float | None = None) -> AsyncIterator[EvidenceWindow]:
        """Windows until it cannot be read any more; raises nothing of the cloud's."""


class EvidenceFeed:
    """The evidence of one rollout. `state` None: where the split stands is not known yet.

    `tail` None: the plan leaves the request log alone. `record` None: nothing is kept for later.
    """

    def __init__(
        self,
        plan: Plan,
        tail: WindowReader | None,
        clock: CloudClock,
        events: EventLog,
        record: EvidenceRecord | None,
    ) -> None:
        self.state: EvidenceState | None = None
        self._plan = plan
        self._settings = plan.evidence
        self._tail = tail
        self._clock = clock
        self._events = events
        self._record = record
        self._covered = Coverage()
        self._tail_end = 0.0
        self._monitoring_end = 0.0
        self._source: EvidenceSource = "none"
        self._held: list[EvidenceWindow] | None = []
        self._is_new = True
        self._past_is_read = False
        self._log_began: float | None = None
        self._unkept: list[EvidenceWindow] = []
        self._kept_at = 0.0

    def load(self) -> bool:
        """Take over what earlier consoles have gathered. True when there was anything.

        What is from later than now is of another run of the embedded cloud, and left alone.
        """
        if self._record is None:
            return False
        now = self._clock.now()
        try:
            checkpoint = self._record.checkpoint()
            if checkpoint is None or checkpoint.tail_end > now or checkpoint.state.began_at > now:
                return False
            self.state, self._is_new = checkpoint.state, False
            self._tail_end, self._monitoring_end = checkpoint.tail_end, checkpoint.monitoring_end
            for start, end in self._record.covered(checkpoint.state.began_at):
                self._covered.add(start, end)
            for window in self._record.load(checkpoint.tail_end):
                self._judge_tail(window)
        except RecordError as error:
            self._give_up_record(error)
        if self.state is not None and self.state.judged_end is not None:
            self._source = "tail" if self._tail_end >= self._monitoring_end else "monitoring"
        return True

    def follow_split(
        self, changed_at: float | None, percent: int | None, legacy: Sequence[Sample]
    ) -> bool:
        """Begin anew when the split has changed. `legacy`: samples, for the bound of "slow".

        `changed_at` None: when it changed is not known; the evidence then begins now.
        """
        if percent is None:
            return False
        share, before = percent / 100, self.state
        at = changed_at if changed_at is not None else self._clock.now()
        if before is not None and before.share == share:
            # A restart knows the recorded time only, which lies before the one that was seen.
            if changed_at is None or changed_at <= before.began_at + SLACK_S:
                return False
        elif before is not None and at <= before.began_at:
            at = self._clock.now()
        self.state = start_evidence(at, share, baseline=_latency_before(legacy, at), before=before)
        self._covered = Coverage()
        self._monitoring_end = 0.0
        if before is not None:
            self._is_new = False
        self._source = "none"
        self._rebuild(at)
        return True

    async def follow_tail(self, expected_per_s: float | None) -> AsyncGenerator[bool, None]:
        """Take windows of the request log as they come; yields whether a verdict is another.

        Ends when the log cannot be read; `view.tail.off` then says why.
        """
        if self._tail is None:
            return
        async with aclosing(self._windows(self._tail, expected_per_s)) as windows:
            async for window in windows:
                yield self.take(window)

    async def _windows(
        self, tail: WindowReader, expected_per_s: float | None
    ) -> AsyncGenerator[EvidenceWindow, None]:
        async for window in tail.windows(expected_per_s):
            yield window

    def take(self, window: EvidenceWindow) -> bool:
        """One window of the request log, oldest first. True when a verdict is another."""
        before = self._verdicts()
        self._log_began = window.start if self._log_began is None else self._log_began
        self._unkept.append(window)
        if self._held is not None and len(self._held) < HELD_WINDOWS:
            self._held.append(window)
            return False
        self._release()
        self._judge_tail(window)
        if window.end - self._kept_at >= KEEP_EVERY_S:
            self.keep()
        return self._say_turns(before)

    def take_samples(self, legacy: Sequence[Sample], canary: Sequence[Sample]) -> bool:
        """Cloud Monitoring's samples, oldest first; those that are new and uncovered count.

        To be called when the past is filled: a period is taken once, in the order of time. True
        when a verdict is another.
        """
        state = self.state
        if state is None or not legacy or not canary:
            return False
        before, first = self._verdicts(), max(state.began_at, self._monitoring_end)
        is_past = self._is_new and self._clock.now() - state.began_at > LONG_PAST_S
        if is_past:
            self.state = open_past(state)
        canary_of = {(s.start, s.end): s for s in _since(canary, first)}
        for sample in _since(legacy, first):
            other = canary_of.get((sample.start, sample.end))
            if other is not None:
                self._judge_samples(sample, other)
        if is_past and self.state is not None:
            self.state = close_past(self.state)
        self._is_new, self._past_is_read = False, True
        self._release()
        if self._monitoring_end - self._kept_at >= KEEP_EVERY_S:
            self.keep()
        return self._say_turns(before)

    def _release(self) -> None:
        """Judge what has waited for the past."""
        held, self._held = self._held, None
        for window in held or ():
            self._judge_tail(window)

    def keep(self) -> None:
        """Write what is not yet in the record."""
        if self._record is None or self.state is None:
            self._unkept.clear()
            return
        try:
            mark = Checkpoint(self.state, self._tail_end, self._monitoring_end)
            self._record.keep(self._unkept, mark)
            self._record.prune(self._clock.now() - KEPT_S)
        except RecordError as error:
            self._give_up_record(error)
        self._unkept.clear()
        self._kept_at = max(self._tail_end, self._monitoring_end)

    def view(self, reported_percent: int | None) -> EvidenceView:
        """What is known now. `reported_percent`: Canary's share as Cloud Run serves it."""
        tail = self._tail.view if self._tail is not None else TailView(off="the plan has it off")
        reported = None if reported_percent is None else reported_percent / 100
        return view_evidence(
            self.state, self._settings, source=self._source, tail=tail, reported=reported
        )

    def _rebuild(self, since: float) -> None:
        """Judge again what the record has from after the change: there was no usable checkpoint."""
        try:
            windows = self._record.load(since) if self._record is not None else ()
        except RecordError as error:
            self._give_up_record(error)
            return
        now = self._clock.now()
        for window in windows:
            if window.end <= now:
                self._judge_tail(window)

    def _judge_tail(self, window: EvidenceWindow) -> None:
        self._tail_end = max(self._tail_end, window.end)
        if self.state is None or window.start < self._monitoring_end:
            return
        judged = self.state.judged_end
        self.state = advance(self.state, window, self._settings)
        if not window.unfit:
            self._covered.add(window.start, window.end)
        if self.state.judged_end != judged:
            self._source = "tail"

    def _judge_samples(self, legacy: Sample, canary: Sample) -> None:
        assert self.state is not None  # noqa: S101 - looked at by the caller
        window = window_of_samples(legacy, canary)
        if window is not None and self._is_overtaken(window):
            window = msgspec.structs.replace(window, unfit=OVERTAKEN)
        if window is not None and not self._covered.overlaps(window.start, window.end):
            judged = self.state.judged_end
            self.state = advance(self.state, window, self._settings)
            if self.state.judged_end != judged:
                self._source = "monitoring"
        if legacy.start >= self.state.warm_until:
            self.state = advance_scores(
                self.state, legacy.end, legacy.confidence, canary.confidence, self._settings
            )
        if window is not None:
            self._monitoring_end = max(self._monitoring_end, legacy.end)

    def _is_overtaken(self, window: EvidenceWindow) -> bool:
        """Whether a minute of before the log's begin comes when the log is ahead already.

        Cloud Monitoring shows the last minutes before it when a regression may be under way; they
        would be added to what has just begun to show it, and undo a minute of it each.
        """
        began = self._log_began
        return self._past_is_read and began is not None and window.end <= began

    def _verdicts(self) -> tuple[MetricVerdict, ...]:
        return judge(self.state, self._settings) if self.state is not None else ()

    def _say_turns(self, before: tuple[MetricVerdict, ...]) -> bool:
        """Say what has been proven now and was not before. True when any verdict is another."""
        after = self._verdicts()
        for was, now in zip(before, after, strict=False):
            if was.verdict == now.verdict or now.verdict not in ("rollback", "pass"):
                continue
            name = _SAID[now.metric]
            if now.verdict == "rollback":
                at = now.detected_at or self._clock.now()
                text = f"evidence: a regression of Canary is proven: {name} {_both(now)}"
                self._events.say(at, "critical", text)
            else:
                at = now.passed_at or self._clock.now()
                text = f"evidence: Canary is proven to be no worse: {name} {_both(now)}"
                self._events.say(at, "good", text)
        return [v.verdict for v in before] != [v.verdict for v in after]

    def _give_up_record(self, error: RecordError) -> None:
        """A cache: without it the evidence of this console goes on, and no further."""
        self._record = None
        log.warning("evidence: %s", error)
        self._events.say(self._clock.now(), "warning", f"{error} Going on without that record.")


def _since(samples: Sequence[Sample], first: float) -> Sequence[Sample]:
    """The samples that begin at `first` or later; `samples` oldest first."""
    index = len(samples)
    while index and samples[index - 1].start >= first:
        index -= 1
    return samples[index:]


def _latency_before(legacy: Sequence[Sample], at: float) -> Distribution | None:
    """Legacy's latencies of the hour before `at`, of the newest layout."""
    hour = (s for s in legacy if at - BASELINE_S <= s.start and s.end <= at)
    found = [s.latency for s in hour if s.latency is not None]
    return merge(d for d in found if d.bounds == found[-1].bounds)


def _both(verdict: MetricVerdict) -> str:
    shown = words.score if verdict.metric == "score" else words.ratio
    return f"{shown(verdict.canary_ratio)} against Legacy's {shown(verdict.legacy_ratio)}"
