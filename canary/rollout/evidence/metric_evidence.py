"""The evidence of one metric: its tests, and when each first proved something."""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from canary.rollout.evidence import bursts, onset, ratio, score
from canary.rollout.evidence.bursts import BurstTest, LegacyPast
from canary.rollout.evidence.interval import Likelihood
from canary.rollout.evidence.onset import Onset, Stretch
from canary.rollout.evidence.ratio import Counts, RatioTest
from canary.rollout.evidence.score import LateScores, ScoreTest
from canary.rollout.measure.samples import Distribution, merge
from canary.rollout.plan.tables import EvidenceSettings

Metric = Literal["errors", "slow", "score"]

METRICS: Final[tuple[Metric, ...]] = ("errors", "slow", "score")

MOST_CALM: Final = 2.0
"""× log(1∕α): "worse now" is withdrawn when windows have spoken so much for health, however
strong it was. A crash loop of 20 s in every two minutes keeps it up; it goes some minutes after."""

LOG_DOUBT: Final = math.log(3.0)
"""A pass is withdrawn when the test against it has reached 3: it says "now", and costs nothing."""


class RatioEvidence(msgspec.Struct, frozen=True):
    """All tests of one kind of bad event. Times are cloud time; None: not so. `seen` is all of it.

    *Worse now*: `regression` (quick, takes bad events for independent) has reached its limit at
    `worse_at`; `calm` is what must still be made up until that is withdrawn. `onset` is since when
    Canary looks worse, `since_onset` the likelihood of its ratio from there.

    *Proven worse*: `bursts` (one test for each of BLOCKS_S) take any bursts inside their blocks.
    `proven_at` is when the first was complete, `holds_for_s` the longest blocks that are, and
    `proven_on` what there was from the onset to the proof. A proof stays until the split changes.

    *No worse than 2×*: `passed` is the newest stretch that alone proves it, `passed_at` since when
    it has been said without a break; `no_worse` gathers the next stretch, `doubt` speaks against.
    """

    seen: Stretch | None = None
    regression: RatioTest = ratio.regression_test()
    bursts: tuple[BurstTest, ...] = tuple(bursts.start_test(s) for s in bursts.BLOCKS_S)
    likelihood: Likelihood = Likelihood()
    since_onset: Likelihood = Likelihood()
    worse_at: float | None = None
    calm: float = 0.0
    proven_at: float | None = None
    holds_for_s: float | None = None
    onset: Onset = Onset()
    proven_on: Stretch | None = None
    no_worse: RatioTest = ratio.no_worse_test()
    no_worse_since: float | None = None
    doubt: RatioTest = ratio.doubt_test()
    passed: Stretch | None = None
    passed_at: float | None = None


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


def start_ratio(settings: EvidenceSettings, past: LegacyPast | None = None) -> RatioEvidence:
    """Evidence that has seen nothing but Legacy's last hour (None: nothing is known of it)."""
    return RatioEvidence(
        regression=ratio.regression_test(settings.smallest_ratio),
        bursts=tuple(bursts.start_test(s, past, settings.smallest_ratio) for s in bursts.BLOCKS_S),
    )


def advance_ratio(
    before: RatioEvidence, counts: Counts, settings: EvidenceSettings
) -> RatioEvidence:
    """The evidence after one more window."""
    return _advance_pass(_advance_worse(before, counts, settings), counts, settings)


def _advance_worse(
    before: RatioEvidence, counts: Counts, settings: EvidenceSettings
) -> RatioEvidence:
    """Both tiers of "worse" after one more window."""
    limit = -math.log(settings.alpha)
    regression = ratio.update(before.regression, counts)
    began = onset.follow(before.onset, regression, counts)
    since_onset = (
        Likelihood() if began.since != before.onset.since else before.since_onset.add(counts)
    )
    worse_at, calm = before.worse_at, before.calm
    if worse_at is None and regression.log_value >= limit:
        worse_at, calm = counts.end, MOST_CALM * limit
    elif worse_at is not None:
        gain = ratio.log_ratio_of(counts, settings.smallest_ratio, 2 * settings.smallest_ratio)
        calm = min(MOST_CALM * limit, calm + gain)
        if calm <= 0:
            worse_at, regression = None, ratio.regression_test(settings.smallest_ratio)
            began, since_onset = Onset(), Likelihood()
    tests = tuple(bursts.update(test, counts) for test in before.bursts)
    proven = [t.block_s for t in tests if bursts.is_proven(t, settings.alpha)]
    proven_at, proven_on = before.proven_at, before.proven_on
    if proven and proven_at is None:
        proven_at = counts.end
        proven_on = onset.stretch_since(began, regression, counts.end)
    return msgspec.structs.replace(
        before,
        seen=onset.add_counts(before.seen, counts),
        regression=regression,
        bursts=tests,
        likelihood=before.likelihood.add(counts),
        since_onset=since_onset,
        worse_at=worse_at,
        calm=calm,
        proven_at=proven_at,
        holds_for_s=max(proven, default=None),
        onset=began,
        proven_on=proven_on,
    )


def _advance_pass(
    before: RatioEvidence, counts: Counts, settings: EvidenceSettings
) -> RatioEvidence:
    """ "No worse than 2×" after one more window: of a stretch that is named, or withdrawn."""
    no_worse, since = ratio.update(before.no_worse, counts), before.no_worse_since
    if since is None and no_worse.windows:
        since = counts.start
    passed, passed_at, doubt = before.passed, before.passed_at, before.doubt
    if passed is not None:
        doubt = ratio.update(doubt, counts)
    if before.worse_at is not None or doubt.log_value >= LOG_DOUBT:
        passed, passed_at = None, None
        no_worse, since, doubt = ratio.no_worse_test(), None, ratio.doubt_test()
    elif ratio.is_proven(no_worse, settings.pass_alpha) and since is not None:
        passed = Stretch(
            since,
            counts.end,
            no_worse.legacy,
            no_worse.canary,
            no_worse.bad_legacy,
            no_worse.bad_canary,
        )
        passed_at = counts.end if passed_at is None else passed_at
        no_worse, since, doubt = ratio.no_worse_test(), None, ratio.doubt_test()
    return msgspec.structs.replace(
        before,
        no_worse=no_worse,
        no_worse_since=since,
        doubt=doubt,
        passed=passed,
        passed_at=passed_at,
    )


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


def forget_proof(
    evidence: RatioEvidence, settings: EvidenceSettings, past: LegacyPast | None = None
) -> RatioEvidence:
    """Without what is proven: the burst-proof tests begin anew; "worse now" is not touched."""
    return msgspec.structs.replace(
        evidence,
        bursts=start_ratio(settings, past).bursts,
        proven_at=None,
        holds_for_s=None,
        proven_on=None,
    )


def forget_score_proof(evidence: ScoreEvidence) -> ScoreEvidence:
    """Without what is proven: the mixture over starts begins anew with the next period."""
    return msgspec.structs.replace(evidence, late=LateScores(), proven_at=None)


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
