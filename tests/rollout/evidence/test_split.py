import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence import split

SHARES = (0.4, 0.4, 0.2)
WINDOWS = ((20, 17, 9), (18, 21, 8))


def test_the_published_log_marginals_are_reproduced():
    # optimizely/ssrm, ssrm_test/test_ssrm_test.py
    test = split.start_split_test((1.0, 1.0, 1.0))
    alternative = null = 0.0
    seen = []
    for counts in WINDOWS:
        alternative += split.log_marginal_alternative(test.pseudo, counts)
        null += split.log_marginal_null(SHARES, counts)
        test = split.update_split_test(test, counts, SHARES)
        seen.append((round(alternative, 6), round(null, 6)))
    assert seen == [(-7.028201, -4.077641), (-11.947848, -8.265947)]
    assert test.log_factor == pytest.approx(alternative - null)


def test_the_intended_split_is_no_mismatch():
    test = split.start_split_test((1.0, 1.0))
    for _ in range(500):
        test = split.update_split_test(test, (90, 10), (0.9, 0.1))
    assert not test.is_mismatch


def test_half_the_intended_share_is_a_mismatch_within_a_few_hundred_requests():
    test = split.start_split_test((1.0, 1.0))
    for _ in range(8):
        test = split.update_split_test(test, (95, 5), (0.9, 0.1))
    assert test.is_mismatch


def test_a_request_where_none_was_intended_is_a_mismatch_at_once():
    test = split.update_split_test(split.start_split_test((1.0, 1.0)), (99, 1), (1.0, 0.0))
    assert test.log_factor == math.inf
    assert test.is_mismatch


@given(st.integers(0, 30), st.floats(0.05, 0.95))
def test_the_expected_factor_of_a_window_under_the_intended_shares_is_one(total, share):
    start = split.start_split_test((1.0, 1.0))
    expected = sum(
        math.exp(split.log_marginal_null((share, 1 - share), (k, total - k)))
        * math.exp(split.update_split_test(start, (k, total - k), (share, 1 - share)).log_factor)
        for k in range(total + 1)
    )
    assert expected == pytest.approx(1.0, rel=1e-6)
