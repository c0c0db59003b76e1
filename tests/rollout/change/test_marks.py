"""Marks and notes: bounded, newest first, never twice; what is still to be done."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change import moves
from canary.rollout.change.change import Annotate
from canary.rollout.change.marks import (
    KEPT,
    MOST_BYTES,
    MOST_TEXT,
    Mark,
    append_mark,
    decode_mark,
    encode_mark,
    find_todos,
    format_mark,
    read_marks,
)
from tests.rollout.build import NOW, PLAN, request, standing


def mark(text: str, change: str, at: float = NOW) -> Mark:
    return Mark(at, text, "bob", "bastion-2", change)


def written(*marks: Mark) -> str:
    text = ""
    for one in marks:
        text = append_mark(text, encode_mark(one))
    return text


def test_the_newest_is_first_and_the_same_change_never_twice() -> None:
    first, second = mark("one", "c1"), mark("two", "c2")
    assert read_marks(written(first, second, first)) == (first, second)


@given(st.lists(st.text(max_size=300), max_size=60))
def test_it_stays_within_its_bounds_and_keeps_the_newest(texts: list[str]) -> None:
    text = written(*(mark(each, f"c{i}") for i, each in enumerate(texts)))
    found = read_marks(text)
    assert len(found) <= KEPT
    assert len(text.encode()) <= MOST_BYTES
    assert all(len(one.text) <= MOST_TEXT for one in found)
    if texts:
        assert found[0].change == f"c{len(texts) - 1}"


def test_an_open_todo_outlives_other_notes() -> None:
    notes = [mark("TODO: drop the index", "c0"), *(mark("x", f"c{i}") for i in range(1, 40))]
    assert [one.text for one in find_todos(read_marks(written(*notes)))] == ["TODO: drop the index"]


def test_what_is_done_is_open_no_more_and_what_is_asked_again_is() -> None:
    todo, other = mark("TODO: drop the index", "c1"), mark("todo: tell Ann", "c2")
    done = mark("DONE:  Drop the INDEX", "c3")
    again = mark("TODO: drop the index", "c4")
    assert find_todos((other, todo)) == (todo, other)
    assert find_todos((done, other, todo)) == (other,)
    assert find_todos((again, done, other, todo)) == (other, again)


def test_what_cannot_be_read_is_begun_anew() -> None:
    for text in ("", "{", "[1]", '{"at": 1}'):
        assert read_marks(text) == ()
    assert len(read_marks(append_mark("{broken", encode_mark(mark("x", "c1"))))) == 1
    assert append_mark("[]", "{broken") == "[]"


def test_its_words() -> None:
    assert format_mark(mark("", "c")) == "mark"
    assert format_mark(mark("the cache is warm", "c")) == "note: the cache is warm"
    assert format_mark(mark("TODO: x", "c")) == "TODO: x"
    assert format_mark(mark("\x1b[2J", "c")).isprintable()


def test_the_change_writes_it_on_canarys_service() -> None:
    change = moves.note(PLAN, standing(), request(), "the cache is warm")
    (step,) = change.steps
    assert isinstance(step, Annotate)
    assert (change.kind, step.service, step.topic) == ("note", "ion-api-canary", "marks")
    assert decode_mark(step.text) == Mark(NOW, "the cache is warm", "oncall", "bastion-2", "c-1")
