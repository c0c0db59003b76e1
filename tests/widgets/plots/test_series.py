"""Samples become columns: gaps stay gaps, a lone one is known as one, nothing is averaged twice."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.measure.samples import Responses, Sample, merge
from tests.widgets.scenes import NOW, latency, sample
from widgets.plots.series import ColumnGrid, SeriesCache, make_grid

START = NOW - NOW % 3600
MINUTES = ColumnGrid(START, 60.0, 6)


def minute(index: int, **shape: float) -> Sample:
    return sample(START + 60.0 * (index + 1), 600, **shape)


def values(
    samples: tuple[Sample, ...], grid: ColumnGrid = MINUTES, metric: str = "error_ratio"
) -> list[float | None]:
    return list(SeriesCache().series("canary", metric, samples, grid).values)  # type: ignore[arg-type]


def test_a_missing_minute_is_a_gap() -> None:
    found = values((minute(0), minute(1), minute(3)))
    assert [v is None for v in found] == [False, False, True, False, True, True]


def test_a_sample_without_the_metric_is_a_gap() -> None:
    empty = Sample(START + 60, START + 120)
    assert values((minute(0), empty))[1] is None


def test_no_samples_are_all_gaps() -> None:
    assert values(()) == [None] * 6


def test_zero_requests_have_no_error_ratio() -> None:
    idle = Sample(START, START + 60, Responses())
    assert values((idle,))[0] is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_reaches_drawing(bad: float) -> None:
    broken = msgspec.structs.replace(minute(0), cpu=bad)
    assert values((broken,), metric="cpu")[0] is None


def test_a_sample_longer_than_a_column_fills_all_that_it_covers() -> None:
    long = msgspec.structs.replace(minute(3), start=START + 60)
    assert [v is None for v in values((long,))] == [True, False, False, False, True, True]


def test_a_lone_sample_is_known_as_one() -> None:
    found = SeriesCache().series("canary", "error_ratio", (minute(2),), MINUTES)
    assert found.lone == {2}


def test_neighbours_are_not_lone() -> None:
    found = SeriesCache().series("canary", "error_ratio", (minute(2), minute(3)), MINUTES)
    assert found.lone == frozenset()


def test_one_sample_over_several_columns_is_still_lone() -> None:
    long = msgspec.structs.replace(minute(3), start=START + 60)
    found = SeriesCache().series("canary", "error_ratio", (long,), MINUTES)
    assert found.lone == {1, 2, 3}


def test_percentiles_of_a_column_come_from_merged_buckets() -> None:
    two = (minute(0, median_ms=100.0), minute(1, median_ms=900.0))
    wide = ColumnGrid(START, 120.0, 3)
    merged = merge((latency(600, 100.0), latency(600, 900.0)))
    assert merged is not None
    assert values(two, wide, "p95_ms")[0] == merged.percentile(0.95)


def test_a_revised_sample_is_added_up_again() -> None:
    cache = SeriesCache()
    first = (minute(0, errors=0.0), minute(1, errors=0.0), minute(2, errors=0.0))
    wide = ColumnGrid(START, 180.0, 2)
    assert cache.series("canary", "error_ratio", first, wide).values[0] == 0.0
    revised = (first[0], minute(1, errors=0.5), first[2])
    assert cache.series("canary", "error_ratio", revised, wide).values[0] == pytest.approx(1 / 6)


def test_the_newest_sample_with_a_value_is_remembered() -> None:
    found = SeriesCache().series("canary", "error_ratio", (minute(0), minute(2)), MINUTES)
    assert found.newest_at == START + 180


@given(
    now=st.floats(1.7e9, 1.9e9),
    window_s=st.floats(60, 8e5),
    columns=st.integers(1, 300),
    speed=st.sampled_from([1.0, 10.0, 60.0, 600.0]),
)
def test_a_grid_covers_the_window_and_now(
    now: float, window_s: float, columns: int, speed: float
) -> None:
    grid = make_grid(now, window_s, columns, speed)
    assert grid.columns == columns
    assert grid.end >= now
    assert grid.start <= now - window_s * 0.999 or columns < 3


def test_a_fast_grid_stands_still_between_two_jumps() -> None:
    one = make_grid(START + 1, 3600, 72, 60.0)
    assert make_grid(START + 100, 3600, 72, 60.0) == one


@given(now=st.floats(1.7e9, 1.9e9), columns=st.integers(20, 300))
def test_now_is_in_the_last_column_where_the_clock_runs_as_ours(now: float, columns: int) -> None:
    grid = make_grid(now, 3600.0, columns)
    assert grid.column_of(now) == columns - 1


@given(now=st.floats(1.7e9, 1.9e9), one=st.integers(20, 300), other=st.integers(20, 300))
def test_plots_of_different_widths_show_about_the_same_time(
    now: float, one: int, other: int
) -> None:
    spans = [
        grid.column_s * grid.columns for n in (one, other) if (grid := make_grid(now, 21600.0, n))
    ]
    assert max(spans) / min(spans) < 1.35
