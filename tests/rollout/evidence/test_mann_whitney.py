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


# Minutes of two sides with R's own interval beside them; spinnaker/kayenta, MannWhitneySuite.scala,
# "Tie out with R Version".
def numbers(text: str) -> list[float]:
    return [float(each) for each in text.split()]


CONTROL = numbers(
    """
    1.5 6 5 2.5 2.5 2 2 3.5 3 3 3 2 3 8 4 2.5 3 2.5 2.5 2 2.5 2 2 2.5 3.5 3 1.5 5 2.5 5.5 2
    2.5 3.5 2 2.5 4 2 2 2 2 5.5 4.5 4 3 3 3.5 2.5 3 2.5 4 6 2 5 6 3.5 3 54.5 3 5 6 3.5 4.5 2.5
    2 6 5 2.5 3.5 2 3 2.5 3.5 3.5 2.5 3 4.5 3 15.5 5 2.5 3 4 3.5 4 4 2 4.5 2.5 4 3
    """
)
EXPERIMENT = numbers(
    """
    2.5 2.5 2 2.5 3.5 2 3.5 1.5 3 3 2.5 3.5 2 2.5 2 2 5 3 2 1.5 2 4 3 2.5 3 2 2 2 2.5 3.5 1.5
    1.5 3.5 2 2.5 2.5 3 3.5 2.5 6.5 2.5 4 2.5 3 2.5 6.5 2.5 3 1.5 2 2.5 3 7.5 1.5 2 4 2.5 2
    2.5 3.5 4 2.5 3 2.5 2 3.5 3 16.5 3 3 7 4.5 5 2 3.5 6 1.5 3 2.5 4 3 1.5 5 3 2.5 5.5 3 1.5
    2.5 6
    """
)


def test_the_interval_that_r_computes_is_reproduced_to_its_last_digits():
    shift = estimate_shift(EXPERIMENT, CONTROL)
    assert shift is not None
    assert shift.low == pytest.approx(-0.500002521696696, abs=1e-12)
    assert shift.high == pytest.approx(-3.486287505871302e-5, abs=1e-12)
    assert shift.estimate == pytest.approx(-0.4999393907180323, abs=1e-12)


@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=30),
    st.lists(st.integers(0, 40), min_size=2, max_size=30),
)
def test_the_interval_of_tiny_differences_is_in_order_and_fits_their_scale(first, second):
    ratios = [0.0333 + x * 1e-6 for x in first], [0.0333 + x * 1e-6 for x in second]
    shift = estimate_shift(*ratios, scale=1e6)
    assert shift is not None
    assert shift.low <= shift.estimate <= shift.high
    plain = estimate_shift(*ratios)
    assert plain.low <= plain.estimate <= plain.high
    assert shift.high - shift.low <= 81e-6
