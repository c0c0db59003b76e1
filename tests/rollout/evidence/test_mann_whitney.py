import math
from itertools import product
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence.mann_whitney import estimate_shift, find_root


def test_the_published_interval_of_separate_samples_is_reproduced():
    # spinnaker/kayenta, MannWhitneySuite.scala
    shift = estimate_shift([10, 20, 30, 40], [1, 2, 3, 4], 0.95)
    assert shift is not None
    assert (shift.low, shift.high) == (6.0, 39.0)
    assert shift.estimate == pytest.approx(22.5, abs=1e-4)


@pytest.mark.parametrize(("first", "second"), [([], [1.0]), ([1.0], [])])
def test_an_empty_sample_has_no_shift(first, second):
    assert estimate_shift(first, second) is None


def test_equal_constants_have_no_shift_but_zero():
    shift = estimate_shift([2.0, 2.0], [2.0, 2.0])
    assert shift is not None
    assert (shift.low, shift.high, shift.estimate) == (0, 0, 0)


values = st.lists(st.integers(-50, 50).map(float), min_size=3, max_size=12)


@given(values, values)
def test_the_estimate_lies_inside_its_interval_and_the_range_of_differences(first, second):
    shift = estimate_shift(first, second)
    assert shift is not None
    differences = [x - y for x, y in product(first, second)]
    assert min(differences) - 1e-3 <= shift.low <= shift.estimate + 1e-3
    assert shift.estimate - 1e-3 <= shift.high <= max(differences) + 1e-3


def test_the_estimate_is_near_the_median_of_the_pairwise_differences():
    first, second = [1.1, 2.5, 3.7, 8.2, 9.9, 12.3], [0.3, 1.9, 2.2, 5.0, 7.4]
    shift = estimate_shift(first, second)
    assert shift is not None
    expected = median(x - y for x, y in product(first, second))
    assert shift.estimate == pytest.approx(expected, abs=0.5)


def test_a_root_is_found_to_the_tolerance():
    assert find_root(lambda x: math.cos(x) - x, 0.0, 1.0) == pytest.approx(0.739085, abs=1e-4)


def test_equal_signs_at_both_ends_are_refused():
    with pytest.raises(ValueError, match="same sign"):
        find_root(lambda x: x * x + 1, -1.0, 1.0)
