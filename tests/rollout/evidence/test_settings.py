"""The numbers that the comparison is built on are the documented ones."""

from canary.rollout.evidence import ratio, score, split
from canary.rollout.plan.tables import EvidenceSettings


def test_the_alternatives_of_a_regression_are_the_documented_ones():
    assert ratio.WORSE_RATIOS == (1.5, 2, 3, 4, 6, 8, 12, 20)
    assert ratio.regression_test().null == 1.0


def test_no_worse_means_not_twice_as_bad():
    assert ratio.NOT_WORSE_RATIOS == (0.25, 0.5, 0.75, 1, 1.25)
    assert ratio.no_worse_test().null == 2.0


def test_a_new_start_is_mixed_in_every_five_minutes():
    assert ratio.EPOCH_S == 300


def test_the_smallest_score_effect_and_the_least_scores_are_005_and_100():
    assert (EvidenceSettings().smallest_score_effect, score.SMALLEST_EFFECT) == (0.05, 0.05)
    assert score.MIN_SCORES == 100


def test_alarms_spend_one_percent_and_passes_five_and_the_split_a_thousandth():
    assert (EvidenceSettings().alpha, EvidenceSettings().pass_alpha, split.ALPHA) == (
        0.01,
        0.05,
        0.001,
    )
