"""All that the evidence of one stretch of a stage has come to: one frozen value, advanced window
by window, each in the same time however long it runs. It starts anew when the split changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

from canary.rollout.evidence import ratio, split
from canary.rollout.evidence.bursts import LegacyPast
from canary.rollout.evidence.dismissal import Dismissal
from canary.rollout.evidence.left_out import LeftOut, note_left_out
from canary.rollout.evidence.metric_evidence import (
    METRICS,
    Metric,
    RatioEvidence,
    ScoreEvidence,
    add_scores,
    advance_ratio,
    forget_proof,
    forget_score_proof,
    merged,
    start_ratio,
)
from canary.rollout.evidence.ratio import Counts, RatioTest
from canary.rollout.evidence.tally import Part, Tally
from canary.rollout.evidence.window import EvidenceWindow, slow_bound_ms
from canary.rollout.measure.samples import Distribution
from canary.rollout.plan.tables import EvidenceSettings

DEFAULTS: Final = EvidenceSettings()

SET_APART_S: Final = 30.0
"""So long after a change of the split requests of before are still being answered."""

BASELINE_REQUESTS: Final = 500
"""Legacy's answers from which the bound of "slow" is taken, before anything is tested."""

DISMISSED_LATE_S: Final = 120.0

RATE_S: Final = 600.0
"""The rate of requests is a mean over about this much of the past."""

AFTER_CHANGE = "just after the change"
WARM_UP = "warm-up of a new revision"
COLD = "first minutes of new instances"
_REVISIONS_KEPT = 16
_DETECTIONS_KEPT = 16


class Detection(msgspec.Struct, frozen=True):
    """A regression that was proven, and when (cloud time)."""

    metric: Metric
    at: float


class EvidenceState(msgspec.Struct, frozen=True):
    """The evidence since `began_at` (unix seconds), while Canary's intended share was `share`.

    `baseline` gathers Legacy's latencies until `slow_bound_ms` can be fixed; nothing is tested for
    slowness before. `judged_s` and `seen_end` are of windows that counted and of all windows.
    `canary_per_s` is the recent rate of Canary's requests; None before the first window.
    `earlier` are regressions that were proven at other splits, or dismissed by a person: withdrawn,
    but still a fact. The tallies are what has failed, and what was slow, whatever the tests say.
    """

    began_at: float
    share: float
    error: RatioEvidence = RatioEvidence()
    slow: RatioEvidence = RatioEvidence()
    slow_bound_ms: float | None = None
    baseline: Distribution | None = None
    score: ScoreEvidence = ScoreEvidence()
    legacy_requests: int = 0
    canary_requests: int = 0
    canary_per_s: float | None = None
    judged_s: float = 0.0
    judged_end: float | None = None
    seen_end: float | None = None
    unfit: str = ""
    left_out: tuple[LeftOut, ...] = ()
    revisions: tuple[str, ...] = ()
    warm_until: float = 0.0
    earlier: tuple[Detection, ...] = ()
    legacy_past: LegacyPast = LegacyPast()
    failed_tally: Tally = Tally()
    slow_tally: Tally = Tally()

    @property
    def proven(self) -> tuple[Detection, ...]:
        """The regressions that are proven at this split, in the order of METRICS."""
        times = (self.error.proven_at, self.slow.proven_at, self.score.proven_at)
        found = zip(METRICS, times, strict=True)
        return tuple(Detection(metric, at) for metric, at in found if at is not None)

    @property
    def is_mismatch(self) -> bool:
        """Whether the measured split is proven to be none that counts as the intended one."""
        if not 0 < self.share < 1:
            return False
        return split.is_outside(self.legacy_requests, self.canary_requests, self.share)

    @property
    def set_apart_until(self) -> float:
        """Nothing is judged before this: numbers may still be from before the change."""
        return self.began_at + SET_APART_S


