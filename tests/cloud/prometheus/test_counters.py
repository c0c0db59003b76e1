"""Counters → what happened in each period, by worked cases and properties."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.prometheus.counters import add_growth

ENDS = (0, 60, 120, 180, 240)
ALIVE = dict.fromkeys(ENDS, True)


def grow(*values: float | None, alive: dict[int, bool] = ALIVE):
    points = {end: [v] for end, v in zip(ENDS, values, strict=False) if v is not None}
    return add_growth([points], ENDS, alive)


def test_growth_is_the_difference_of_two_ends() -> None:
    assert grow(10, 13, 13, 20).whole == {60: [3], 120: [0], 180: [7]}


def test_the_first_value_of_a_new_series_counts_in_full() -> None:
    # Prometheus 2.42: increase() says 0.00 of the first 3, and then 2.16 for the next 2.
    assert grow(None, None, 3, 5).whole == {120: [3], 180: [2]}


def test_after_a_restart_the_new_value_is_what_happened() -> None:
    assert grow(10, 13, 4, 6).whole == {60: [3], 120: [4], 180: [2]}


def test_what_grew_over_a_gap_belongs_to_no_period() -> None:
    grown = grow(10, None, None, 40, 41)
    assert grown.unknown == {180}
    assert grown.whole == {240: [1]}


def test_a_series_of_a_side_that_nobody_scraped_before_is_unknown_first() -> None:
    alive = {0: False, 60: False, 120: True, 180: True, 240: True}
    grown = grow(None, None, 90_000, 90_003, alive=alive)
    assert grown.unknown == {120}
    assert grown.wrong == set()
    assert grown.whole == {180: [3]}


def test_what_is_no_count_makes_its_period_unknown() -> None:
    for value in (math.nan, math.inf, -1.0):
        assert grow(1, value, 3).unknown >= {60}
        assert grow(1, value, 3).wrong >= {60}


def test_a_histogram_that_begins_anew_is_told_by_all_its_values() -> None:
    points = {0: [5.0, 9.0], 60: [6.0, 8.0]}
    assert add_growth([points], ENDS, ALIVE).whole == {60: [6.0, 8.0]}


def test_a_bucket_that_falls_while_all_values_grow_is_unknown() -> None:
    points = {0: [5.0, 9.0], 60: [3.0, 12.0]}
    assert add_growth([points], ENDS, ALIVE).unknown == {60}


def test_an_unknown_value_of_one_series_spoils_the_sum() -> None:
    good, bad = {0: [1.0], 60: [2.0]}, {0: [1.0], 60: [math.nan]}
    grown = add_growth([good, bad], ENDS, ALIVE)
    assert grown.whole == {}


@given(
    st.lists(
        st.lists(st.integers(0, 500), min_size=len(ENDS), max_size=len(ENDS)),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_whatever_restarts_no_event_is_lost_or_counted_twice(events, data) -> None:
    """Each process counts from 0, and may begin anew at the beginning of a period."""
    series = []
    for one in events:
        total, points = 0, {}
        for index, (end, count) in enumerate(zip(ENDS, one, strict=True)):
            # A restart that nobody can see (the new value is no smaller) is out of reach.
            if index and count < total and data.draw(st.booleans()):
                total = 0
            total += count
            points[end] = [float(total)]
        series.append(points)
    grown = add_growth(series, ENDS, ALIVE)
    for index, end in enumerate(ENDS[1:], 1):
        assert grown.whole[end] == [sum(one[index] for one in events)]
