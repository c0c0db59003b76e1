"""The burst-proof test: worked numbers to six digits, and what it must not depend on."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence.bursts import BurstTest, LegacyPast, is_proven, start_test, update
from canary.rollout.evidence.ratio import Counts

PAST = LegacyPast(((-300.0, 342_000, 1710),))


def whole(test: BurstTest, *blocks: tuple[int, int, int, int]) -> list[float]:
    """log E after each whole block of (n_l, n_c, l, c), from the second 0 on."""
    values = []
    for i, (legacy, canary, bad_legacy, bad_canary) in enumerate(blocks):
        window = Counts(i * 60.0, i * 60.0 + 60.0, legacy, canary, bad_legacy, bad_canary)
        test = update(test, window)
        values.append(test.log_value)
    return values


@pytest.mark.parametrize(
    ("past", "blocks", "log_values"),
    [
        (None, [(5700, 300, 28, 1)], [-0.099630]),
        (None, [(5700, 300, 28, 9)], [0.852947]),
        (None, [(5700, 300, 28, 9)] * 5, [0.852947, 2.099082, 3.544730, 5.069267, 6.626419]),
        (PAST, [(5700, 300, 14, 9)] * 5, [0.864591, 2.128472, 3.592268, 5.134293, 6.708555]),
        (PAST, [(5700, 300, 28, 2)], [0.081898]),
        (PAST, [(5700, 300, 28, 2), (5700, 300, 28, 150)], [0.081898, 1.011366]),
        (PAST, [(5700, 300, 570, 30)] * 3, [-0.000482, -0.000963, -0.001444]),
        (PAST, [(5700, 0, 28, 0), (5700, 300, 28, 9)], [0.0, 0.852947]),
    ],
)
def test_the_worked_numbers_of_whole_blocks(
    past: LegacyPast | None, blocks: list[tuple[int, int, int, int]], log_values: list[float]
) -> None:
    assert whole(start_test(60.0, past), *blocks) == pytest.approx(log_values, abs=5e-7)


def test_a_storm_and_then_health_again() -> None:
    blocks = [(5700, 300, 28, c) for c in (2, 150, 1)]
    assert whole(start_test(60.0, PAST), *blocks) == pytest.approx(
        [0.081898, 1.011366, 0.806327], abs=5e-7
    )


def test_looked_at_inside_a_block_it_rises_to_its_value() -> None:
    test, values = start_test(60.0, PAST), []
    for i in range(12):
        test = update(test, Counts(i * 5.0, i * 5.0 + 5.0, 475, 25, 2, 1))
        values.append(test.log_value)
    first_half = [-0.139102, 0.070769, 0.242694, 0.377000, 0.495386, 0.601228]
    second_half = [0.696932, 0.784271, 0.864591, 0.864997, 0.864997, 0.864997]
    assert values == pytest.approx([*first_half, *second_half], abs=5e-7)


def test_a_healthy_half_hour_delays_the_proof_by_little() -> None:
    healthy = [(5700, 300, 28, 2 - i % 2) for i in range(30)]
    values = whole(start_test(60.0, PAST), *healthy, *[(5700, 300, 28, 9)] * 7)
    assert values[29] == pytest.approx(-0.550747, abs=5e-7)
    assert values[30:] == pytest.approx(
        [0.411932, 1.624050, 2.996461, 4.461515, 5.979314, 7.527621, 9.093821], abs=5e-7
    )


def test_less_than_three_blocks_prove_nothing_whatever_happens_in_them() -> None:
    test = start_test(60.0, PAST)
    for i in range(3):
        test = update(test, Counts(i * 60.0, i * 60.0 + 60.0, 5700, 300, 28, 300))
    assert not is_proven(test, 0.01)
    test = update(test, Counts(180.0, 240.0, 5700, 300, 28, 300))
    assert is_proven(test, 0.01)


def test_what_was_proven_stays_proven() -> None:
    test = start_test(60.0, PAST)
    for i in range(8):
        test = update(test, Counts(i * 60.0, i * 60.0 + 60.0, 5700, 300, 28, 9 if i < 6 else 0))
    assert is_proven(test, 0.01)


@given(st.lists(st.integers(0, 25), min_size=12, max_size=12), st.randoms(use_true_random=False))
def test_how_bad_requests_are_spread_inside_a_block_is_free(
    bad: list[int], order: random.Random
) -> None:
    shuffled = list(bad)
    order.shuffle(shuffled)
    ends = []
    for spread in (bad, shuffled):
        test = start_test(60.0, PAST)
        for i, c in enumerate(spread):
            test = update(test, Counts(i * 5.0, i * 5.0 + 5.0, 475, 25, 2, c))
        ends.append(test.log_value)
    assert ends[0] == pytest.approx(ends[1])


def test_the_mass_is_one_before_anything_is_seen_and_after_blocks_that_say_nothing() -> None:
    test = start_test(300.0)
    for i in range(200):
        test = update(test, Counts(i * 300.0, i * 300.0 + 300.0, 100, 0, 1, 0))
    assert test.log_value == pytest.approx(0.0, abs=1e-9)
    assert math.isfinite(test.log_value)


def test_the_past_forgets_what_is_older_than_an_hour() -> None:
    past = LegacyPast()
    for minute in range(180):
        past = past.add(minute * 60.0, 100, 1)
    assert 6000 - 500 <= past.requests <= 6000 + 500
    assert past.bad == past.requests // 100
