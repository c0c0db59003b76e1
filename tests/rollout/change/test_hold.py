"""A hold: until when, as people type it; exactly up to its end; what cannot be read holds."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change import moves
from canary.rollout.change.annotations import annotation_key
from canary.rollout.change.change import Annotate
from canary.rollout.change.hold import (
    MOST_REASON,
    UNREADABLE,
    Hold,
    decode_hold,
    encode_hold,
    find_hold,
    format_hold,
    parse_until,
    split_until,
)
from canary.rollout.errors import IllegalTransition, UsageError
from tests.rollout.build import NOW, PLAN, request, standing


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("15:00", "2026-03-01T15:00+00:00"),
        ("9:00", "2026-03-02T09:00+00:00"),  # 09:00 has passed today
        ("14:03:23", "2026-03-01T14:03:23+00:00"),
        ("09:00 Europe/Berlin", "2026-03-02T09:00+01:00"),
        ("2026-03-03 09:00", "2026-03-03T09:00+00:00"),
        ("2026-03-03T09:00:30Z", "2026-03-03T09:00:30+00:00"),
        # Clocks go forward there on 29 March at 01:00Z.
        ("2026-03-29 09:00 Europe/Berlin", "2026-03-29T09:00+02:00"),
        ("2026-03-29 02:30 Europe/Berlin", "2026-03-29T01:00+00:00"),  # never shown: the change
    ],
)
def test_a_time_is_the_next_one_that_is_meant(typed: str, meant: str) -> None:
    assert parse_until(typed, NOW) == at(meant)


@pytest.mark.parametrize(
    ("typed", "hours"), [("14h", 14), ("1h30m", 1.5), ("2d", 48), ("90m", 1.5)]
)
def test_a_length_counts_from_now(typed: str, hours: float) -> None:
    assert parse_until(typed, NOW) == NOW + hours * 3600


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "noon",
        "25:00",
        "09:60",
        "0m",
        "2026-02-30 09:00",
        "2026-02-01 09:00",
        "32d",
        "9:00 Mars/Base",
    ],
)
def test_what_is_no_time_to_come_is_refused_in_a_sentence(typed: str) -> None:
    with pytest.raises(UsageError):
        parse_until(typed, NOW)


@pytest.mark.parametrize(
    ("typed", "until", "reason"),
    [
        ("15:00 the database moves", "2026-03-01T15:00+00:00", "the database moves"),
        ("until 15:00 because the database moves", "2026-03-01T15:00+00:00", "the database moves"),
        ("15:00 Europe/London a fair", "2026-03-01T15:00+00:00", "a fair"),
        ("2026-03-02 09:00 because of us", "2026-03-02T09:00+00:00", "of us"),
        ("the database moves at 9:00", None, "the database moves at 9:00"),
    ],
)
def test_one_line_says_until_when_and_why(typed: str, until: str | None, reason: str) -> None:
    assert split_until(typed, NOW) == (None if until is None else at(until), reason)


def test_it_holds_up_to_its_end_and_not_at_it() -> None:
    hold = Hold(NOW + 60, "why", "bob", at=NOW)
    assert find_hold(hold, NOW + 59.999) == hold
    assert find_hold(hold, NOW + 60) is None
    assert find_hold(Hold(None, "why"), NOW + 1e9) is not None
    assert find_hold(Hold(None, "why", released=True), NOW) is None


@given(st.text(max_size=400), st.one_of(st.none(), st.floats(0, 4e9)))
def test_what_is_written_is_read_again_and_bounded(reason: str, until: float | None) -> None:
    read = decode_hold(encode_hold(Hold(until, reason, "bob", "bastion", NOW, "c1")))
    assert read is not None
    assert (read.until, read.by, read.change) == (until, "bob", "c1")
    assert len(read.reason) <= MOST_REASON
    assert read.reason.rstrip("…") == reason[: len(read.reason.rstrip("…"))].rstrip("…")


@pytest.mark.parametrize("text", ["{", "[1]", '{"until": "soon"}', "true", "schema 42"])
def test_what_cannot_be_read_holds_until_it_is_released(text: str) -> None:
    assert decode_hold(text) == UNREADABLE
    assert find_hold(decode_hold(text), 4e9) == UNREADABLE
    assert decode_hold("") is None


def test_its_words() -> None:
    hold = Hold(at("2026-03-02T09:00+00:00"), "the database moves", "bob", "bastion-2")
    said = "held by bob@bastion-2 until Mon 2 Mar 09:00Z because the database moves"
    assert format_hold(hold, NOW) == said
    assert format_hold(Hold(None, "wait\x1b[2J"), NOW).isprintable()
    assert format_hold(Hold(NOW + 60, "x", "bob"), NOW) == "held by bob until 14:04:22Z because x"


def test_its_annotation_is_beside_the_record_and_never_the_record_itself() -> None:
    assert annotation_key("canary-console/record", "hold") == "canary-console/hold"
    assert annotation_key("team.example/hold", "hold") == "team.example/hold-hold"


def test_the_change_writes_it_on_the_service_of_the_split_over_the_one_that_is_there() -> None:
    there = standing(hold=Hold(NOW - 5, "old", change="c-0"))
    change = moves.hold(PLAN, there, request(reason="the database moves"), NOW + 60)
    (step,) = change.steps
    assert isinstance(step, Annotate)
    assert (change.kind, step.service, step.before, step.change) == (
        "hold",
        "ion-api",
        "c-0",
        "c-1",
    )
    assert decode_hold(step.text) == Hold(
        NOW + 60, "the database moves", "oncall", "bastion-2", NOW, "c-1"
    )


def test_without_a_reason_nothing_is_held_and_without_a_hold_nothing_released() -> None:
    with pytest.raises(UsageError):
        moves.hold(PLAN, standing(), request(reason="  "), None)
    for over in (None, Hold(NOW, "over"), Hold(None, "x", released=True)):
        with pytest.raises(IllegalTransition):
            moves.release(PLAN, standing(hold=over), request())
    held = standing(hold=Hold(NOW + 0.001, "x", change="c-0"))
    (step,) = moves.release(PLAN, held, request(reason="done")).steps
    assert isinstance(step, Annotate)
    released = decode_hold(step.text)
    assert released is not None
    assert (released.released, released.reason, find_hold(released, NOW)) == (True, "done", None)
