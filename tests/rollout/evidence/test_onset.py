"""Since when Canary looks worse: the mark that a late proof is told from."""

from random import Random

import pytest

from canary.rollout.evidence import onset, ratio
from canary.rollout.evidence.onset import Onset
from tests.rollout.evidence.windows import BEGAN, drawn


def follow(rng: Random, healthy: int, worse: int, canary: float):
    """(mark, test, end) after so many windows of 5 s."""
    mark, test, end = Onset(), ratio.regression_test(), BEGAN
    for index in range(healthy + worse):
        bad = canary if index >= healthy else 0.005
        window = drawn(rng, 5 * index, 100, 0.005, bad).errors
        test = ratio.update(test, window)
        mark, end = onset.follow(mark, test, window), window.end
    return mark, test, end


def test_before_the_first_window_nothing_is_known():
    assert onset.stretch_since(Onset(), ratio.regression_test(), BEGAN) is None


@pytest.mark.parametrize("seed", range(5))
def test_after_hours_of_health_the_mark_is_where_it_became_worse(seed):
    mark, test, end = follow(Random(seed), 1440, 40, 0.03)
    since = onset.stretch_since(mark, test, end)
    assert since.since == pytest.approx(BEGAN + 7200, abs=150)
    assert since.canary_ratio > 3 * since.legacy_ratio


def test_of_what_is_bad_from_the_beginning_all_is_told():
    mark, test, end = follow(Random(3), 0, 60, 0.05)
    since = onset.stretch_since(mark, test, end)
    assert since.since <= BEGAN + 30
    assert since.canary >= 0.8 * test.canary


def test_the_stretch_and_what_was_before_it_are_all_there_was():
    mark, test, end = follow(Random(4), 200, 50, 0.03)
    since = onset.stretch_since(mark, test, end)
    assert (mark.legacy + since.legacy, mark.canary + since.canary) == (test.legacy, test.canary)
    assert mark.bad_canary + since.bad_canary == test.bad_canary
