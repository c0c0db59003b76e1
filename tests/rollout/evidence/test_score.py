import math

import pytest

from canary.rollout.evidence import score
from canary.rollout.measure.samples import Distribution


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
