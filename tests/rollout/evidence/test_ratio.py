import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence import ratio
from canary.rollout.evidence.ratio import Counts, RatioTest


def window(index: int, legacy: int, canary: int, bad_legacy: int, bad_canary: int) -> Counts:
    return Counts(index * 5.0, index * 5.0 + 5.0, legacy, canary, bad_legacy, bad_canary)


def feed(windows: list[Counts], *, late_onset: bool = True) -> RatioTest:
    test = ratio.regression_test()
    for each in windows:
        test = ratio.update(test, each, late_onset=late_onset)
    return test


def replayed_mixture(windows: list[Counts], null: float, alternatives: tuple[float, ...]) -> float:
    """The definition, replayed: Σ_j E_{j:t}/(j(j+1)) + 1/(J+1)."""
    starts: list[int] = []
    for i, each in enumerate(windows):
        if not starts or each.start >= windows[starts[-1]].start + ratio.EPOCH_S:
            starts.append(i)
    total = 1 / (len(starts) + 1)
    for j, begin in enumerate(starts, 1):
        e = 0.0
        for psi in alternatives:
            log = 0.0
            for w in windows[begin:]:
                theta0 = null * w.canary / (null * w.canary + w.legacy)
                theta = psi * w.canary / (psi * w.canary + w.legacy)
                log += w.bad_canary * math.log(theta / theta0)
                log += w.bad_legacy * math.log((1 - theta) / (1 - theta0))
            e += math.exp(log) / len(alternatives)
        total += e / (j * (j + 1))
    return total


counts = st.tuples(st.integers(1, 300), st.integers(1, 30), st.integers(0, 4), st.integers(0, 3))


@given(st.lists(counts, min_size=1, max_size=200))
def test_two_numbers_for_each_alternative_equal_the_replayed_definition(rows):
    windows = [window(i * 7, *row) for i, row in enumerate(rows)]
    expected = replayed_mixture(windows, 1.0, ratio.WORSE_RATIOS)
    assert math.exp(feed(windows).log_value) == pytest.approx(expected, rel=1e-9)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 12))
def test_the_expected_value_of_a_window_under_the_null_is_one(legacy, canary, bad):
    theta = canary / (canary + legacy)
    expected = sum(
        math.comb(bad, k)
        * theta**k
        * (1 - theta) ** (bad - k)
        * math.exp(feed([window(0, legacy, canary, bad - k, k)], late_onset=False).log_value)
        for k in range(bad + 1)
    )
    assert expected == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("empty", [(0, 10, 0, 3), (100, 0, 2, 0)])
def test_a_window_in_which_a_side_is_empty_changes_nothing(empty):
    assert feed([window(0, *empty)]) == ratio.regression_test()


def test_a_test_that_has_seen_nothing_has_the_value_one():
    assert ratio.regression_test().log_value == 0.0


def test_what_was_proven_stays_proven_when_the_value_falls_again():
    bad = [window(i, 95, 5, 0, 3) for i in range(20)]
    good = [window(20 + i, 95, 5, 5, 0) for i in range(200)]
    test = feed(bad + good)
    assert test.log_value < math.log(100)
    assert ratio.is_proven(test, 0.01)


def test_a_sixfold_rise_is_proven_within_a_few_hundred_canary_requests():
    test = feed([window(i, 475, 25, 2, 1 if i % 4 else 0) for i in range(30)])
    assert ratio.is_proven(test, 0.01)
    assert test.canary <= 750


def test_equal_ratios_prove_no_worse_than_twice():
    test = ratio.no_worse_test()
    for i in range(400):
        test = ratio.update(test, window(i, 900, 100, 9, 1))
    assert ratio.is_proven(test, 0.05)


def test_exactly_twice_as_bad_does_not_prove_no_worse_than_twice():
    test = ratio.no_worse_test()
    for i in range(400):
        test = ratio.update(test, window(i, 900, 100, 9, 2))
    assert not ratio.is_proven(test, 0.05)


def test_a_change_of_share_together_with_a_busier_hour_is_not_taken_for_a_regression():
    calm = [window(i, 950, 50, 4, 0 if i % 5 else 1) for i in range(200)]
    busy = [window(200 + i, 500, 500, 15, 15) for i in range(200)]
    assert not ratio.is_proven(feed(calm + busy), 0.01)


def test_the_need_is_zero_once_proven():
    test = feed([window(i, 95, 5, 0, 3) for i in range(20)])
    assert ratio.requests_needed(test, 0.01, 3.0, 0.01) == 0.0


def test_no_need_is_named_when_nothing_grows():
    test = feed([window(0, 95, 5, 1, 0)])
    assert ratio.requests_needed(test, 0.01, 1.0, 0.01) is None


def test_the_need_for_a_sixfold_rise_is_a_few_hundred_requests():
    test = feed([window(0, 1900, 100, 10, 0)])
    need = ratio.requests_needed(test, 0.01, 6.0, 0.005)
    assert need is not None
    assert 100 < need < 500


@given(st.lists(counts, max_size=50), st.sampled_from([0.05, 0.01, 0.001]))
def test_the_strength_stays_between_nothing_and_proof(rows, alpha):
    test = feed([window(i, *row) for i, row in enumerate(rows)])
    assert 0.0 <= ratio.strength(test, alpha) <= 1.0


@given(st.integers(1, 400), st.integers(1, 40), st.integers(1, 8), st.integers(0, 30))
def test_setting_mass_aside_for_after_a_past_keeps_the_expected_value_at_one(
    legacy, canary, bad, epochs
):
    test = ratio.reserve(ratio.regression_test())
    for index in range(epochs):
        test = ratio.update(test, Counts(index * 300.0, index * 300.0 + 5, 100, 10, 0, 0))
    after = ratio.rebase(test)
    assert after.log_value == pytest.approx(test.log_value)
    theta = canary / (canary + legacy)
    expected = sum(
        math.comb(bad, k)
        * theta**k
        * (1 - theta) ** (bad - k)
        * math.exp(ratio.update(after, Counts(1e6, 1e6 + 5, legacy, canary, bad - k, k)).log_value)
        for k in range(bad + 1)
    )
    assert expected == pytest.approx(1.0, rel=1e-9)


def test_about_two_hundred_canary_requests_decide_a_sixfold_rise():
    test = feed([window(0, 19, 1, 0, 0)], late_onset=False)
    need = ratio.requests_needed(test, 0.01, 6.0, 0.005)
    assert need == pytest.approx(200, rel=0.25)


def test_a_pass_needs_two_to_three_thousand_canary_requests():
    test = ratio.update(ratio.no_worse_test(), window(0, 19, 1, 0, 0), late_onset=False)
    need = ratio.requests_needed(test, 0.05, 1.0, 0.005)
    assert need is not None
    assert 2_000 <= need <= 3_000


@given(st.lists(st.sampled_from(["window", "reserve", "rebase"]), min_size=1, max_size=60))
def test_the_mass_stays_one_however_a_past_is_set_apart(steps):
    test, at = ratio.regression_test(), 0.0
    for step in steps:
        if step == "reserve":
            test = ratio.reserve(test)
        elif step == "rebase":
            test = ratio.rebase(test)
        else:
            test = ratio.update(test, Counts(at, at + 300.0, 100, 10, 0, 0))
            assert test.log_value == pytest.approx(0.0, abs=1e-9)
            at += 300.0
