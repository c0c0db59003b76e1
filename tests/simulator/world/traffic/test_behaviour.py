"""Instances and what too few of them do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.simulator.world.traffic.behaviour import (
    CONCURRENCY,
    SLOW_FROM_BUSY,
    cope,
    instances_needed,
)


@pytest.mark.parametrize(
    ("in_flight", "least", "most", "needed"),
    [
        (0.0, 0, 10, 0),
        (0.1, 0, 10, 1),
        (4.8, 0, 10, 1),
        (4.81, 0, 10, 2),
        (400.0, 1, 10, 10),
        (400.0, 0, 1, 1),
        (400.0, 0, 0, 0),
    ],
)
def test_the_autoscaler_wants_what_keeps_instances_60_percent_busy(in_flight, least, most, needed):
    assert instances_needed(in_flight, least, most) == needed


def test_no_load_leaves_the_least_instances_idle():
    capacity = cope(0.0, 0.4, 0, 2)
    assert (capacity.active, capacity.idle, capacity.refused_ratio) == (0, 2, 0.0)


def test_without_any_instance_everything_is_refused():
    assert cope(3.0, 0.4, 0, 0).refused_ratio == 1.0


@pytest.mark.parametrize(
    ("busy", "slower", "refusing"),
    [(SLOW_FROM_BUSY, False, False), (0.9, True, False), (1.0, True, False), (2.0, True, True)],
)
def test_too_few_instances_first_slow_down_then_refuse(busy, slower, refusing):
    capacity = cope(busy * CONCURRENCY, 0.4, 1, 1)
    assert (capacity.latency_factor > 1.0) is slower
    assert (capacity.refused_ratio > 0.0) is refusing


def test_twice_the_places_refuse_half():
    assert cope(2.0 * CONCURRENCY, 0.4, 1, 1).refused_ratio == 0.5


@given(st.floats(0.1, 500.0), st.floats(0.1, 500.0))
def test_more_load_is_never_faster(one, other):
    low, high = sorted((one, other))
    assert cope(low, 0.4, 3, 3).latency_factor <= cope(high, 0.4, 3, 3).latency_factor
