"""The journal as the screen shows it: changes, and their lines in the event log. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

from canary.rollout.change.change import (
    Change,
    OutcomeState,
    Step,
    StepState,
    StepView,
)
from canary.rollout.change.life import NEVER_SENT
from canary.rollout.change.text import KIND_WORDS, format_step
from canary.rollout.snapshot.snapshot import ChangeView, Event
from canary.rollout.text import format_clock, sanitize
from canary.store.journal import Entry, Note, NoteState

_NOTE_WORDS = {
    "sent": "sent",
    "accepted": "accepted, settling",
    "unknown": "no answer, looking it up",
    "settled": "settled",
    "retry": "the service was touched meanwhile; sending it again",
    "resumed": "taken up again",
    "remark": "",
    "verified": "",
    "not_verified": "",
    "unverified": "",
}
_Severity = Literal["info", "good", "warning", "critical"]
_VERIFIED: dict[NoteState, _Severity] = {
    "verified": "good",
    "not_verified": "critical",
    "unverified": "warning",
}
"""Not passed is as loud as a failed change."""
_SEVERITY: dict[OutcomeState, _Severity] = {
    "done": "good",
    "failed": "critical",
    "refused": "warning",
    "unknown": "critical",
    "not_begun": "warning",
    "abandoned": "warning",
}


def view_change(entry: Entry) -> ChangeView:
    """One change of the journal, in flight while it has no outcome."""
    return ChangeView(
        id=entry.change.id,
        kind=entry.change.kind,
        title=title_of(entry.change),
        author=str(entry.change.author),
        asked_at=entry.change.created_at,
        step=_step_of(entry),
        outcome=entry.outcome,
        acknowledged=entry.acknowledged,
        waiting_since=entry.waiting_since,
        waits_for=entry.waits_for,
        is_withdrawable=entry.is_withdrawable,
        is_automatic=bool(entry.change.cause),
        steps=view_steps(entry, partial(format_step, brief=True)),
    )


def title_of(change: Change) -> str:
    """What a change does, in a few words: "promote 10 % → 25 % (stage 2 → 3)"."""
    steps = ", ".join(format_step(s, brief=True) for s in change.steps)
    stages = ""
    if change.from_stage is not None and change.to_stage is not None:
        stages = f" (stage {change.from_stage} → {change.to_stage})"
    return sanitize(f"{KIND_WORDS[change.kind]} {steps}{stages}")


def journal_events(entries: Iterable[Entry]) -> tuple[Event, ...]:
    """The lines of each change: asked for, how it ended, what a verification found. Newest first.

    Of a verification they are whoever's console is opened next, and of the shell's too.
    """
    events: list[Event] = []
    for entry in entries:
        change, author = entry.change, sanitize(entry.change.author, 60)
        if change.kind == "note" and (entry.outcome is None or entry.outcome.state == "done"):
            continue  # it is told as what it says
        why = f": {sanitize(change.reason, 120)}" if change.reason else ""
        forced = " (forced)" if change.forced else ""
        asked = f"asked: {title_of(change)}{forced}{why}"
        events.append(Event(change.created_at, "info", asked, author))
        if entry.outcome is not None:
            severity = _SEVERITY[entry.outcome.state]
            if change.cause and severity == "warning":
                severity = "critical"  # nobody asked for it, so nobody waits to hear of its end
            state = entry.outcome.state.replace("_", " ")
            said = sanitize(entry.outcome.message)
            text = f"{state}: {title_of(change)}. {said}".strip()
            events.append(Event(entry.outcome.at, severity, text, author))
        events += (
            Event(note.at, _VERIFIED[note.state], sanitize(note.detail, 300))
            for note in entry.notes
            if note.state in _VERIFIED
        )
    return tuple(sorted(events, key=lambda e: -e.at))


def _step_of(entry: Entry) -> str:
    """What is being done now; empty once there is an outcome."""
    if entry.outcome is not None:
        return ""
    if not entry.notes:
        return "waiting for the executor" if not entry.owner else "begun"
    note = entry.notes[-1]
    since = entry.waiting_since
    if since is not None:
        return f"waiting for {entry.waits_for} since {format_clock(since)}"
    count = len(entry.change.steps)
    where = f"step {note.step + 1} of {count}: " if count > 1 else ""
    return where + _format_note(note)


def _format_note(note: Note) -> str:
    known = _NOTE_WORDS.get(note.state, "")
    return known or sanitize(note.detail, 120) or note.state


# From the journal's notes to the states of a change's steps. Pure.

_SAID = {"sent": "sent", "accepted": "settling", "unanswered": "no answer, being looked up"}


def view_steps(entry: Entry, say: Callable[[Step], str]) -> tuple[StepView, ...]:
    """The steps in their order; `say` puts one into words. Empty where there is only one."""
    steps = entry.change.steps
    if len(steps) < 2:
        return ()
    return tuple(StepView(say(step), *_state_of(entry, index)) for index, step in enumerate(steps))


def _state_of(entry: Entry, index: int) -> tuple[StepState, str]:
    state = entry.state_of(index)
    if state == "settled":
        return "done", ""
    if entry.outcome is not None:
        return _ended(entry, index)
    if state in NEVER_SENT:
        return "to_do", ""
    return "under_way", _SAID.get(state, state)


def _ended(entry: Entry, index: int) -> tuple[StepState, str]:
    """The change has ended, and this step is not settled: the first such one is what ended it."""
    outcome = entry.outcome
    if outcome is None or outcome.state == "done":
        return "done", ""
    if index != entry.present_step:
        return "to_do", "not begun"
    if outcome.state == "unknown":
        return "unknown", "how it ended is not known"
    return ("to_do", "not begun") if outcome.state == "not_begun" else ("failed", "")
