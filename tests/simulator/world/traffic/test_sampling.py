"""Cheap random counts."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.simulator.world.traffic.sampling import EXACT_BELOW, binomial, multinomial, poisson


@given(st.integers(0, 2**32), st.integers(0, 5000), st.floats(-0.5, 1.5))
def test_a_binomial_count_lies_between_none_and_all(seed, trials, ratio):
    assert 0 <= binomial(Random(seed), trials, ratio) <= trials


@given(
    st.integers(0, 2**32),
    st.integers(0, 3000),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40).filter(lambda r: sum(r) > 0.01),
)
def test_a_multinomial_spreads_all_of_the_trials(seed, trials, weights):
    total = sum(weights)
    counts = multinomial(Random(seed), trials, [weight / total for weight in weights])
    assert sum(counts) == trials
    assert min(counts) >= 0


@pytest.mark.parametrize(("trials", "ratio"), [(200, 0.01), (200, 0.3), (200, 0.9), (3000, 0.002)])
def test_a_binomial_has_its_mean_and_spread(trials, ratio):
    rng = Random(1)
    drawn = [binomial(rng, trials, ratio) for _ in range(4000)]
    mean = sum(drawn) / len(drawn)
    spread = math.sqrt(sum((d - mean) ** 2 for d in drawn) / len(drawn))
    expected_spread = math.sqrt(trials * ratio * (1 - ratio))
    assert mean == pytest.approx(trials * ratio, abs=4 * expected_spread / math.sqrt(4000))
    assert spread == pytest.approx(expected_spread, rel=0.08)


@pytest.mark.parametrize("expected", [0.3, EXACT_BELOW, EXACT_BELOW + 0.1, 400.0])
def test_a_poisson_count_has_its_mean(expected):
    rng = Random(2)
    drawn = [poisson(rng, expected) for _ in range(4000)]
    assert sum(drawn) / 4000 == pytest.approx(expected, abs=4 * math.sqrt(expected / 4000))


@pytest.mark.parametrize("expected", [0.0, -1.0])
def test_nothing_expected_is_nothing_drawn(expected):
    assert poisson(Random(3), expected) == 0
