"""Checklists: which items a move has, whose tick counts, what belongs to which visit."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.errors import UsageError
from canary.rollout.trials.checklist import (
    PROGRAM,
    Checklist,
    Tick,
    Visit,
    check_tick,
    compose,
    items_of,
    span_of,
    trace_visits,
)
from tests.rollout.build import NOW, PLAN

HERE = Visit(2, "c2", NOW, "oncall@bastion-2", "promote")
ANN = "ann@bastion-1"


def ids(stage: int, phase: str, move: str = "promote") -> list[str]:
    return [i.id for i in items_of(PLAN, stage, move) if i.phase == phase]


def test_the_items_are_the_procedures() -> None:
    assert ids(2, "before") == [
        "criteria",
        "recorded",
        "committed",
        "pushed",
        "dry_run",
        "differences",
    ]
    assert ids(2, "during") == ["applied", "health", "split"]
    assert ids(2, "after") == ["monitoring", "first_hour", "alerts"]


def test_the_first_stage_has_no_criteria_to_validate() -> None:
    assert "criteria" not in ids(1, "before")


def test_going_back_does_not_ask_what_is_different() -> None:
    assert "differences" not in ids(2, "before", "step_back")


def test_the_load_test_goes_with_stage_four_and_the_ab_test_with_five() -> None:
    assert "load_test" in ids(4, "before")
    assert "load_test" not in ids(5, "before")
    assert {"ab_test", "approval"} <= set(ids(5, "before"))
    assert {"canary_scale", "legacy_backup", "mode_ended"} <= set(ids(5, "during"))


def test_going_back_asks_for_no_criteria_and_no_trials() -> None:
    assert ids(4, "before", "step_back") == ["recorded", "committed", "pushed", "dry_run"]


@pytest.mark.parametrize("stage", range(1, 6))
def test_no_list_has_an_item_twice(stage: int) -> None:
    found = [i.id for i in items_of(PLAN, stage)]
    assert len(found) == len(set(found))


def tick(item: str, by: str = ANN, at: float = NOW, *, done: bool = True) -> Tick:
    return Tick(2, item, done, by, at, "seen")


def list_of(*ticks: Tick, visit: Visit | None = HERE) -> Checklist:
    return compose(PLAN, 2, visit, ticks)


def test_an_item_is_open_until_it_is_ticked() -> None:
    line = list_of().line("health")
    assert line is not None
    assert (line.done, line.by, line.at, line.evidence) == (False, "", None, "")


def test_a_tick_says_who_and_when() -> None:
    line = list_of(tick("first_hour")).line("first_hour")
    assert line is not None
    assert (line.done, line.by, line.at) == (True, ANN, NOW)


def test_the_last_word_of_people_counts() -> None:
    back = list_of(tick("alerts", at=NOW + 1, done=False), tick("alerts")).line("alerts")
    again = list_of(
        tick("alerts"), tick("alerts", at=NOW + 1, done=False), tick("alerts", at=NOW + 2)
    ).line("alerts")
    assert back is not None
    assert again is not None
    assert (back.done, again.done) == (False, True)


def test_what_the_program_found_is_its_own_and_the_first_time_stays() -> None:
    line = list_of(
        tick("health", PROGRAM, NOW + 5), tick("health", PROGRAM, NOW + 9), tick("health")
    ).line("health")
    assert line is not None
    assert (line.by, line.at) == (PROGRAM, NOW + 5)


def refused(checklist: Checklist, item: str, *, done: bool = True) -> str:
    with pytest.raises(UsageError) as caught:
        check_tick(checklist, item, done=done)
    return str(caught.value)


def test_a_person_may_tick_what_is_open_and_take_it_back() -> None:
    check_tick(list_of(), "first_hour", done=True)
    check_tick(list_of(), "health", done=True)
    check_tick(list_of(tick("health")), "health", done=False)
    check_tick(list_of(visit=None), "dry_run", done=True)


def test_what_may_not_be_ticked_is_said() -> None:
    closed = Visit(2, "c2", NOW, left_at=NOW + 9)
    assert "It has: criteria, recorded" in refused(list_of(), "coffee")
    assert "closed" in refused(list_of(visit=closed), "alerts")
    assert "known by the program" in refused(list_of(tick("split", PROGRAM)), "split", done=False)
    assert "not entered yet" in refused(list_of(visit=None), "applied")


def test_a_visit_ends_with_the_next_one() -> None:
    seen = [Visit(3, "c3", 300.0), Visit(1, "c1", 100.0), Visit(2, "c2", 200.0)]
    assert [(v.stage, v.entered_at, v.left_at) for v in trace_visits(seen)] == [
        (1, 100.0, 200.0),
        (2, 200.0, 300.0),
        (3, 300.0, None),
    ]


def test_what_is_known_twice_is_one_visit_and_so_are_two_in_a_row_to_a_stage() -> None:
    seen = [Visit(2, "c2", 200.0), Visit(2, "c2", 200.0), Visit(2, "revert", 250.0)]
    (only,) = trace_visits(seen)
    assert (only.change, only.entered_at, only.left_at) == ("c2", 200.0, None)


def test_everybody_on_legacy_ends_a_visit_and_is_none() -> None:
    (only,) = trace_visits([Visit(2, "c2", 200.0), Visit(0, "off", 300.0)])
    assert only.left_at == 300.0


def test_a_stage_that_is_entered_again_begins_a_new_list() -> None:
    visits = trace_visits([Visit(2, "a", 100.0), Visit(1, "b", 200.0), Visit(2, "c", 300.0)])
    first, _, second = visits
    assert span_of(2, first, visits) == (float("-inf"), 200.0)
    assert span_of(2, second, visits) == (200.0, float("inf"))
    assert span_of(3, None, visits) == (float("-inf"), float("inf"))


@given(st.lists(st.builds(Visit, st.integers(0, 5), st.uuids().map(str), st.integers(0, 999))))
def test_visits_never_overlap_and_only_the_last_is_open(seen: list[Visit]) -> None:
    visits = trace_visits(seen)
    for before, after in pairwise(visits):
        assert before.left_at is not None
        assert before.left_at <= after.entered_at
    assert all(v.stage >= 1 for v in visits)


def test_what_nobody_looked_at_in_time_is_unseen_and_not_open() -> None:
    closed = list_of(visit=Visit(2, "c2", NOW, left_at=NOW + 9))
    assert all(closed.is_unseen(line) for line in closed.lines if not line.done)
    present = list_of(visit=Visit(2, "c2", NOW))
    assert not any(present.is_unseen(line) for line in present.lines)
