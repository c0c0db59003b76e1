"""What is said of the evidence, for each metric: regression proven, no worse than 2× proven,
undecided and how much more it takes, or inconclusive and why.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from canary.rollout.evidence import ratio, score
from canary.rollout.evidence.metric_evidence import Metric, RatioEvidence, ScoreEvidence
from canary.rollout.evidence.onset import Stretch
from canary.rollout.evidence.state import EvidenceState
from canary.rollout.plan.tables import EvidenceSettings

Word = Literal["rollback", "pass", "undecided", "inconclusive"]

UNFIT_FOR_S: Final = 300.0
"""Nothing fit to be judged for so long, although there is something: inconclusive."""

BURSTS = "bad events of one side come in bursts, which the test would take for a difference"
MISMATCH = "the measured split is not the intended one"
NOBODY = "only one side takes requests: there is nothing to compare"


class MetricVerdict(msgspec.Struct, frozen=True):
    """What is known of one metric.

    `strength` is how far the proof of a regression has come, 0…1 on a log scale; `pass_strength`
    that of "no worse". `requests_needed` and `minutes_needed`: how many more Canary requests the
    nearer of both takes if things go on as they are, and how long that is at today's rate; None
    when nothing grows. `detected_at`: when a regression was first proven, cloud time.
    `legacy_ratio` and `canary_ratio` are bad ÷ all (of `score`: the means); None without requests.
    `proven_on`: what a proven regression rested on when it was proven; None for scores, which are
    compared over all since the change.
    """

    metric: Metric
    verdict: Word
    why: str = ""
    strength: float = 0.0
    pass_strength: float = 0.0
    requests_needed: float | None = None
    minutes_needed: float | None = None
    detected_at: float | None = None
    passed_at: float | None = None
    legacy_ratio: float | None = None
    canary_ratio: float | None = None
    legacy_count: int = 0
    canary_count: int = 0
    proven_on: Stretch | None = None


def judge(state: EvidenceState, settings: EvidenceSettings) -> tuple[MetricVerdict, ...]:
    """One verdict for each metric, in the order of METRICS."""
    common = why_inconclusive(state)
    return (
        _judge_ratio("errors", state.error, state, settings, common),
        _judge_ratio("slow", state.slow, state, settings, common),
        _judge_score(state.score, state, settings, common),
    )


def judge_words(state: EvidenceState) -> tuple[Word, ...]:
    """The verdicts of `judge` alone, for whoever only asks at each window whether one has turned:
    most of the time is spent on how much more a proof takes.
    """
    common = why_inconclusive(state)
    error, slow, scores = state.error, state.slow, state.score
    return (
        _word(_why_ratio(error, common), error.proven_at, error.passed_at),
        _word(_why_ratio(slow, common), slow.proven_at, slow.passed_at),
        _word(common, scores.proven_at, scores.passed_at),
    )


def _why_ratio(evidence: RatioEvidence, common: str) -> str:
    return common or (BURSTS if evidence.dispersion.is_overdispersed else "")


def why_inconclusive(state: EvidenceState) -> str:
    """Why no comparison can be believed now; "" when it can."""
    if not 0 < state.share < 1:
        return NOBODY
    if state.split.is_mismatch:
        return MISMATCH
    since = state.judged_end if state.judged_end is not None else state.set_apart_until
    if state.unfit and state.seen_end is not None and state.seen_end - since >= UNFIT_FOR_S:
        return state.unfit
    return ""


def _judge_ratio(
    metric: Metric,
    evidence: RatioEvidence,
    state: EvidenceState,
    settings: EvidenceSettings,
    common: str,
) -> MetricVerdict:
    test = evidence.regression
    why = _why_ratio(evidence, common)
    needed = None if why else _needed_ratio(evidence, settings)
    word = _word(why, evidence.proven_at, evidence.passed_at)
    if word == "undecided" and not test.windows:
        why = "no request of both sides has been judged yet"
    return MetricVerdict(
        metric=metric,
        verdict=word,
        why=why,
        strength=ratio.strength(test, settings.alpha),
        pass_strength=ratio.strength(evidence.no_worse, settings.pass_alpha),
        requests_needed=needed if word == "undecided" else None,
        minutes_needed=_minutes(needed, state) if word == "undecided" else None,
        detected_at=evidence.proven_at,
        passed_at=evidence.passed_at,
        legacy_ratio=test.bad_legacy / test.legacy if test.legacy else None,
        canary_ratio=test.bad_canary / test.canary if test.canary else None,
        legacy_count=test.legacy,
        canary_count=test.canary,
        proven_on=evidence.proven_on,
    )


def _judge_score(
    evidence: ScoreEvidence, state: EvidenceState, settings: EvidenceSettings, common: str
) -> MetricVerdict:
    test = evidence.regression
    word = _word(common, evidence.proven_at, evidence.passed_at)
    why = common
    if word == "undecided" and test.difference is None:
        why = "no scores of both sides are known yet"
    needed = _needed_score(evidence, settings) if word == "undecided" else None
    limit, pass_limit = -math.log(settings.alpha), -math.log(settings.pass_alpha)
    return MetricVerdict(
        metric="score",
        verdict=word,
        why=why,
        strength=1.0 if evidence.proven_at else _share(evidence.late.log_value, limit),
        pass_strength=(
            1.0 if evidence.passed_at else _share(evidence.no_worse_log_value, pass_limit)
        ),
        requests_needed=needed,
        minutes_needed=_minutes(needed, state),
        detected_at=evidence.proven_at,
        passed_at=evidence.passed_at,
        legacy_ratio=evidence.legacy.mean if evidence.legacy else None,
        canary_ratio=evidence.canary.mean if evidence.canary else None,
        legacy_count=test.legacy,
        canary_count=test.canary,
    )


def _word(why: str, proven_at: float | None, passed_at: float | None) -> Word:
    if why:
        return "inconclusive"
    if proven_at is not None:
        return "rollback"
    return "undecided" if passed_at is None else "pass"


def _needed_ratio(evidence: RatioEvidence, settings: EvidenceSettings) -> float | None:
    """The fewer of the Canary requests for either proof, if the ratios stay as they look."""
    test = evidence.regression
    if not test.canary or not test.legacy:
        return None
    # Half an event more on both sides: without any on one the ratio would be 0 or infinite.
    legacy = (test.bad_legacy + 0.5) / test.legacy
    worse = (test.bad_canary + 0.5) / test.canary / legacy
    both = (
        ratio.requests_needed(test, settings.alpha, worse, legacy),
        ratio.requests_needed(evidence.no_worse, settings.pass_alpha, worse, legacy),
    )
    return min((n for n in both if n is not None), default=None)


def _needed_score(evidence: ScoreEvidence, settings: EvidenceSettings) -> float | None:
    """Canary scores until one of both proofs, with both sides growing alike."""
    legacy, canary, test = evidence.legacy, evidence.canary, evidence.regression
    if test.difference is None or legacy is None or canary is None or not canary.count:
        return None
    v = (canary.variance or 0.0) / canary.count + (legacy.variance or 0.0) / max(1, legacy.count)
    effect = settings.smallest_score_effect
    targets = (
        (min(0.0, test.difference), -math.log(settings.alpha)),
        (max(0.0, test.difference + effect), -math.log(settings.pass_alpha)),
    )
    times = [_times_until(d, v, effect, limit) for d, limit in targets if d]
    least = min((t for t in times if t is not None), default=None)
    if least is None:
        return None
    return max(float(score.MIN_SCORES), canary.count * least) - canary.count


def _times_until(difference: float, variance: float, effect: float, limit: float) -> float | None:
    """How many times as many scores it takes until log Λ reaches `limit`; None within 2²⁰."""
    if variance <= 0:
        return None
    for step in range(81):
        times = math.pow(2.0, step / 4)
        if score.log_mixture(difference, variance / times, effect) >= limit:
            return times
    return None


def _minutes(needed: float | None, state: EvidenceState) -> float | None:
    if needed is None or not state.canary_per_s:
        return None
    return needed / state.canary_per_s / 60


def _share(value: float, limit: float) -> float:
    return min(1.0, max(0.0, value / limit))
