"""How far each step of a change is, from what the journal noted."""

from __future__ import annotations

import pytest

from canary.engine.observe.journal_view import view_steps
from canary.rollout.change.change import Author, Change, Outcome, OutcomeState, SetScale, StepState
from canary.rollout.plan.plan import ScalePreset
from canary.store.entries import Entry, Note, NoteState


def entry(notes: tuple[tuple[int, NoteState], ...], state: OutcomeState | None, steps: int = 3):  # type: ignore[no-untyped-def]
    wanted = tuple(SetScale(f"s{i}", None, ScalePreset(0, 1)) for i in range(steps))
    change = Change("c", "scale", "r", wanted, Author("oncall", "bastion"), 0.0)
    outcome = None if state is None else Outcome(state, "", 9.0)
    noted = tuple(Note(step, said, "", 1.0) for step, said in notes)
    return Entry(1, change, noted, outcome, False, 0.0, "")


DONE_FIRST: tuple[tuple[int, NoteState], ...] = ((0, "sent"), (0, "accepted"), (0, "settled"))


@pytest.mark.parametrize(
    ("notes", "state", "expected"),
    [
        ((), None, ("to_do", "to_do", "to_do")),
        (((0, "sent"),), None, ("under_way", "to_do", "to_do")),
        (((0, "waiting"),), None, ("to_do", "to_do", "to_do")),
        (DONE_FIRST, None, ("done", "to_do", "to_do")),
        ((*DONE_FIRST, (1, "sent"), (1, "accepted")), None, ("done", "under_way", "to_do")),
        ((*DONE_FIRST, (1, "sent")), "failed", ("done", "failed", "to_do")),
        ((*DONE_FIRST, (1, "sent"), (1, "unknown")), "unknown", ("done", "unknown", "to_do")),
        (DONE_FIRST, "refused", ("done", "failed", "to_do")),
        ((), "not_begun", ("to_do", "to_do", "to_do")),
        (
            (*DONE_FIRST, (1, "settled"), (2, "settled")),
            "done",
            ("done", "done", "done"),
        ),
    ],
)
def test_each_step_has_its_state(
    notes: tuple[tuple[int, NoteState], ...],
    state: OutcomeState | None,
    expected: tuple[StepState, ...],
) -> None:
    found = view_steps(entry(notes, state), lambda step: step.service)
    assert tuple(step.state for step in found) == expected
    assert [step.text for step in found] == ["s0", "s1", "s2"]


def test_a_change_of_one_step_has_none_to_tell_apart() -> None:
    assert view_steps(entry((), None, steps=1), str) == ()
