import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence import dispersion
from canary.rollout.evidence.dispersion import Dispersion, pair_moments
from canary.rollout.evidence.ratio import Counts
from canary.simulator.world.traffic.sampling import poisson


def counts(index: int, bad_legacy: int, bad_canary: int) -> Counts:
    return Counts(index * 5.0, index * 5.0 + 5.0, 2000, 200, bad_legacy, bad_canary)


def watch(rates, seed: int = 1) -> Dispersion:
    rng, seen = Random(seed), Dispersion()
    for index, (legacy, canary) in enumerate(rates):
        seen = dispersion.add(seen, counts(index, poisson(rng, legacy), poisson(rng, canary)))
    return seen


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8))
def test_the_moments_of_a_pair_are_those_of_all_ways_to_deal_its_events(b1, b2, canary):
    total = b1 + b2
    canary = min(canary, total - 1)
    ways = [
        (math.comb(b1, x) * math.comb(b2, canary - x), x)
        for x in range(max(0, canary - b2), min(b1, canary) + 1)
    ]
    everything = sum(w for w, _ in ways)
    mean = sum(w * x for w, x in ways) / everything
    variance = sum(w * (x - mean) ** 2 for w, x in ways) / everything
    x = ways[0][1]
    found = pair_moments((b1 - x, x), (b2 - (canary - x), canary - x))
    assert found == (pytest.approx((x - mean) ** 2), pytest.approx(variance))


@pytest.mark.parametrize(("one", "other"), [((0, 0), (3, 1)), ((3, 0), (2, 0)), ((0, 2), (0, 4))])
def test_a_pair_whose_margins_leave_no_freedom_says_nothing(one, other):
    assert pair_moments(one, other) is None


@pytest.mark.parametrize("seed", range(10))
def test_single_events_are_no_bursts(seed):
    assert not watch([(6.0, 3.0)] * 1500, seed).is_overdispersed


@pytest.mark.parametrize("seed", range(5))
def test_a_step_in_canarys_rate_is_no_burst(seed):
    assert not watch([(10.0, 0.6)] * 400 + [(10.0, 3.8)] * 400, seed).is_overdispersed


@pytest.mark.parametrize("seed", range(5))
def test_bursts_that_both_sides_share_are_none_of_one_side(seed):
    rng = Random(seed)
    shared = [rng.gammavariate(1.0, 1.0) for _ in range(1500)]
    assert not watch([(10 * m, 3 * m) for m in shared], seed).is_overdispersed


@pytest.mark.parametrize("length", [1, 12], ids=["5 s", "a minute"])
@pytest.mark.parametrize("seed", range(5))
def test_bursts_of_one_side_alone_are_seen(seed, length):
    rng = Random(seed)
    own = [rng.gammavariate(1.0, 1.0) for _ in range(1500 // length + 1)]
    seen = watch([(10.0, 3.0 * own[i // length]) for i in range(1500)], seed)
    assert seen.is_overdispersed


def test_windows_that_come_out_of_order_are_bins_of_their_own():
    late = dispersion.add(watch([(6.0, 3.0)] * 10), counts(0, 5, 5))
    assert late.scales[0].bin == (5, 5)


def test_nothing_is_said_of_a_few_pairs():
    assert not watch([(20.0, 0.0), (0.0, 20.0)] * 5).is_overdispersed
