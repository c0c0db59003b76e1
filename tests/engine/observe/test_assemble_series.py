"""Series: samples merged by their end, never twice, bounded."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from canary.engine.observe.series import SampleSeries, between, find_gaps
from tests.engine.observed import NEWEST, latencies, minutes, sample


def test_samples_are_oldest_first_however_they_come() -> None:
    series = SampleSeries()
    series.add(reversed(minutes(5)))
    assert series.samples == minutes(5)


def test_the_same_answer_again_changes_nothing() -> None:
    series = SampleSeries()
    series.add(minutes(5))
    before = series.samples
    assert series.add(minutes(5)) == ()
    assert series.samples is before


def test_a_metric_that_comes_later_is_added_to_its_minute() -> None:
    series = SampleSeries()
    series.add([msgspec.structs.replace(sample(NEWEST), latency=None)])
    series.add([msgspec.structs.replace(sample(NEWEST), responses=None)])
    assert series.samples == (sample(NEWEST),)


def test_a_metric_that_is_missing_this_time_erases_nothing() -> None:
    series = SampleSeries()
    series.add([sample(NEWEST)])
    assert series.add([msgspec.structs.replace(sample(NEWEST), responses=None)]) == ()
    assert series.samples == (sample(NEWEST),)


def test_a_corrected_value_replaces_the_earlier_one() -> None:
    series = SampleSeries()
    series.add([sample(NEWEST, total=100)])
    changed = series.add([sample(NEWEST, total=135)])
    assert series.samples == changed == (sample(NEWEST, total=135),)


def test_a_coarse_sample_over_minutes_that_are_known_is_left_out() -> None:
    series = SampleSeries()
    series.add(minutes(3, newest=NEWEST))
    assert series.add([sample(NEWEST + 60, length_s=600)]) == ()
    assert series.samples == minutes(3, newest=NEWEST)


def test_minutes_replace_the_coarse_sample_that_they_overlap() -> None:
    series = SampleSeries()
    series.add([sample(NEWEST, length_s=600)])
    series.add(minutes(10, newest=NEWEST))
    assert series.samples == minutes(10, newest=NEWEST)


def test_neighbours_of_different_length_both_stay() -> None:
    series = SampleSeries()
    series.add([sample(NEWEST - 60, length_s=600)])
    series.add([sample(NEWEST)])
    assert len(series.samples) == 2


def test_what_is_too_old_is_forgotten() -> None:
    series = SampleSeries()
    series.add(minutes(10))
    series.prune(NEWEST - 120)
    assert [s.end - NEWEST for s in series.samples] == [-120, -60, 0]


def test_bucket_bounds_are_kept_once() -> None:
    series = SampleSeries()
    copies = [
        msgspec.structs.replace(
            s, latency=msgspec.structs.replace(latencies(9), bounds=(1.0, float(i + 2 - i)))
        )
        for i, s in enumerate(minutes(2))
    ]
    series.add(copies)
    first, second = (s.latency for s in series.samples)
    assert first is not None
    assert second is not None
    assert first.bounds is second.bounds


def test_the_newest_end_is_of_a_sample_with_requests_or_latencies() -> None:
    series = SampleSeries()
    idle = msgspec.structs.replace(sample(NEWEST + 60), responses=None, latency=None)
    series.add([sample(NEWEST), idle])
    assert series.newest_end == NEWEST


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([60, 600])), max_size=40),
    st.integers(1, 5),
)
def test_no_instant_is_ever_counted_twice(parts: list[tuple[int, int]], batches: int) -> None:
    series = SampleSeries()
    for i in range(batches):
        series.add(sample(60.0 * end, length_s=length) for end, length in parts[i::batches])
    samples = series.samples
    assert all(a.end <= b.start for a, b in itertools.pairwise(samples))
    assert series.add(samples) == ()


def test_between_takes_only_what_lies_wholly_inside() -> None:
    inside = between(minutes(10), NEWEST - 200, NEWEST - 60)
    assert [s.end - NEWEST for s in inside] == [-120, -60]


def test_a_gap_is_where_no_side_has_anything() -> None:
    legacy = minutes(3, newest=NEWEST)
    canary = minutes(3, newest=NEWEST - 600)
    gaps = find_gaps((legacy, canary), NEWEST - 900, NEWEST + 300, 180.0)
    assert gaps == ((NEWEST - 600, NEWEST - 180), (NEWEST, NEWEST + 300))


def test_a_gap_of_just_the_least_length_is_none() -> None:
    assert find_gaps((minutes(3),), NEWEST - 360, NEWEST, 180.0) == ()