def start_evidence(
    began_at: float,
    share: float,
    *,
    baseline: Distribution | None = None,
    before: EvidenceState | None = None,
    settings: EvidenceSettings = DEFAULTS,
) -> EvidenceState:
    """Evidence that has seen nothing.

    `baseline` are Legacy's latencies from before, if they are known: they fix the bound of "slow".
    `before` is what ended with the change: Canary's revisions, which of them is still cold, and
    what was proven: a proof is of one split, and withdrawn when that changes.
    """
    bound = slow_bound_ms(baseline) if _is_enough(baseline) and baseline is not None else None
    if before is None:
        fresh = start_ratio(settings)
        return EvidenceState(began_at, share, fresh, fresh, slow_bound_ms=bound)
    return EvidenceState(
        began_at,
        share,
        start_ratio(settings, before.legacy_past),
        start_ratio(settings),
        legacy_past=before.legacy_past,
        slow_bound_ms=bound,
        revisions=before.revisions,
        warm_until=before.warm_until,
        earlier=(*before.earlier, *before.proven)[-_DETECTIONS_KEPT:],
    )


def advance(
    state: EvidenceState, window: EvidenceWindow, settings: EvidenceSettings
) -> EvidenceState:
    """The evidence after one more window, judged or left out."""
    state = _note_revisions(state, window, settings)
    reason = _why_left_out(state, window)
    if reason:
        return _leave_out(state, window, reason)
    errors = window.errors
    bound, baseline, slow = state.slow_bound_ms, state.baseline, state.slow
    slow_tally = state.slow_tally
    if bound is None:
        bound, baseline = _fix_bound(baseline, window)
    elif (counts := window.slow(bound)) is not None:
        slow_tally = _tally(slow_tally, slow, counts, window.sampled)
        slow = advance_ratio(slow, counts, settings)
    return msgspec.structs.replace(
        state,
        error=advance_ratio(state.error, errors, settings),
        slow=slow,
        slow_bound_ms=bound,
        baseline=baseline,
        legacy_past=state.legacy_past.add(window.start, errors.legacy, errors.bad_legacy),
        legacy_requests=state.legacy_requests + errors.legacy + window.legacy.cold,
        canary_requests=state.canary_requests + errors.canary + window.canary.cold,
        left_out=note_left_out(state.left_out, LeftOut(COLD, 0, 0.0, window.canary.cold)),
        canary_per_s=_smooth(state, window),
        judged_s=state.judged_s + (window.end - window.start),
        judged_end=max(window.end, state.judged_end or window.end),
        seen_end=max(window.end, state.seen_end or window.end),
        unfit="",
        failed_tally=_tally(state.failed_tally, state.error, errors, window.sampled),
        slow_tally=slow_tally,
    )


def _tally(tally: Tally, seen: RatioEvidence, counts: Counts, sampled: float) -> Tally:
    """The tally after one more window. A state that an older version wrote has none of its own."""
    before = seen.seen
    if tally.whole is None and before is not None:
        whole = Part(
            before.since,
            before.until,
            before.until - before.since,
            before.legacy,
            before.canary,
            before.bad_legacy,
            before.bad_canary,
        )
        tally = Tally(whole)
    return tally.add(counts, sampled)


def dismiss(
    state: EvidenceState, dismissal: Dismissal, settings: EvidenceSettings
) -> EvidenceState:
    """The evidence after a person has dismissed what was proven: those tests begin anew.

    The same state where that is nothing: the dismissal is of an earlier split, or what it was of is
    gone. What is proven a little later counts as dismissed too: minutes prove later than seconds.
    """
    if dismissal.at <= state.began_at:
        return state
    gone = tuple(
        d
        for d in state.proven
        if d.metric in dismissal.metrics and d.at <= dismissal.at + DISMISSED_LATE_S
    )
    if not gone:
        return state
    names = {d.metric for d in gone}
    error, slow, scores = state.error, state.slow, state.score
    if "errors" in names:
        error = forget_proof(error, settings, state.legacy_past)
    if "slow" in names:
        slow = forget_proof(slow, settings)
    if "score" in names:
        scores = forget_score_proof(scores)
    return msgspec.structs.replace(
        state,
        error=error,
        slow=slow,
        score=scores,
        earlier=(*state.earlier, *gone)[-_DETECTIONS_KEPT:],
    )


