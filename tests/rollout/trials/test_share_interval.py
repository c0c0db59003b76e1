"""Wilson's interval: worked values, the ends, and that it holds the ratio and shrinks with n."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.trials.comparison import Z_95, Z_99, wilson_interval


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    # Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_it_is_the_published_one(count: int, n: int, low: float, high: float) -> None:
    interval = wilson_interval(count, n, Z_95)
    assert interval == pytest.approx((low, high), abs=6e-5)


def test_of_nothing_nothing_is_known() -> None:
    assert wilson_interval(0, 0, Z_99) is None


@pytest.mark.parametrize(("count", "n"), [(-1, 10), (11, 10)])
def test_what_is_no_ratio_is_refused(count: int, n: int) -> None:
    with pytest.raises(ValueError, match="no ratio"):
        wilson_interval(count, n, Z_99)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_it_holds_the_ratio_and_stays_within_0_and_1(case: tuple[int, int]) -> None:
    count, n = case
    interval = wilson_interval(count, n, Z_99)
    assert interval is not None
    assert 0.0 <= interval[0] <= count / n <= interval[1] <= 1.0


@given(st.integers(1, 1000), st.integers(0, 1000))
def test_ten_times_as_many_say_more(n: int, count: int) -> None:
    count = min(count, n)
    few, many = wilson_interval(count, n, Z_99), wilson_interval(count * 10, n * 10, Z_99)
    assert few is not None
    assert many is not None
    assert many[1] - many[0] < few[1] - few[0]
