"""Keeps the evidence: windows from the request log where there is one, else Monitoring's minutes.

Never both for the same time. A minute that Cloud Monitoring shows after the tail has gone on – the
tail was cut, or was found to be incomplete, or the console was not there – is judged at its place
in time (`judging`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Protocol

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.cloud.logging.windows import MOVED
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_store import Coverage, EvidenceKeeping, Past
from canary.engine.observe.judging import Judging
from canary.engine.observe.refusals import Refusals
from canary.engine.observe.transitions import log_completeness, log_transitions, log_withdrawn
from canary.rollout.evidence.dismissal import Dismissal
from canary.rollout.evidence.replay import latency_before, samples_since
from canary.rollout.evidence.state import EvidenceState, close_past, open_past, start_evidence
from canary.rollout.evidence.verdict import Word, judge_words
from canary.rollout.evidence.view import EvidenceView, TailView, view_evidence
from canary.rollout.evidence.window import EvidenceWindow
from canary.rollout.measure.samples import Sample
from canary.rollout.plan.plan import Plan
from canary.store.evidence import Checkpoint, EvidenceRecord

HELD_WINDOWS = 24
"""Windows of the log wait so long (2 minutes) for the past, which is to be judged before them."""

RECENT_S = 7_200.0
"""Refusals of so long ago are taken from what this host has kept: more than the criteria judge."""

LONG_PAST_S = 1800.0
SLACK_S = 1.0
UNSAID: tuple[Word, ...] = ("undecided", "undecided", "undecided")


class WindowReader(Protocol):
    """What is needed of `cloud.log_tail.LogTail`."""

    @property
    def view(self) -> TailView:
        """How it stands now."""

    def windows(self, expected_per_s: float | None = None) -> AsyncIterator[EvidenceWindow]:
        """Windows until it cannot be read any more; raises nothing of the cloud's."""

    def follow_sides(self, candidate: str, stable: str) -> None:
        """Whose the revisions are from now on, where both sides share a service."""


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
        self.refusals = Refusals()
        self._settings = plan.evidence
        self._judging = Judging(plan.evidence)
        self._tail = tail
        self._clock = clock
        self._events = events
        self._keeping = EvidenceKeeping(record, clock, events)
        self._past: Past | None = None
        self._behind: list[EvidenceWindow] = []
        self._held: list[EvidenceWindow] | None = []
        self._is_new = True
        self._past_is_read = False
        self._log_began: float | None = None
        self._said = UNSAID
        self._invalid = ""
        self._candidate = ""

    @property
    def state(self) -> EvidenceState | None:
        """What the evidence has come to; None while it is not known where the split stands."""
        return self._judging.state

    def load(self) -> bool:
        """Take over what earlier consoles have gathered. True when there was anything."""
        for window in self._keeping.recent(self._clock.now() - RECENT_S):
            self.refusals.note(window)
        checkpoint = self._keeping.find()
        if checkpoint is None:
            return False
        judging, self._is_new = self._judging, False
        judging.begin(checkpoint.state)
        judging.tail_end, judging.monitoring_end = checkpoint.tail_end, checkpoint.monitoring_end
        asked_from = max(checkpoint.state.began_at, checkpoint.monitoring_end)
        for start, end in self._keeping.covered(asked_from):
            judging.covered.add(start, end)
        if checkpoint.state.judged_end is not None:
            is_tail = judging.tail_end >= judging.monitoring_end
            judging.source = "tail" if is_tail else "monitoring"
        self._begin_past(checkpoint.tail_end)
        return True

    def follow_split(
        self,
        changed_at: float | None,
        percent: int | None,
        legacy: Sequence[Sample],
        *,
        invalid: str = "",
    ) -> bool:
        """Begin anew when the split has changed. `legacy`: samples, for the bound of "slow".

        `changed_at` None: when it changed is not known; the evidence then begins now. `invalid`:
        why the sides cannot be compared, whatever the numbers say.
        """
        self._invalid = invalid
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
        begun = start_evidence(
            at, share, baseline=latency_before(legacy, at), before=before, settings=self._settings
        )
        self._judging.begin(begun)
        self._judging.covered, self._judging.monitoring_end = Coverage(), 0.0
        if before is not None:
            self._is_new = False
            log_withdrawn(self._events, before, begun)
        self._judging.source, self._said = "none", UNSAID
        self._begin_past(at)
        return True

    def follow_sides(self, candidate: str, stable: str) -> None:
        """Which revisions of one service both sides are from now on ("" for what is not known).

        A tag that moves takes no traffic along: what the log showed of the revision that had it
        is neither side's any more, wherever it has come to.
        """
        if self._tail is not None:
            self._tail.follow_sides(candidate, stable)
        before, self._candidate = self._candidate, candidate
        if before in ("", candidate):
            return
        for wanting in self._judging.take_back(lambda w: not self._is_theirs(w), MOVED):
            self._keeping.note(wanting)

    def _is_theirs(self, window: EvidenceWindow) -> bool:
        """Whether what a window calls Canary is Canary's revision now, as far as is known.

        Legacy may be deployed anew: it is the same side.
        """
        own, seen = self._candidate, window.canary.revisions
        return not own or not seen or seen == (own,)

    @property
    def is_rebuilding(self) -> bool:
        """Whether the record holds more that is to be judged before anything is said."""
        return self._past is not None

    def rebuild(self) -> bool:
        """Judge one more piece of what the record holds. True while there is more.

        The first is judged at once when the past begins: mostly that is all. What has come
        meanwhile is judged at the end; then what is proven is said, at its own time.
        """
        if self._past is None:
            return False
        windows, is_more = self._past.take()
        for window in windows:
            self._judge_tail(window)
        if is_more:
            return True
        self._past = None
        behind, self._behind = self._behind, []
        for window in behind:
            self._offer(window)
        self._log_transitions()
        return False

    def _begin_past(self, since: float) -> None:
        """Begin to judge what the record has from after `since`."""
        until = self._behind[0].start if self._behind else self._clock.now()
        self._past = Past(self._keeping, since, until)
        self.rebuild()

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
        self._keeping.note(window)
        if said := self.refusals.note(window):
            self._events.say(window.end, "warning", said)
        if self._past is not None:
            self._behind.append(window)
        elif not self._offer(window):
            return False
        if self._keeping.is_due(window.end):
            self.keep()
        return self._log_transitions()

    def _offer(self, window: EvidenceWindow) -> bool:
        """Judge a window of the log, unless it is to wait for the past. True when it was judged."""
        self._log_began = window.start if self._log_began is None else self._log_began
        if self._held is not None and len(self._held) < HELD_WINDOWS:
            self._held.append(window)
            return False
        self._release()
        self._judge_tail(window)
        return True

    def take_samples(self, legacy: Sequence[Sample], canary: Sequence[Sample]) -> bool:
        """Cloud Monitoring's samples, oldest first; those that are new and uncovered count.

        To be called when the past is filled: a period is taken once, in the order of time. True
        when a verdict is another.
        """
        state = self.state
        if state is None or self._past is not None or not legacy or not canary:
            return False
        judging, was_whole = self._judging, self._judging.whole
        first = max(state.began_at, judging.monitoring_end)
        is_past = self._is_new and self._clock.now() - state.began_at > LONG_PAST_S
        if is_past:
            judging.change(open_past)
        canary_of = {(s.start, s.end): s for s in samples_since(canary, first)}
        for sample in samples_since(legacy, first):
            other = canary_of.get((sample.start, sample.end))
            if other is not None:
                overtaken = self._is_overtaken(sample.end)
                for wanting in judging.take_minute(sample, other, overtaken=overtaken):
                    self._keeping.note(wanting)
        if is_past:
            judging.change(close_past)
        self._is_new, self._past_is_read = False, True
        self._release()
        if self._keeping.is_due(judging.monitoring_end):
            self.keep()
        after = judging.whole
        is_other = log_completeness(self._events, self._clock.now(), was_whole, after)
        return self._log_transitions() or is_other

    def hear(self, dismissals: Sequence[Dismissal]) -> bool:
        """Take what persons have dismissed, oldest first. True when that takes a proof away."""
        if not self._judging.hear(dismissals):
            return False
        self._log_transitions()
        return True

    def _release(self) -> None:
        """Judge what has waited for the past."""
        held, self._held = self._held, None
        for window in held or ():
            self._judge_tail(window)

    def keep(self) -> None:
        """Write what is not yet in the record; what it came to only once all of it is judged."""
        mark, ends = None, (self._judging.tail_end, self._judging.monitoring_end)
        if self.state is not None and self._past is None:
            mark = Checkpoint(self.state, *ends)
        end = max(*ends, *(w.end for w in self._behind[-1:]))
        self._keeping.keep(mark, end)

    @property
    def tail_view(self) -> TailView:
        """How the request log stands now."""
        tail = self._tail.view if self._tail is not None else TailView(off="the plan has it off")
        return msgspec.structs.replace(tail, incomplete=self._judging.whole.why)

    def view(self, reported_percent: int | None) -> EvidenceView:
        """What is known now. `reported_percent`: Canary's share as Cloud Run serves it."""
        tail = self.tail_view
        reported = None if reported_percent is None else reported_percent / 100
        return view_evidence(
            self.state,
            self._settings,
            source=self._judging.source,
            tail=tail,
            reported=reported,
            invalid=self._invalid,
            rebuilding=None if self._past is None else self._past.done,
            now=self._clock.now(),
        )

    def _judge_tail(self, window: EvidenceWindow) -> None:
        if not window.unfit and not self._is_theirs(window):
            window = msgspec.structs.replace(window, unfit=MOVED)
            self._keeping.note(window)
        for wanting in self._judging.take_window(window):
            self._keeping.note(wanting)

    def _is_overtaken(self, end: float) -> bool:
        """Whether a minute of before the log's begin comes when the log is ahead already.

        Cloud Monitoring shows the last minutes before it when a regression may be under way; they
        would be added to what has just begun to show it, and undo a minute of it each.
        """
        began = self._log_began
        return self._past_is_read and began is not None and end <= began

    def _log_transitions(self) -> bool:
        """Say what is proven and was not said yet. True when any verdict is another."""
        if self.state is None:
            return False
        before, self._said = self._said, judge_words(self.state, self._invalid)
        now, invalid = self._clock.now(), self._invalid
        return log_transitions(
            self._events, now, before, self.state, self._settings, invalid=invalid
        )
