"""From the journal's notes to the states of a change's steps. Pure."""

from __future__ import annotations

from collections.abc import Callable

from canary.record.entries import Entry
from canary.rollout.change import Step
from canary.rollout.step_view import StepState, StepView

_SAID = {"sent": "sent", "accepted": "settling", "unknown": "no answer, being looked up"}


def view_steps(entry: Entry, say: Callable[[Step], str]) -> tuple[StepView, ...]:
    """The steps in their order; `say` puts one into words. Empty where there is only one."""
    steps = entry.change.steps
    if len(steps) < 2:
        return ()
    return tuple(StepView(say(step), *_state_of(entry, index)) for index, step in enumerate(steps))


def _state_of(entry: Entry, index: int) -> tuple[StepState, str]:
    reached = entry.reached(index)
    if reached == "settled":
        return "done", ""
    if entry.outcome is not None:
        return _ended(entry, index)
    if reached is not None:
        return "under_way", _SAID.get(reached, reached)
    return "to_do", ""


def _ended(entry: Entry, index: int) -> tuple[StepState, str]:
    """The change has ended, and this step is not settled: the first such one is what ended it."""
    outcome = entry.outcome
    if outcome is None or outcome.state == "done":
        return "done", ""
    first = all(entry.is_settled(before) for before in range(index))
    if not first:
        return "to_do", "not begun"
    if outcome.state == "unknown":
        return "unknown", "how it ended is not known"
    return ("to_do", "not begun") if outcome.state == "not_begun" else ("failed", "")
