"""Judges windows of both sources in the order of time, and can take some of them back.

A window of the request log is judged when it comes. Whether the log was whole then is known some
minutes later, when Cloud Monitoring has counted the same minute, and some entries come late. So
the evidence is kept twice: as it was before the windows that may still be found wanting, and as it
is with them. What is found wanting is left out and the rest judged again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from canary.engine.observe.evidence_store import Coverage
from canary.rollout.evidence.completeness import Completeness
from canary.rollout.evidence.dismissal import Dismissal
from canary.rollout.evidence.state import EvidenceState, advance, advance_scores, dismiss
from canary.rollout.evidence.view import EvidenceSource
from canary.rollout.evidence.window import EvidenceWindow, window_of_samples
from canary.rollout.measure.samples import Responses, Sample
from canary.rollout.plan.tables import EvidenceSettings

PENDING_WINDOWS: Final = 180
"""So many windows of the log may still be taken back (15 minutes)."""

INCOMPLETE: Final = "the request log is incomplete"
TOO_LATE: Final = "too many entries came late"
OVERTAKEN: Final = "older than what the request log has shown since"


class Judging:
    """The evidence and what it rests on. `state` None: where the split stands is not known.

    `whole` says whether the log is believed; while it is not, its windows are not judged.
    """

    def __init__(self, settings: EvidenceSettings) -> None:
        self.state: EvidenceState | None = None
        self.whole = Completeness()
        self.source: EvidenceSource = "none"
        self.covered = Coverage()
        self.tail_end = 0.0
        self.monitoring_end = 0.0
        self._settings = settings
        self._sure: EvidenceState | None = None
        self._pending: list[EvidenceWindow] = []
        self._aside: list[EvidenceWindow] = []
        self._dismissals: tuple[Dismissal, ...] = ()

    def begin(self, state: EvidenceState) -> None:
        """Go on from `state`, whose windows stand."""
        self.state = self._sure = state
        self._pending.clear()
        self._aside.clear()

    def change(self, act: Callable[[EvidenceState], EvidenceState]) -> None:
        """Change what stands, and judge again what may still be taken back."""
        if self._sure is not None:
            self._sure = act(self._sure)
            self._judge_again()

    def hear(self, dismissals: Sequence[Dismissal]) -> bool:
        """Take what persons have dismissed, oldest first. True when that takes a proof away."""
        self._dismissals = tuple(dismissals)
        if self.state is None:
            return False
        before = self.state
        for each in self._dismissals:
            self.state = dismiss(self.state, each, self._settings)
        if self.state == before:
            return False
        # What was proven on windows that may still be taken back would be proven again by them.
        self.begin(self.state)
        return self.state.proven != before.proven

    def take_window(self, window: EvidenceWindow) -> tuple[EvidenceWindow, ...]:
        """Judge a window of the log. Those that must be kept as unfit: it may be among them."""
        self.tail_end = max(self.tail_end, window.end)
        if self.state is None or window.start < self.monitoring_end:
            return ()
        taken_back = self.take_back(lambda w: w.start in window.too_late, TOO_LATE)
        if self.whole.short:
            # Judged it is not, but it may show that the log is whole again.
            self._aside = [*self._aside[1 - PENDING_WINDOWS :], window]
            return (*taken_back, _unfit(window, INCOMPLETE))
        judged = self.state.judged_end
        self.state = self._advance(self.state, window)
        self._pending.append(window)
        self._commit(len(self._pending) - PENDING_WINDOWS)
        if not window.unfit and not window.is_empty:
            self.covered.add(window.start, window.end)
        if self.state.judged_end != judged:
            self.source = "tail"
        return taken_back

    def take_minute(
        self, legacy: Sample, canary: Sample, *, overtaken: bool
    ) -> tuple[EvidenceWindow, ...]:
        """Judge a minute of Cloud Monitoring's where the log has not. The windows of the log that
        are found wanting by it. `overtaken`: it must not be judged, for the log is ahead.
        """
        window = window_of_samples(legacy, canary)
        taken_back: tuple[EvidenceWindow, ...] = ()
        if window is not None:
            taken_back = self._compare(window, legacy, canary)
            if not self.covered.overlaps(window.start, window.end):
                self._insert(_unfit(window, OVERTAKEN) if overtaken else window)
            self.monitoring_end = max(self.monitoring_end, window.end)
            self.covered.forget(self.monitoring_end)  # no earlier minute is taken any more
        self._take_scores(legacy, canary)
        return taken_back

    def _compare(
        self, minute: EvidenceWindow, legacy: Sample, canary: Sample
    ) -> tuple[EvidenceWindow, ...]:
        """Look whether the log showed what Cloud Monitoring counts in the minute."""
        known = (*self._pending, *self._aside)
        inside = [w for w in known if minute.start <= w.start and w.end <= minute.end]
        seen = _answers_of(inside, minute)
        if seen is None or legacy.responses is None or canary.responses is None:
            return ()
        counted = (legacy.responses, canary.responses)
        was_short = self.whole.short
        sampled = min(w.sampled for w in inside)
        self.whole = self.whole.compare(counted, seen, sampled)
        if was_short or not self.whole.short:
            return ()
        return self.take_back(lambda w: w.start >= minute.start, INCOMPLETE)

    def _insert(self, minute: EvidenceWindow) -> None:
        """Judge a minute at its place in time: after what was before it."""
        if self._sure is None or self.state is None:
            return
        self._commit(sum(1 for w in self._pending if w.start < minute.start))
        judged = self.state.judged_end
        self._sure = self._advance(self._sure, minute)
        self._judge_again()
        if self.state.judged_end != judged:
            self.source = "monitoring"

    def _take_scores(self, legacy: Sample, canary: Sample) -> None:
        if self._sure is None or self.state is None or legacy.start < self.state.warm_until:
            return
        scores = (legacy.confidence, canary.confidence)
        self._sure = advance_scores(self._sure, legacy.end, *scores, self._settings)
        self.state = msgspec.structs.replace(self.state, score=self._sure.score)

    def take_back(
        self, is_wanting: Callable[[EvidenceWindow], bool], why: str
    ) -> tuple[EvidenceWindow, ...]:
        """Leave windows out that were judged already, and judge the rest again; those left out."""
        wanting = [w for w in self._pending if not w.unfit and is_wanting(w)]
        if not wanting:
            return ()
        starts = {w.start for w in wanting}
        self._pending = [_unfit(w, why) if w.start in starts else w for w in self._pending]
        for window in wanting:
            self.covered.remove(window.start, window.end)
        self._judge_again()
        return tuple(_unfit(w, why) for w in wanting)

    def _judge_again(self) -> None:
        state = self._sure
        for window in self._pending:
            if state is not None:
                state = self._advance(state, window)
        self.state = state

    def _commit(self, count: int) -> None:
        """The oldest pending windows stand from now on."""
        for window in self._pending[: max(0, count)]:
            if self._sure is not None:
                self._sure = self._advance(self._sure, window)
        del self._pending[: max(0, count)]

    def _advance(self, state: EvidenceState, window: EvidenceWindow) -> EvidenceState:
        for each in self._dismissals:
            if each.at <= window.start:
                state = dismiss(state, each, self._settings)
        return advance(state, window, self._settings)


def _unfit(window: EvidenceWindow, why: str) -> EvidenceWindow:
    return msgspec.structs.replace(window, unfit=why)


def _answers_of(
    inside: Iterable[EvidenceWindow], minute: EvidenceWindow
) -> tuple[Responses, Responses] | None:
    """What the log showed of the whole minute; None where any of it is missing or unfit."""
    legacy, canary, covered_s = Responses(), Responses(), 0.0
    for window in inside:
        sides = (window.legacy.answers, window.canary.answers)
        if window.unfit or sides[0] is None or sides[1] is None:
            return None
        legacy, canary = legacy + sides[0], canary + sides[1]
        covered_s += window.end - window.start
    return (legacy, canary) if covered_s >= minute.end - minute.start - 1e-6 else None
