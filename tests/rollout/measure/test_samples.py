"""Adding up what was measured: worked numbers first, then what must hold for any numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.measure.samples import (
    Distribution,
    Responses,
    Sample,
    merge,
    reduce_window,
)

BOUNDS = tuple(float(2**i) for i in range(12))
"""Exponential, scale 1, growth 2: bucket i (from 1) is [2^(i-1), 2^i)."""


def counts_in(bucket_upper: float, count: int) -> Distribution:
    index = BOUNDS.index(bucket_upper)
    middle = bucket_upper * 0.75
    return Distribution(BOUNDS, (*([0] * index), count), count, middle, 0.0)


LOW, HIGH = counts_in(128.0, 950), counts_in(1024.0, 50)


def test_p95_of_950_values_in_64_to_128_is_124_8() -> None:
    assert LOW.percentile(0.95) == pytest.approx(124.8)


def test_p95_of_50_values_in_512_to_1024_is_998_4() -> None:
    assert HIGH.percentile(0.95) == pytest.approx(998.4)


def test_p95_of_the_merged_distribution_is_128_and_not_the_mean_of_percentiles() -> None:
    merged = merge([LOW, HIGH])
    assert merged is not None
    assert merged.percentile(0.95) == pytest.approx(128.0)
    low, high = LOW.percentile(0.95), HIGH.percentile(0.95)
    assert low is not None
    assert high is not None
    assert (low + high) / 2 == pytest.approx(561.6)


@pytest.mark.parametrize(
    ("counts", "fraction", "value"),
    [
        ((0, 10), 0.0, 1.0),
        ((0, 10), 0.5, 1.5),
        ((0, 10), 1.0, 2.0),
        ((10,), 0.5, 0.5),  # underflow begins at 0
        ((0, 5, 5), 0.5, 2.0),  # exactly on the edge: the bucket below
        ((0,) * 12 + (7,), 0.5, 2048.0),  # overflow: the last bound is all that is known
        ((0, 0, 0), 0.5, None),
        ((), 0.5, None),
    ],
)
def test_a_percentile_is_interpolated_inside_its_bucket(
    counts: tuple[int, ...], fraction: float, value: float | None
) -> None:
    d = Distribution(BOUNDS, counts, sum(counts))
    assert d.percentile(fraction) == (value if value is None else pytest.approx(value))


def test_underflow_of_negative_bounds_does_not_begin_above_its_end() -> None:
    d = Distribution((-5.0, 5.0), (4,), 4)
    assert d.percentile(0.5) == -5.0


def test_distributions_of_different_layout_are_not_added() -> None:
    with pytest.raises(ValueError, match="layouts"):
        merge([LOW, Distribution((1.0, 3.0), (1,), 1)])


def test_merging_nothing_is_nothing() -> None:
    assert merge([]) is None


@st.composite
def distributions(draw: st.DrawFn) -> Distribution:
    """A distribution of raw values, so that its mean and squares are true ones."""
    values = draw(st.lists(st.floats(0, 5000, allow_nan=False), max_size=30))
    counts = [0] * (len(BOUNDS) + 1)
    for v in values:
        counts[next((i for i, b in enumerate(BOUNDS) if v < b), len(BOUNDS))] += 1
    while counts and counts[-1] == 0:
        counts.pop()
    mean = math.fsum(values) / len(values) if values else 0.0
    squares = math.fsum((v - mean) ** 2 for v in values)
    return Distribution(BOUNDS, tuple(counts), len(values), mean, squares)


def assert_same(a: Distribution | None, b: Distribution | None) -> None:
    assert a is not None
    assert b is not None
    width = max(len(a.counts), len(b.counts))
    assert a.count == b.count
    assert list(a.counts) + [0] * (width - len(a.counts)) == list(b.counts) + [0] * (
        width - len(b.counts)
    )
    assert a.mean == pytest.approx(b.mean, rel=1e-9, abs=1e-9)
    assert a.sum_squared_deviation == pytest.approx(b.sum_squared_deviation, rel=1e-6, abs=1e-3)


@given(distributions(), distributions())
def test_merging_does_not_depend_on_the_order(a: Distribution, b: Distribution) -> None:
    assert_same(merge([a, b]), merge([b, a]))


@given(distributions(), distributions(), distributions())
def test_merging_does_not_depend_on_the_grouping(
    a: Distribution, b: Distribution, c: Distribution
) -> None:
    left, right = merge([a, b]), merge([b, c])
    assert left is not None
    assert right is not None
    assert_same(merge([left, c]), merge([a, right]))


@given(distributions(), st.floats(0, 1), st.floats(0, 1))
def test_a_percentile_never_falls_as_the_fraction_rises(
    d: Distribution, x: float, y: float
) -> None:
    low, high = d.percentile(min(x, y)), d.percentile(max(x, y))
    assert (low is None) == (high is None) == (d.count == 0)
    assert low is None or high is None or low <= high


@given(distributions(), st.floats(0, 1))
def test_a_percentile_lies_within_the_bounds(d: Distribution, fraction: float) -> None:
    value = d.percentile(fraction)
    assert value is None or 0.0 <= value <= BOUNDS[-1]


@pytest.mark.parametrize(
    ("responses", "error_ratio", "success_ratio"),
    [
        (Responses(ok_2xx=90, redirect_3xx=5, client_4xx=3, server_5xx=2), 0.02, 0.95),
        (Responses(client_4xx=10), 0.0, 0.0),  # a 4xx is neither
        (Responses(ok_2xx=9, other=1), 0.0, 0.9),
        (Responses(server_5xx=4), 1.0, 0.0),
        (Responses(), None, None),  # no requests: no ratio, not a zero
    ],
)
def test_ratios_are_of_all_responses(
    responses: Responses, error_ratio: float | None, success_ratio: float | None
) -> None:
    assert responses.error_ratio == error_ratio
    assert responses.success_ratio == success_ratio


def sample(end: float, **fields: object) -> Sample:
    return Sample(start=end - 60, end=end, responses=Responses(ok_2xx=10), **fields)  # type: ignore[arg-type]


def test_a_window_takes_the_samples_that_lie_wholly_inside() -> None:
    samples = [sample(end) for end in (60, 120, 180, 240, 300, 360)]
    assert reduce_window(samples, start=60, end=300).requests == 40


def test_a_sample_that_straddles_the_start_is_left_out() -> None:
    assert reduce_window([sample(120)], start=61, end=300).requests is None


def test_an_empty_window_is_none_throughout() -> None:
    empty = reduce_window([], start=0, end=300)
    assert (empty.requests, empty.error_ratio, empty.p95_ms, empty.confidence) == (None,) * 4
    assert empty.age_s(now=300) is None


def test_a_sample_with_only_cpu_is_not_fresh_data() -> None:
    only_cpu = Sample(start=240, end=300, cpu=0.5)
    reduced = reduce_window([sample(120), only_cpu], start=0, end=300)
    assert reduced.newest_at == 120
    assert reduced.cpu == 0.5


def test_zero_requests_reported_is_a_count_and_no_ratio() -> None:
    silent = Sample(start=0, end=60, responses=Responses())
    reduced = reduce_window([silent], start=0, end=60)
    assert reduced.requests == 0
    assert reduced.error_ratio is None


def test_a_bucket_layout_changed_by_a_deploy_starts_the_percentiles_anew() -> None:
    old = sample(60, latency=Distribution((1.0, 2.0), (0, 50), 50, 1.5))
    new = sample(120, latency=counts_in(128.0, 30))
    reduced = reduce_window([old, new], start=0, end=120)
    assert reduced.latency_count == 30
    assert reduced.p50_ms == pytest.approx(96.0)


def test_age_is_never_negative_when_clocks_differ() -> None:
    assert reduce_window([sample(300)], start=0, end=300).age_s(now=290) == 0.0


@pytest.mark.parametrize(
    ("count", "squares", "variance"), [(0, 0.0, None), (1, 0.0, None), (2, 8.0, 8.0), (5, 8.0, 2.0)]
)
def test_variance_needs_two_values(count: int, squares: float, variance: float | None) -> None:
    assert Distribution(BOUNDS, (count,), count, 1.0, squares).variance == variance


def test_a_distribution_without_values_adds_nothing_and_its_layout_does_not_count() -> None:
    full, empty = Distribution((1.0, 2.0), (0, 5), 5, mean=1.5), Distribution((), (), 0)
    assert merge((full, empty)) == merge((empty, full)) == full
    parts = [Sample(0, 60, latency=full), Sample(60, 120, latency=empty)]
    window = reduce_window(parts, 0, 120)
    assert (window.latency_count, window.p95_ms) == (5, full.percentile(0.95))
