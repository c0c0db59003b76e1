"""Cheap draws: counts, latencies, confidence, utilisation."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.simulator.world.traffic.minute import CONFIDENCE_BOUNDS, LATENCY_BOUNDS_MS, RATIO_BOUNDS
from canary.simulator.world.traffic.sampling import (
    EXACT_BELOW,
    Z95,
    binomial,
    bucket_of,
    bucket_of_ratio,
    confidence_buckets,
    draw,
    draw_score,
    latency_buckets,
    log_normal,
    multinomial,
    poisson,
    ratios,
)


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


@pytest.mark.parametrize(("mean", "p95"), [(450.0, 1200.0), (220.0, 600.0)])
def test_a_log_normal_has_the_mean_and_p95_that_were_asked_for(mean, p95):
    median, sigma = log_normal(mean, p95)
    assert median * math.exp(sigma**2 / 2) == pytest.approx(mean)
    assert median * math.exp(Z95 * sigma) == pytest.approx(p95)


@given(st.floats(1.0, 1e6), st.floats(0.1, 1.5))
def test_the_chances_of_the_latency_buckets_sum_to_1(median, sigma):
    assert sum(latency_buckets(median, sigma).chances) == pytest.approx(1.0)


@given(st.floats(20.0, 50_000.0), st.floats(0.3, 1.2))
def test_the_mean_of_a_latency_bucket_lies_inside_it(median, sigma):
    buckets = latency_buckets(median, sigma)
    for offset, mean in enumerate(buckets.means):
        index = buckets.first + offset
        low = LATENCY_BOUNDS_MS[index - 1] if index else 0.0
        assert low <= mean * 1.0001
        if index < len(LATENCY_BOUNDS_MS):
            assert mean <= LATENCY_BOUNDS_MS[index] * 1.0001


@pytest.mark.parametrize("mean", [0.1, 0.55, 0.72, 0.85, 0.97])
def test_confidence_has_the_mean_that_was_asked_for(mean):
    drawn = draw(Random(1), confidence_buckets(mean), 100_000)
    assert drawn.mean == pytest.approx(mean, abs=0.003)
    rng = Random(2)
    assert sum(draw_score(rng, mean) for _ in range(5000)) / 5000 == pytest.approx(mean, abs=0.01)


@given(st.integers(0, 2**32), st.integers(0, 4000))
def test_a_draw_has_as_many_values_as_were_asked_for(seed, count):
    drawn = draw(Random(seed), latency_buckets(158.0, 0.8), count)
    assert drawn.count == count
    assert drawn.squared_deviation >= 0.0
    assert not drawn.counts or drawn.counts[-1] > 0


@given(st.lists(st.floats(-0.2, 1.2), max_size=20))
def test_utilisations_stay_within_0_and_1_and_in_finite_buckets(values):
    drawn = ratios(values)
    assert drawn.count == len(values)
    assert 0.0 <= drawn.sum <= len(values)
    assert len(drawn.counts) <= len(RATIO_BOUNDS)


@pytest.mark.parametrize(
    ("value", "index"), [(0.0, 1), (0.05, 2), (0.15, 4), (0.9999, 20), (1.0, 20)]
)
def test_a_ratio_on_a_bound_counts_in_the_bucket_above_and_1_in_the_last(value, index):
    assert bucket_of_ratio(value) == index
    assert len(CONFIDENCE_BOUNDS) == 21


@pytest.mark.parametrize(("value", "index"), [(0.5, 0), (1.0, 1), (1.4, 2), (1e12, 67)])
def test_a_latency_on_a_bound_counts_in_the_bucket_above(value, index):
    assert bucket_of(LATENCY_BOUNDS_MS, value) == index
