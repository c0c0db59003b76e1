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
from tests.rollout.build import NOW, PLAN, snapshot


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
