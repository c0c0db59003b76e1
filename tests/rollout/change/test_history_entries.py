"""The history on the service: the last moves, bounded whatever is written into it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change.history_entries import (
    KEPT,
    MOST_BYTES,
    append_history,
    history_entry_of,
    history_key,
    read_history,
)
from canary.rollout.change.stage_record import StageRecord
from tests.rollout.build import NOW

texts = st.text(max_size=400)


def record(number: int = 1, **changes: object) -> StageRecord:
    base = StageRecord(
        stage=3,
        percent=25,
        entered_at=NOW + number,
        by="oncall",
        host="bastion-2",
        change=f"c-{number}",
        move="promote",
        previous_stage=2,
        previous_percent=10,
    )
    return msgspec.structs.replace(base, **changes)


def test_the_newest_move_comes_first():
    text = ""
    for number in range(3):
        text = append_history(text, record(number))
    assert [d.change for d in read_history(text)] == ["c-2", "c-1", "c-0"]


def test_a_deed_says_who_what_from_to_when_and_why():
    entry = history_entry_of(record(reason="the gates are met"))
    assert (entry.by, entry.host, entry.move) == ("oncall", "bastion-2", "promote")
    assert (entry.from_stage, entry.stage, entry.from_percent, entry.percent) == (2, 3, 10, 25)
    assert (entry.at, entry.why) == (NOW + 1, "the gates are met")


def test_a_revert_happened_when_it_was_made_not_when_the_stage_was_entered():
    assert history_entry_of(record(move="revert", moved_at=NOW + 500)).at == NOW + 500


def test_the_same_change_twice_is_one_deed():
    once = append_history("", record())
    assert append_history(once, record()) == once


def test_no_more_than_the_last_few_are_kept():
    text = ""
    for number in range(KEPT + 5):
        text = append_history(text, record(number))
    assert len(read_history(text)) == KEPT
    assert read_history(text)[0].change == f"c-{KEPT + 4}"


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"at": 1}', "\ud800", "[[]]"])
def test_what_cannot_be_read_is_begun_anew(text: str):
    assert read_history(text) == ()
    assert len(read_history(append_history(text, record()))) == 1


@given(st.lists(st.tuples(texts, texts, texts), max_size=12))
def test_it_never_grows_beyond_its_bounds(written: list[tuple[str, str, str]]):
    text = ""
    for number, (by, host, reason) in enumerate(written):
        newest = record(number, by=by[:60], host=host[:60], reason=reason)
        text = append_history(text, newest)
        history = read_history(text)
        assert history[0] == history_entry_of(newest)
        assert len(history) <= KEPT
        assert len(text.encode()) <= MOST_BYTES or len(history) == 1


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("canary-console/record", "canary-console/history"),
        ("example.com/stage", "example.com/history"),
        ("example.com/history", "example.com/history-history"),
    ],
)
def test_it_has_an_annotation_of_its_own(annotation: str, expected: str):
    assert history_key(annotation) == expected
