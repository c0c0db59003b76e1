"""Parsing of time series: what becomes a number, and what never does."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.monitoring.distributions import read_distribution
from canary.cloud.monitoring.timeseries import (
    Columns,
    Defects,
    PeriodGrid,
    build_samples,
    read_distributions,
    read_instances,
    read_means,
    read_responses,
)
from canary.rollout.measure.samples import Distribution, Responses
from tests.cloud.messages import distribution, series

GRID = PeriodGrid(start=0, end=600, period_s=60)
NAMES = {"ion-api": "legacy", "ion-api-canary": "canary"}


def side_of(one: Any) -> Any:
    return NAMES.get(one.resource.labels["service_name"])


def all_legacy(one: Any) -> Any:
    return "legacy"


def spread(*args: Any, **options: Any) -> Distribution | None:
    """What is read of one distribution."""
    message = series({60: distribution(*args, **options)}).points[0].value.distribution_value
    return read_distribution(message)


def test_counts_are_added_up_by_class_for_each_side() -> None:
    found = read_responses(
        [
            series({60: {"int64_value": 90}}, response_code_class="2xx"),
            series({60: {"int64_value": 4}}, response_code_class="3xx"),
            series({60: {"int64_value": 3}}, response_code_class="4xx"),
            series({60: {"int64_value": 2}}, response_code_class="5xx"),
            series({60: {"int64_value": 1}}, response_code_class="1xx"),
            series({60: {"int64_value": 7}}, "ion-api-canary", response_code_class="5xx"),
            series({60: {"int64_value": 99}}, "somebody-elses", response_code_class="5xx"),
        ],
        side_of,
        GRID,
        Defects(),
    )
    assert found == {
        "legacy": {60: Responses(90, 4, 3, 2, 1)},
        "canary": {60: Responses(server_5xx=7)},
    }


def test_the_field_that_is_set_is_read() -> None:
    found = read_responses(
        [
            series({60: {"int64_value": 5}}, response_code_class="2xx"),
            series({60: {"double_value": 2.0}}, response_code_class="5xx"),
        ],
        side_of,
        GRID,
        Defects(),
    )
    assert found["legacy"] == {60: Responses(ok_2xx=5, server_5xx=2)}


@pytest.mark.parametrize(
    "value",
    [
        {"double_value": math.nan},
        {"double_value": math.inf},
        {"double_value": -1.0},
        {"int64_value": -1},
        {"string_value": "5"},
        {"bool_value": True},
        distribution([1]),
        {},
    ],
)
def test_a_count_that_is_none_takes_its_whole_minute_with_it(value: dict[str, Any]) -> None:
    defects = Defects()
    found = read_responses(
        [
            series({60: {"int64_value": 50}, 120: {"int64_value": 50}}, response_code_class="2xx"),
            series({60: value}, response_code_class="5xx"),
        ],
        side_of,
        GRID,
        defects,
    )
    assert found["legacy"] == {120: Responses(ok_2xx=50)}
    assert defects.reasons.total() == 1


def test_points_from_outside_the_interval_are_left_out() -> None:
    defects = Defects()
    values = {end: {"int64_value": 1} for end in (0, 60, 600, 660)}
    found = read_responses([series(values, response_code_class="2xx")], side_of, GRID, defects)
    assert sorted(found["legacy"]) == [60, 600]
    assert str(defects) == "1 from after the time asked for"


def test_a_series_that_goes_on_on_the_next_page_is_one_series() -> None:
    defects = Defects()
    pages = [
        series({180: {"int64_value": 3}, 120: {"int64_value": 2}}, response_code_class="2xx"),
        series({120: {"int64_value": 2}, 60: {"int64_value": 1}}, response_code_class="2xx"),
    ]
    found = read_responses(pages, side_of, GRID, defects)
    assert {end: r.ok_2xx for end, r in found["legacy"].items()} == {60: 1, 120: 2, 180: 3}
    assert str(defects) == "1 for a period that had one already"


def test_exponential_bounds_are_scale_times_growth_to_the_i() -> None:
    read = spread(
        [0, 1, 2],
        exponential_buckets={"num_finite_buckets": 3, "growth_factor": 2.0, "scale": 10.0},
    )
    assert read is not None
    assert read.bounds == (10.0, 20.0, 40.0, 80.0)


def test_linear_bounds_are_offset_plus_width_times_i() -> None:
    read = spread([1], linear_buckets={"num_finite_buckets": 2, "width": 0.5, "offset": 1.0})
    assert read is not None
    assert read.bounds == (1.0, 1.5, 2.0)


def test_explicit_bounds_are_taken_as_they_are() -> None:
    read = spread([1, 0, 2], explicit_buckets={"bounds": [0.0, 0.7, 1.0]})
    assert read is not None
    assert read.bounds == (0.0, 0.7, 1.0)


def test_trailing_empty_buckets_say_nothing() -> None:
    short, long = spread([1, 2]), spread([1, 2, 0, 0, 0])
    assert short == long
    assert short is not None
    assert short.counts == (1, 2)


def test_the_overflow_bucket_is_the_last_that_can_be() -> None:
    assert spread([0, 0, 0, 0, 1]) is not None
    assert spread([0, 0, 0, 0, 0, 1]) is None


def test_the_same_layout_is_the_same_tuple() -> None:
    one, other = spread([1]), spread([2])
    assert one is not None
    assert other is not None
    assert one.bounds is other.bounds


def test_without_a_histogram_the_mean_remains() -> None:
    read = spread([], count=4, mean=0.8)
    assert read is not None
    assert (read.count, read.mean, read.bounds, read.percentile(0.5)) == (4, 0.8, (), None)


@pytest.mark.parametrize(
    "broken",
    [
        {"mean": math.nan},
        {"mean": -1.0},
        {"mean": math.inf},
        {"deviation": math.nan},
        {"deviation": -1.0},
        {"count": 99},
        {"count": -3},
        {"linear_buckets": {"num_finite_buckets": 0, "width": 1.0, "offset": 0.0}},
        {"linear_buckets": {"num_finite_buckets": 2, "width": 0.0, "offset": 0.0}},
        {"linear_buckets": {"num_finite_buckets": 2, "width": math.nan, "offset": 0.0}},
        {"exponential_buckets": {"num_finite_buckets": 2, "growth_factor": 1.0, "scale": 1.0}},
        {"exponential_buckets": {"num_finite_buckets": 9999, "growth_factor": 9.0, "scale": 1.0}},
        {"exponential_buckets": {"num_finite_buckets": 2**30, "growth_factor": 2, "scale": 1.0}},
        {"explicit_buckets": {"bounds": [1.0, 1.0]}},
        {"explicit_buckets": {"bounds": [2.0, 1.0]}},
        {"explicit_buckets": {"bounds": [0.0, math.nan]}},
        {"explicit_buckets": {"bounds": []}},
    ],
)
def test_a_distribution_that_contradicts_itself_is_none(broken: dict[str, Any]) -> None:
    assert spread([1, 2], **broken) is None


def test_a_negative_bucket_is_no_distribution() -> None:
    assert spread([3, -1]) is None


def test_a_histogram_without_a_layout_is_no_distribution() -> None:
    message = series({60: distribution([1, 2])}).points[0].value.distribution_value
    message.ClearField("bucket_options")
    assert read_distribution(message) is None


def test_distributions_of_several_revisions_are_merged() -> None:
    found = read_distributions(
        [
            series({60: distribution([1, 1], mean=2.0)}, resource={"revision_name": "a"}),
            series({60: distribution([0, 2], mean=4.0)}, resource={"revision_name": "b"}),
        ],
        all_legacy,
        GRID,
        Defects(),
    )
    merged = found["legacy"][60]
    assert (merged.counts, merged.count, merged.mean) == ((1, 3), 4, 3.0)


def test_distributions_of_different_layouts_are_not_added_up() -> None:
    defects = Defects()
    found = read_distributions(
        [
            series({60: distribution([1])}, resource={"revision_name": "a"}),
            series(
                {60: distribution([1], explicit_buckets={"bounds": [1.0]})},
                resource={"revision_name": "b"},
            ),
        ],
        all_legacy,
        GRID,
        defects,
    )
    assert found["legacy"] == {}
    assert defects.reasons.total() == 1


def test_means_are_weighted_by_their_counts() -> None:
    found = read_means(
        [
            series({60: distribution([1], mean=0.9)}, resource={"revision_name": "a"}),
            series({60: distribution([3], mean=0.1)}, resource={"revision_name": "b"}),
        ],
        all_legacy,
        GRID,
        Defects(),
    )
    assert found["legacy"][60] == pytest.approx(0.3)


def test_a_mean_of_nothing_is_a_gap() -> None:
    found = read_means([series({60: distribution([], mean=0.0)})], side_of, GRID, Defects())
    assert found["legacy"] == {}


def test_instances_are_all_states_and_active_is_one_of_them() -> None:
    found = read_instances(
        [
            series({60: {"double_value": 2.5}, 120: {"int64_value": 3}}, state="active"),
            series({60: {"int64_value": 1}}, state="idle"),
            series({60: {"int64_value": 4}}, "ion-api-canary", state="idle"),
        ],
        side_of,
        GRID,
        Defects(),
    )
    assert found == {"legacy": {60: (3.5, 2.5), 120: (3.0, 3.0)}, "canary": {60: (4.0, None)}}


def test_samples_are_oldest_first_with_gaps_where_nothing_was_reported() -> None:
    columns = Columns(cpu={180: 0.5}, responses={60: Responses(ok_2xx=1)})
    samples = build_samples(columns, GRID)
    assert [(s.start, s.end) for s in samples] == [(0.0, 60.0), (120.0, 180.0)]
    assert (samples[0].cpu, samples[1].responses) == (None, None)


@given(st.permutations(range(60, 660, 60)), st.randoms(use_true_random=False))
def test_the_order_of_points_does_not_matter(ends: list[int], rng: random.Random) -> None:
    one = series({end: {"int64_value": end} for end in ends}, response_code_class="2xx")
    usual = read_responses([one], side_of, GRID, Defects())
    points = list(one.points)
    rng.shuffle(points)
    copies = [type(point).FromString(point.SerializeToString()) for point in points]
    del one.points[:]
    one.points.extend(copies)
    assert read_responses([one], side_of, GRID, Defects()) == usual


def test_an_idle_revision_without_bucket_options_spoils_no_merge() -> None:
    """As the fixture of exponential distributions has it: what is not said is left out."""
    busy = distribution([0, 2, 3], explicit_buckets={"bounds": [100.0, 200.0]})
    for idle in ({"distribution_value": {"count": 0}}, distribution([0, 0])):
        defects = Defects()
        both = [series({60: busy}, revision="a"), series({60: idle}, revision="b")]
        found = read_distributions(both, side_of, GRID, defects)
        assert found["legacy"][60].counts == (0, 2, 3)
        assert not defects.reasons
