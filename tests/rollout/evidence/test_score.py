import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence import score
from canary.rollout.evidence.metric_evidence import ScoreEvidence, add_scores
from canary.rollout.measure.samples import Distribution
from canary.rollout.plan.tables import EvidenceSettings


def scores(count: int, mean: float, deviation: float = 0.1) -> Distribution:
    return Distribution((0.5, 1.0), (0, count), count, mean, deviation**2 * (count - 1))


def test_the_mixture_is_the_formula():
    v, tau2, delta = 0.0004, 0.0025, -0.06
    expected = 0.5 * math.log(v / (v + tau2)) + tau2 * delta**2 / (2 * v * (v + tau2))
    assert score.log_mixture(delta, v, 0.05) == pytest.approx(expected)


def test_a_lower_score_of_canary_is_proven():
    assert score.compare_scores(scores(5000, 0.85), scores(400, 0.80)).is_proven(0.01)


def test_a_higher_score_of_canary_is_no_regression():
    assert not score.compare_scores(scores(5000, 0.80), scores(400, 0.85)).is_proven(0.01)


@pytest.mark.parametrize(("count", "proven"), [(99, False), (100, True)])
def test_at_least_a_hundred_canary_scores_are_asked_for(count, proven):
    test = score.compare_scores(scores(5000, 0.85), scores(count, 0.5))
    assert test.is_proven(0.01) is proven


@pytest.mark.parametrize("canary", [None, scores(1, 0.2)])
def test_without_two_scores_nothing_is_said(canary):
    test = score.compare_scores(scores(5000, 0.85), canary)
    assert test.difference is None
    assert test.log_value == 0.0


def test_scores_without_any_spread_say_nothing():
    assert score.compare_scores(scores(100, 0.8, 0.0), scores(100, 0.7, 0.0)).log_value == 0.0


def minutes(evidence: ScoreEvidence, first: int, last: int, canary_mean: float) -> ScoreEvidence:
    """Minutes `first` … `last`: 1 140 scores of Legacy with a mean of 0.85, 60 of Canary."""
    for minute in range(first, last):
        legacy, canary = scores(1140, 0.85, 0.12), scores(60, canary_mean, 0.12)
        evidence = add_scores(evidence, (minute + 1) * 60.0, legacy, canary, EvidenceSettings())
    return evidence


@pytest.mark.parametrize("healthy_minutes", [0, 60, 1440, 4320])
def test_a_drop_is_proven_in_minutes_however_long_it_was_well(healthy_minutes):
    healthy = minutes(ScoreEvidence(), 0, healthy_minutes, 0.85)
    assert healthy.proven_at is None
    dropped = minutes(healthy, healthy_minutes, healthy_minutes + 7, 0.80)
    assert dropped.proven_at is not None
    assert dropped.late.since is not None
    assert dropped.late.since >= (healthy_minutes - 5) * 60.0


def test_the_starts_that_are_kept_are_few_however_long_it_runs():
    evidence = minutes(ScoreEvidence(), 0, 7 * 1440, 0.85)
    assert evidence.late.begun == 7 * 288
    assert len(evidence.late.starts) < 150
    assert evidence.late.starts[0].number == 1


def test_of_another_layout_the_starts_begin_anew():
    evidence = minutes(ScoreEvidence(), 0, 60, 0.85)
    other = Distribution((0.3, 1.0), (0, 60), 60, 0.5, 0.8)
    assert add_scores(evidence, 3660.0, other, other, EvidenceSettings()).late.begun == 1


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=40))
def test_before_a_hundred_scores_of_its_own_a_start_says_nothing(means):
    late, before = score.LateScores(), (score.Moments(), score.Moments())
    for i, mean in enumerate(means):
        more = score.moments_of(scores(2, mean))
        after = tuple(
            score.Moments(m.count + 2, m.total + more.total, m.squares + more.squares)
            for m in before
        )
        late = score.update_late(late, i * 60.0, before, after, 0.05)
        before = after
    assert late.log_value <= 1e-12
    assert late.difference is None
