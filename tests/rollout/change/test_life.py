"""The table of a change's life: complete, without dead ends, and what the documents show of it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change.change import OutcomeState
from canary.rollout.change.life import (
    EVENT_OF_END,
    EVENT_OF_FINDING,
    LIFE,
    NEVER_SENT,
    NEXT,
    ON_ITS_WAY,
    OPEN,
    REMARKS,
    WHO,
    Event,
    IllegalEvent,
    NoteState,
    State,
    document,
    event_of_note,
    follow,
    present_step,
    replay,
    state_of,
)

PAGE = Path(__file__).parents[3] / "docs" / "change-life.md"
STATES: tuple[State, ...] = get_args(State)
OUTCOMES: tuple[OutcomeState, ...] = get_args(OutcomeState)
MOVES = tuple(note for note in get_args(NoteState) if note not in REMARKS)


def test_the_page_in_docs_is_the_table() -> None:
    """Else: python -m canary.rollout.change.life > docs/change-life.md."""
    assert PAGE.read_text(encoding="utf-8") == document()


def test_every_state_and_event_has_its_row() -> None:
    assert set(LIFE) == set(STATES)
    assert {event for rules in LIFE.values() for event in rules} == set(get_args(Event)) == set(WHO)
    assert {rule.to for rules in LIFE.values() for rule in rules.values()} == set(STATES)
    assert set(NEXT) == OPEN == set(STATES) - set(OUTCOMES)


def test_every_open_state_has_a_way_on_by_the_executor_and_by_a_person() -> None:
    """Nothing waits for ever on an executor that died, nor on a person where one lives."""
    for state in OPEN:
        by = {WHO[event] for event in LIFE[state]}
        assert {"holder", "person"} <= by, state
    assert {WHO[event] for event in LIFE["unknown"]} == {"person"}


def test_from_every_open_state_an_end_is_reached() -> None:
    ended = {state for state in STATES if not LIFE[state]}
    assert ended == set(OUTCOMES) - {"unknown"}
    reaches = set(ended)
    while more := {s for s in STATES if any(r.to in reaches for r in LIFE[s].values())} - reaches:
        reaches |= more
    assert reaches == set(STATES)


def test_what_may_take_effect_is_never_sent_again_but_by_a_person() -> None:
    """No way leads from a step that is on its way to another sending without "resume"."""
    for state in ON_ITS_WAY:
        assert "send" not in LIFE[state]
        assert not LIFE[state].keys() & {"withdraw", "leave"}
        assert NEXT[state] in ("look_up", "follow")
    again = {s for s in STATES if any(r.to in ON_ITS_WAY for r in LIFE[s].values())} - ON_ITS_WAY
    assert again == NEVER_SENT | {"resumed"}


def test_only_what_never_went_out_waits() -> None:
    """From "sent" it is certain that it did not; where an answer may be lost there is no way."""
    waits = {state for state in STATES if "away" in LIFE[state]}
    assert waits == {"to_do", "waiting", "retry", "resumed", "sent"}


def test_only_what_certainly_had_no_effect_is_sent_again() -> None:
    """A clear refusal, at the call or as the operation's end; never where an answer was lost."""
    again = {state for state in STATES if "retry" in LIFE[state]}
    assert again == {"to_do", "waiting", "retry", "resumed", "sent", "accepted"}


def test_it_is_done_only_where_every_step_is_settled_or_a_person_has_found_it() -> None:
    for state, rules in LIFE.items():
        for event, rule in rules.items():
            if rule.to == "done":
                assert event == "find_done" or state == "settled"


def test_an_outcome_is_what_its_event_leads_to() -> None:
    for outcome in OUTCOMES:
        ways = [
            rules[EVENT_OF_END[outcome]]
            for rules in LIFE.values()
            if EVENT_OF_END[outcome] in rules
        ]
        assert {rule.to for rule in ways} == {outcome}
        if outcome in EVENT_OF_FINDING:
            event = EVENT_OF_FINDING[outcome]
            assert {rules[event].to for rules in LIFE.values() if event in rules} == {outcome}
        else:
            assert outcome == "unknown"


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("done", "send"),
        ("accepted", "send"),
        ("unanswered", "away"),
        ("sent", "withdraw"),
        ("to_do", "settle"),
        ("to_do", "succeed"),
        ("unknown", "send"),
        ("settled", "resume"),
    ],
)
def test_what_the_table_does_not_have_is_refused_loudly(state: State, event: Event) -> None:
    with pytest.raises(IllegalEvent, match=f'"{state}" cannot "{event}"'):
        follow(state, event)


def test_the_state_is_that_of_the_first_step_that_is_not_settled() -> None:
    marks: list[tuple[int, NoteState]] = [(0, "sent"), (0, "accepted")]
    assert (state_of((), 2), state_of(marks, 2)) == ("to_do", "accepted")
    marks += [(0, "settled"), (1, "remark")]
    assert (present_step(marks, 2), state_of(marks, 2)) == (1, "to_do")
    marks += [(1, "sent"), (1, "unknown")]
    assert (state_of(marks, 2), state_of(marks, 2, "failed")) == ("unanswered", "failed")
    assert state_of([*marks, (1, "settled")], 2) == "settled"


def test_a_note_of_another_step_than_the_present_one_is_refused() -> None:
    with pytest.raises(IllegalEvent, match="the present one"):
        event_of_note((), 2, 1, "sent")
    with pytest.raises(IllegalEvent):
        event_of_note([(0, "sent"), (0, "settled")], 2, 0, "sent")
    assert event_of_note([(0, "sent")], 2, 0, "settled") == "settle"
    assert event_of_note([(0, "sent")], 1, 0, "settled") == "settle_last"


@pytest.mark.parametrize(
    ("marks", "outcome"),
    [
        ([(0, "accepted")], None),
        ([(0, "sent"), (0, "sent")], None),
        ([(0, "sent"), (0, "accepted"), (0, "waiting")], None),
        ([(0, "sent")], "not_begun"),
        ([(0, "sent"), (0, "settled")], "refused"),
    ],
)
def test_a_journal_that_cannot_be_is_not_replayed(
    marks: list[tuple[int, NoteState]], outcome: OutcomeState | None
) -> None:
    with pytest.raises(IllegalEvent):
        replay(marks, 1, outcome)


@given(st.data(), st.integers(1, 3))
def test_whatever_is_walked_by_the_table_reads_as_where_it_led(
    data: st.DataObject, steps: int
) -> None:
    """Both readers agree: the lenient one, of what is there, and the strict one, of how it came."""
    marks: list[tuple[int, NoteState]] = []
    state: State = "to_do"
    for _ in range(data.draw(st.integers(0, 12))):
        present = present_step(marks, steps)
        legal = [
            note
            for note in MOVES
            if present < steps and event_of_note(marks, steps, present, note) in LIFE[state]
        ]
        if not legal:
            break
        note = data.draw(st.sampled_from(legal))
        state = follow(state, event_of_note(marks, steps, present, note)).to
        marks.append((present, note))
        assert state_of(marks, steps) == state == replay(marks, steps)