def open_past(state: EvidenceState) -> EvidenceState:
    """Before a long past that is read in one go: keep enough for what comes after it."""
    return _with_each_test(state, ratio.reserve)


def close_past(state: EvidenceState) -> EvidenceState:
    """After that past: what comes now is a start of its own."""
    return _with_each_test(state, ratio.rebase)


def _with_each_test(
    state: EvidenceState, change: Callable[[RatioTest], RatioTest]
) -> EvidenceState:
    both = (
        msgspec.structs.replace(
            each, regression=change(each.regression), no_worse=change(each.no_worse)
        )
        for each in (state.error, state.slow)
    )
    error, slow = both
    return msgspec.structs.replace(state, error=error, slow=slow)


def advance_scores(
    state: EvidenceState,
    at: float,
    legacy: Distribution | None,
    canary: Distribution | None,
    settings: EvidenceSettings,
) -> EvidenceState:
    """The evidence after the scores of one more period, which ended at `at`. None: no scores."""
    if legacy is None and canary is None:
        return state
    return msgspec.structs.replace(
        state, score=add_scores(state.score, at, legacy, canary, settings)
    )


def _why_left_out(state: EvidenceState, window: EvidenceWindow) -> str:
    """Why the window is not judged; "" when it is. A minute that begins in time is clean."""
    if window.unfit:
        return window.unfit
    if window.start < state.began_at:
        return AFTER_CHANGE
    if window.source == "tail" and window.start < state.set_apart_until:
        return AFTER_CHANGE
    if window.start < state.warm_until:
        return WARM_UP
    return ""


def _leave_out(state: EvidenceState, window: EvidenceWindow, reason: str) -> EvidenceState:
    requests = window.legacy.requests + window.canary.requests
    left_out = LeftOut(reason, 1, window.end - window.start, requests)
    return msgspec.structs.replace(
        state,
        left_out=note_left_out(state.left_out, left_out),
        seen_end=max(window.end, state.seen_end or window.end),
        unfit=window.unfit,
    )


def _note_revisions(
    state: EvidenceState, window: EvidenceWindow, settings: EvidenceSettings
) -> EvidenceState:
    """A Canary revision that was not there before is cold: the next minutes are left out.

    The first one seen says nothing of its age. A cold Legacy only delays an alarm, and every
    change of the split makes a new one where a variable carries it.
    """
    new = tuple(name for name in window.canary.revisions if name not in state.revisions)
    if not new:
        return state
    until = window.start + settings.warm_up_minutes * 60 if state.revisions else state.warm_until
    return msgspec.structs.replace(
        state,
        revisions=(*state.revisions, *new)[-_REVISIONS_KEPT:],
        warm_until=max(state.warm_until, until),
    )


def _fix_bound(
    baseline: Distribution | None, window: EvidenceWindow
) -> tuple[float | None, Distribution | None]:
    gathered = merged(baseline, window.legacy.latency)
    if gathered is None or not _is_enough(gathered):
        return None, gathered
    return slow_bound_ms(gathered), None


def _is_enough(baseline: Distribution | None) -> bool:
    return baseline is not None and baseline.count >= BASELINE_REQUESTS


def _smooth(state: EvidenceState, window: EvidenceWindow) -> float:
    """The mean rate until there is more than RATE_S of it, then one that forgets."""
    length = window.end - window.start
    weight = max(length / (state.judged_s + length), 1.0 - math.exp(-length / RATE_S))
    before = state.canary_per_s or 0.0
    return before + (window.canary.requests / length - before) * weight
