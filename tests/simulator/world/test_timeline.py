"""What was changed when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.simulator.world.timeline import (
    DEFAULT_SCALE,
    NewRevision,
    Removed,
    Scale,
    ScenarioOn,
    Split,
    Timeline,
)


@pytest.mark.parametrize(("when", "percent"), [(9.9, 0), (10.0, 5), (19.9, 5), (20.0, 10)])
def test_a_split_holds_from_its_own_moment_on(when, percent):
    timeline = Timeline([Split(10.0, 5), Split(20.0, 10)])
    assert timeline.split_at(when) == percent


def test_a_late_event_is_put_in_its_place():
    timeline = Timeline([Split(10.0, 5), Split(30.0, 25)])
    timeline.append(Split(20.0, 10))
    assert [timeline.split_at(t) for t in (15.0, 25.0, 35.0)] == [5, 10, 25]


def test_of_two_events_at_once_the_later_arrival_wins():
    timeline = Timeline()
    timeline.append(Split(10.0, 5))
    timeline.append(Split(10.0, 10))
    assert timeline.split_at(10.0) == 10


def test_a_service_nobody_scaled_has_the_default_bounds():
    timeline = Timeline([Scale(10.0, "a", 0, 1)])
    assert timeline.scale_at(10.0, "a") == (0, 1)
    assert timeline.scale_at(10.0, "b") == DEFAULT_SCALE


def test_a_side_is_served_by_its_newest_revision():
    old, new = NewRevision(1.0, "a", "a-1", "canary"), NewRevision(5.0, "a", "a-2", "canary")
    timeline = Timeline([old, new])
    assert timeline.revision_at(4.0, "canary") is old
    assert timeline.revision_at(5.0, "canary") is new
    assert timeline.revision_at(5.0, "legacy") is None
    assert timeline.revisions("a") == [old, new]


def test_a_removed_service_comes_back_with_a_new_revision():
    timeline = Timeline([Removed(5.0, "a"), NewRevision(9.0, "a", "a-2", "legacy")])
    assert ["a" in timeline.regime_at(t).removed for t in (4.0, 5.0, 9.0)] == [False, True, False]


def test_the_last_scenario_is_on():
    timeline = Timeline([ScenarioOn(1.0, "latency"), ScenarioOn(2.0, "healthy")])
    assert timeline.scenario_at(2.0).name == "healthy"


def test_between_leaves_out_both_ends():
    events = [Split(1.0, 1), Split(2.0, 2), Split(3.0, 3)]
    assert Timeline(events).between(1.0, 3.0) == [events[1]]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 100))), st.integers(0, 20))
def test_appending_in_any_order_is_the_same_as_starting_with_all(pairs, when):
    events = [Split(float(at), percent) for at, percent in pairs]
    grown = Timeline()
    for event in events:
        grown.append(event)
    assert grown.split_at(float(when)) == Timeline(events).split_at(float(when))
