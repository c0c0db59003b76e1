"""All that the evidence of one stretch of a stage has come to: one frozen value, advanced window
by window, each in the same time however long it runs. It starts anew when the split changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import msgspec

from canary.rollout.evidence import dispersion, ratio, score, split
from canary.rollout.evidence.dispersion import Dispersion
from canary.rollout.evidence.ratio import Counts, RatioTest
from canary.rollout.evidence.score import ScoreTest
from canary.rollout.evidence.split import SplitTest
from canary.rollout.evidence.window import EvidenceWindow, slow_bound_ms
from canary.rollout.measure import Distribution, merge
from canary.rollout.plan_evidence import Evidence

SET_APART_S: Final = 30.0
"""So long after a change of the split requests of before are still being answered."""

BASELINE_REQUESTS: Final = 500
"""Legacy's answers from which the bound of "slow" is taken, before anything is tested."""

RATE_S: Final = 600.0
"""The rate of requests is a mean over about this much of the past."""

AFTER_CHANGE = "just after the change"
WARM_UP = "warm-up of a new revision"
_REVISIONS_KEPT = 16


class LeftOut(msgspec.Struct, frozen=True):
    """What was seen and not judged, by reason; `requests` of both sides."""

    reason: str
    windows: int
    seconds: float
    requests: int


class RatioEvidence(msgspec.Struct, frozen=True):
    """Both tests of one kind of bad event, and when each was first proven (cloud time)."""

    regression: RatioTest = ratio.regression_test()
    no_worse: RatioTest = ratio.no_worse_test()
    dispersion: Dispersion = Dispersion()
    proven_at: float | None = None
    passed_at: float | None = None


class ScoreEvidence(msgspec.Struct, frozen=True):
    """The application's score since the start, and when it was first proven worse, or no worse.

    `regression` compares Canary with Legacy; `no_worse` with what lies the smallest effect that
    matters below Legacy.
    """

    legacy: Distribution | None = None
    canary: Distribution | None = None
    regression: ScoreTest = score.compare_scores(None, None)
    no_worse_log_value: float = 0.0
    proven_at: float | None = None
    passed_at: float | None = None


class EvidenceState(msgspec.Struct, frozen=True):
    """The evidence since `began_at` (unix seconds), while Canary's intended share was `share`.

    `baseline` gathers Legacy's latencies until `slow_bound_ms` can be fixed; nothing is tested for
    slowness before. `judged_s` and `seen_end` are of windows that counted and of all windows.
    `canary_per_s` is the recent rate of Canary's requests; None before the first window.
    """

    began_at: float
    share: float
    error: RatioEvidence = RatioEvidence()
    slow: RatioEvidence = RatioEvidence()
    slow_bound_ms: float | None = None
    baseline: Distribution | None = None
    score: ScoreEvidence = ScoreEvidence()
    split: SplitTest = split.start_split_test((1.0, 1.0))
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
) -> EvidenceState:
    """Evidence that has seen nothing.

    `baseline` are Legacy's latencies from before, if they are known: they fix the bound of "slow".
    `before` is what ended with the change: Canary's revisions, and which of them is still cold.
    """
    bound = slow_bound_ms(baseline) if _is_enough(baseline) and baseline is not None else None
    if before is None:
        return EvidenceState(began_at, share, slow_bound_ms=bound)
    return EvidenceState(
        began_at,
        share,
        slow_bound_ms=bound,
        revisions=before.revisions,
        warm_until=before.warm_until,
    )


