"""Alignment and reduction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.simulator.api.monitoring.aggregation import (
    NS,
    Aggregation,
    ModelSeries,
    Shape,
    aggregate,
    align,
    check,
    first_slot_start,
)
from canary.simulator.wire.calls import ApiError
from canary.simulator.world.traffic.minute import Distribution, merge

COUNT = Shape("DELTA", "INT64")
GAUGE = Shape("GAUGE", "INT64")
SPREAD = Shape("DELTA", "DISTRIBUTION", (1.0, 2.0, 4.0))


def points(*pairs):
    return [(minute * 60 * NS, value) for minute, value in pairs]


def one(values, **labels):
    return ModelSeries({"project_id": "p", **labels}, {}, values)


spreads = st.builds(
    Distribution,
    st.lists(st.integers(0, 50), max_size=6).map(tuple),
    st.floats(0, 1e6),
    st.floats(0, 1e9),
)


@pytest.mark.parametrize(
    ("aligner", "value"),
    [
        ("ALIGN_SUM", 12),
        ("ALIGN_MEAN", 4.0),
    ],
)
def test_an_aligner_makes_one_value_of_a_period(aligner, value):
    aligned = align(points((1, 1), (2, 2), (3, 9)), Aggregation(180, aligner), 180 * NS)
    assert aligned == [(180 * NS, value)]


def test_a_period_without_samples_has_no_point():
    aligned = align(points((1, 5), (6, 7)), Aggregation(120, "ALIGN_DELTA"), 360 * NS)
    assert aligned == [(120 * NS, 5), (360 * NS, 7)]


@pytest.mark.parametrize(
    ("start_s", "end_s", "period_s", "first_s"),
    [(0, 600, 60, 0), (0, 600, 300, 0), (1, 600, 300, 0), (0, 601, 300, -299), (0, 1, 60, -59)],
)
def test_the_first_period_may_begin_before_the_interval(start_s, end_s, period_s, first_s):
    assert first_slot_start(start_s * NS, end_s * NS, period_s) == first_s * NS


@pytest.mark.parametrize(
    ("reducer", "value"),
    [
        ("REDUCE_SUM", 12),
        ("REDUCE_MEAN", 6.0),
    ],
)
def test_a_reducer_makes_one_series_of_a_group(reducer, value):
    aggregation = Aggregation(60, "ALIGN_MEAN", reducer, ("resource.labels.side",))
    series = [one(points((1, 2)), side="a", revision="r1"), one(points((1, 10)), side="a")]
    (reduced,) = aggregate(series, aggregation, 60 * NS)
    assert list(reduced.points) == [(60 * NS, value)]
    assert reduced.resource_labels == {"project_id": "p", "side": "a"}


def test_a_minute_that_only_one_series_has_is_kept():
    aggregation = Aggregation(60, "ALIGN_DELTA", "REDUCE_SUM")
    series = [one(points((1, 2), (2, 3))), one(points((2, 4)))]
    (reduced,) = aggregate(series, aggregation, 120 * NS)
    assert list(reduced.points) == points((1, 2), (2, 7))


@given(st.lists(st.tuples(st.integers(1, 30), spreads), min_size=1, max_size=8), st.integers(1, 9))
def test_no_value_is_lost_or_invented_by_aligning_distributions(pairs, minutes):
    samples = points(*sorted(dict(pairs).items()))
    aggregation = Aggregation(minutes * 60, "ALIGN_DELTA")
    aligned = align(samples, aggregation, 30 * 60 * NS)
    before = merge([value for _, value in samples])
    after = merge([value for _, value in aligned])
    assert after.counts == before.counts
    assert after.sum == pytest.approx(before.sum)


@pytest.mark.parametrize(
    ("aggregation", "shape", "result"),
    [
        (Aggregation(60, "ALIGN_DELTA"), SPREAD, SPREAD),
        (Aggregation(60, "ALIGN_DELTA"), Shape("CUMULATIVE", "INT64"), COUNT),
        (Aggregation(60, "ALIGN_DELTA", "REDUCE_SUM"), SPREAD, SPREAD),
        (Aggregation(60, "ALIGN_DELTA", "REDUCE_MEAN"), SPREAD, Shape("GAUGE", "DOUBLE")),
        (Aggregation(60, "ALIGN_MEAN", "REDUCE_SUM"), GAUGE, Shape("GAUGE", "DOUBLE")),
        (Aggregation(60, "ALIGN_SUM"), GAUGE, GAUGE),
    ],
)
def test_the_shape_of_the_result(aggregation, shape, result):
    assert check(aggregation, shape) == result


@pytest.mark.parametrize(
    "name", ["ALIGN_NONE", "ALIGN_PERCENT_CHANGE", "ALIGN_FRACTION_TRUE", "ALIGN_INTERPOLATE"]
)
def test_an_aligner_that_is_not_known_is_said_to_be_unimplemented(name):
    with pytest.raises(ApiError, match=name) as refusal:
        check(Aggregation(60, name), GAUGE)
    assert refusal.value.code.name == "UNIMPLEMENTED"
