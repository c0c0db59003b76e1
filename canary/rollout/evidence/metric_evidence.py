"""The evidence of one metric: its tests, and when each first proved something."""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from canary.rollout.evidence import dispersion, onset, ratio, score
from canary.rollout.evidence.dispersion import Dispersion
from canary.rollout.evidence.onset import Onset, Stretch
from canary.rollout.evidence.ratio import Counts, RatioTest
from canary.rollout.evidence.score import LateScores, ScoreTest
from canary.rollout.measure.samples import Distribution, merge
from canary.rollout.plan.tables import EvidenceSettings

Metric = Literal["errors", "slow", "score"]

METRICS: Final[tuple[Metric, ...]] = ("errors", "slow", "score")


class RatioEvidence(msgspec.Struct, frozen=True):
    """Both tests of one kind of bad event, and when each was first proven (cloud time).

    `onset` is since when Canary looks worse; `proven_on` what there was from there to the proof.
    """

    regression: RatioTest = ratio.regression_test()
    no_worse: RatioTest = ratio.no_worse_test()
    dispersion: Dispersion = Dispersion()
    proven_at: float | None = None
    passed_at: float | None = None
    onset: Onset = Onset()
    proven_on: Stretch | None = None


class ScoreEvidence(msgspec.Struct, frozen=True):
    """The application's score since the start, and when it was first proven worse, or no worse.

    `regression` compares all since then, `late` is its mixture over starts, which proves;
    `seen_at` is the end of the newest period. `no_worse` compares with what lies the smallest
    effect that matters below Legacy.
    """

    legacy: Distribution | None = None
    canary: Distribution | None = None
    regression: ScoreTest = score.compare_scores(None, None)
    late: LateScores = LateScores()
    no_worse_log_value: float = 0.0
    proven_at: float | None = None
    passed_at: float | None = None
    seen_at: float | None = None


def advance_ratio(
    before: RatioEvidence, counts: Counts, settings: EvidenceSettings
) -> RatioEvidence:
    """The evidence after one more window."""
    regression = ratio.update(before.regression, counts)
    no_worse = ratio.update(before.no_worse, counts)
    began = onset.follow(before.onset, regression, counts)
    proven_at, passed_at, proven_on = before.proven_at, before.passed_at, before.proven_on
    if proven_at is None and ratio.is_proven(regression, settings.alpha):
        proven_at = counts.end
        proven_on = onset.stretch_since(began, regression, counts.end)
    if passed_at is None and ratio.is_proven(no_worse, settings.pass_alpha):
        passed_at = counts.end
    spread = dispersion.add(before.dispersion, counts)
    return RatioEvidence(regression, no_worse, spread, proven_at, passed_at, began, proven_on)


def add_scores(
    before: ScoreEvidence,
    at: float,
    legacy: Distribution | None,
    canary: Distribution | None,
    settings: EvidenceSettings,
) -> ScoreEvidence:
    """The evidence after the scores of one more period, which ended at `at`. None: no scores."""
    both = merged(before.legacy, legacy), merged(before.canary, canary)
    effect = settings.smallest_score_effect
    regression = score.compare_scores(*both, effect)
    late = _advance_late(before, at, both, effect)
    no_worse = _no_worse_log_value(regression, *both, effect)
    proven = late.is_proven(settings.alpha)
    passed = no_worse >= -math.log(settings.pass_alpha) and regression.canary >= score.MIN_SCORES
    return ScoreEvidence(
        *both,
        regression,
        late,
        no_worse,
        before.proven_at if before.proven_at is not None or not proven else at,
        before.passed_at if before.passed_at is not None or not passed else at,
        at,
    )


def _advance_late(
    before: ScoreEvidence,
    at: float,
    after: tuple[Distribution | None, Distribution | None],
    effect: float,
) -> LateScores:
    """The mixture over starts after one more period; of another layout it starts anew."""
    began = at if before.seen_at is None else before.seen_at
    moments = score.moments_of(after[0]), score.moments_of(after[1])
    were = score.moments_of(before.legacy), score.moments_of(before.canary)
    if any(is_.count < was.count for is_, was in zip(moments, were, strict=True)):
        return score.update_late(LateScores(), began, (score.Moments(),) * 2, moments, effect)
    return score.update_late(before.late, began, were, moments, effect)


def merged(before: Distribution | None, more: Distribution | None) -> Distribution | None:
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
