"""The handover lists what persons have written for everybody: holds, the irreversible, what is to
be done.
"""

from __future__ import annotations

import msgspec

from canary.rollout.change.hold import Hold
from canary.rollout.change.irreversible import Irreversible
from canary.rollout.change.marks import Mark
from canary.rollout.plan.freeze import Frozen
from canary.rollout.recording.handover import MOST_TODOS, make_handover
from canary.rollout.recording.timeline_changes import Row
from canary.rollout.text import format_clock, format_timestamp
from tests.rollout.build import NOW, PLAN, decision, snapshot, window


def handover(**fields: object) -> str:
    shown = msgspec.structs.replace(snapshot(), **fields)
    return make_handover(shown, PLAN, (), now=NOW, since=NOW - 28_800)


def todo(text: str, change: str = "c1") -> Mark:
    return Mark(NOW - 60, text, "bob", "bastion-2", change)


def test_what_is_held_frozen_and_irreversible_is_open() -> None:
    held = handover(hold=Hold(None, "the database moves", "bob"), freeze=Frozen(None, "a fair"))
    assert "- held by bob until released because the database moves" in held
    assert "frozen" not in held
    assert "- frozen by the plan because a fair" in handover(freeze=Frozen(None, "a fair"))
    mark = Irreversible("schema 42", "bob", at=NOW - 60)
    assert "- IRREVERSIBLE: schema 42, marked by bob at" in handover(irreversible=mark)


def test_what_is_to_be_done_is_listed_until_it_is_done() -> None:
    open_ones = (todo("TODO: tell Ann", "c2"), todo("the cache is warm"), todo("TODO: drop it"))
    said = handover(marks=open_ones)
    assert "- TODO: drop it (bob@bastion-2)\n- TODO: tell Ann (bob@bastion-2)" in said
    assert "the cache is warm" not in said
    assert "TODO: drop it" not in handover(marks=(todo("DONE: drop it", "c3"), *open_ones))


def test_of_many_the_first_are_listed_and_the_rest_counted() -> None:
    many = tuple(todo(f"TODO: {i}", f"c{i}") for i in range(MOST_TODOS + 2))
    said = handover(marks=many)
    assert said.count("- TODO:") == MOST_TODOS
    assert "- and 2 more: `canary note --list`" in said


def test_all_that_there_is_room_for_is_told_and_of_another_day_with_its_date() -> None:
    rows = [Row(NOW - 90_000, "change", "promoted 5 % → 10 %")]
    rows += [Row(NOW - 600 + n, "state", f"state: A → B {n}") for n in range(8)]
    said = make_handover(snapshot(), PLAN, rows, now=NOW, since=NOW - 172_800)
    assert all(f"state: A → B {n}" in said for n in range(8))
    assert "more: `canary timeline`" not in said
    assert f"- {format_timestamp(NOW - 90_000)[5:16]}Z promoted 5 % → 10 %" in said
    assert f"- {format_clock(NOW - 600)} state: A → B 0" in said


def test_after_a_rollback_of_everything_why_comes_before_beginning_again() -> None:
    traffic = msgspec.structs.replace(snapshot().traffic, canary_percent=0)
    off = msgspec.structs.replace(snapshot(), traffic=traffic)
    back = Row(NOW - 60, "change", "rolled back all 25 % → 0 % (stage 3 → 0): errors", "bob")
    said = make_handover(off, PLAN, [back], now=NOW, since=NOW - 28_800)
    assert "- find out why: at " in said
    assert "rolled back all 25 % → 0 % (stage 3 → 0): errors; promoting again takes a reas" in said
    assert "promote to begin" not in said
    begun = make_handover(off, PLAN, [], now=NOW, since=NOW - 28_800)
    assert "promoting again" not in begun


def test_where_an_act_is_called_for_nothing_else_is_next() -> None:
    bad = handover(decision=decision(window(error_ratio=0.2)))
    after = bad.partition("**Next**")[2]
    assert "roll back all (`canary rollback --all`)" in after
    assert after.strip().count("\n") == 0