def advance(state: EvidenceState, window: EvidenceWindow, settings: Evidence) -> EvidenceState:
    """The evidence after one more window, judged or left out."""
    state = _note_revisions(state, window, settings)
    reason = _why_left_out(state, window)
    if reason:
        return _leave_out(state, window, reason)
    errors = window.errors
    bound, baseline, slow = state.slow_bound_ms, state.baseline, state.slow
    if bound is None:
        bound, baseline = _fix_bound(baseline, window)
    else:
        counts = window.slow(bound)
        slow = slow if counts is None else _advance_ratio(slow, counts, settings)
    return msgspec.structs.replace(
        state,
        error=_advance_ratio(state.error, errors, settings),
        slow=slow,
        slow_bound_ms=bound,
        baseline=baseline,
        split=_advance_split(state, errors),
        legacy_requests=state.legacy_requests + errors.legacy,
        canary_requests=state.canary_requests + errors.canary,
        canary_per_s=_smooth(state, window),
        judged_s=state.judged_s + (window.end - window.start),
        judged_end=max(window.end, state.judged_end or window.end),
        seen_end=max(window.end, state.seen_end or window.end),
        unfit="",
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
    settings: Evidence,
) -> EvidenceState:
    """The evidence after the scores of one more period, which ended at `at`. None: no scores."""
    if legacy is None and canary is None:
        return state
    before = state.score
    both = _merged(before.legacy, legacy), _merged(before.canary, canary)
    effect = settings.smallest_score_effect
    regression = score.compare_scores(*both, effect)
    no_worse = _no_worse_log_value(regression, *both, effect)
    proven = regression.is_proven(settings.alpha)
    passed = no_worse >= -math.log(settings.pass_alpha) and regression.canary >= score.MIN_SCORES
    return msgspec.structs.replace(
        state,
        score=ScoreEvidence(
            *both,
            regression,
            no_worse,
            before.proven_at if before.proven_at is not None or not proven else at,
            before.passed_at if before.passed_at is not None or not passed else at,
        ),
    )


def _advance_ratio(before: RatioEvidence, counts: Counts, settings: Evidence) -> RatioEvidence:
    regression = ratio.update(before.regression, counts)
    no_worse = ratio.update(before.no_worse, counts)
    proven_at, passed_at = before.proven_at, before.passed_at
    if proven_at is None and ratio.is_proven(regression, settings.alpha):
        proven_at = counts.end
    if passed_at is None and ratio.is_proven(no_worse, settings.pass_alpha):
        passed_at = counts.end
    spread = dispersion.add(before.dispersion, counts)
    return RatioEvidence(regression, no_worse, spread, proven_at, passed_at)


def _advance_split(state: EvidenceState, counts: Counts) -> SplitTest:
    if not 0 < state.share < 1:
        return state.split
    shares = (1 - state.share, state.share)
    return split.update_split_test(state.split, (counts.legacy, counts.canary), shares)


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
    known = {entry.reason: entry for entry in state.left_out}
    before = known.get(reason, LeftOut(reason, 0, 0.0, 0))
    known[reason] = LeftOut(
        reason,
        before.windows + 1,
        before.seconds + (window.end - window.start),
        before.requests + window.legacy.requests + window.canary.requests,
    )
    return msgspec.structs.replace(
        state,
        left_out=tuple(known.values()),
        seen_end=max(window.end, state.seen_end or window.end),
        unfit=window.unfit,
    )


def _note_revisions(
    state: EvidenceState, window: EvidenceWindow, settings: Evidence
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
    gathered = _merged(baseline, window.legacy.latency)
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


def _merged(before: Distribution | None, more: Distribution | None) -> Distribution | None:
    """Both together; of another layout than before (a deploy changed it) it starts anew."""
    parts = [d for d in (before, more) if d is not None and d.count]
    if len(parts) == 2 and parts[0].bounds != parts[1].bounds:
        parts = parts[1:]
    return merge(parts)


def _no_worse_log_value(
    test: ScoreTest, legacy: Distribution | None, canary: Distribution | None, effect: float
) -> float:
    """log Λ against "Canary's mean lies `effect` below Legacy's", where it looks better than so."""
    if test.difference is None or legacy is None or canary is None:
        return 0.0
    if legacy.variance is None or canary.variance is None or test.difference <= -effect:
        return 0.0
    v = canary.variance / canary.count + legacy.variance / legacy.count
    return score.log_mixture(test.difference + effect, v, effect)
