"""A change's life, from the intent to the outcome, as one table: pure data, and its readers.

Whoever carries a change out, looks it up, withdraws it or shows it goes by LIFE: what may happen in
a state, where it leads, and what is written to the journal. The journal refuses everything else
(`IllegalEvent`), so that no program, and no mistake in one, can take a change where it cannot be.

The steps of a change are carried out one after another, and notes are of the *present* step, the
first that is not settled. So the state of a change is the state of its present step, until it has
ended: "to_do" again after each step that is settled, "settled" when none is left. In the journal
itself a state is the last note of the present step ("unanswered" is written as "unknown"), or the
state of the outcome. `python -m canary.rollout.change.life` prints docs/change-life.md.

Rejected: a machine for each step beside one for the change (two tables, and rules about both), and
deriving what may happen from lists of notes where it is needed, as six places once did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

from canary.rollout.change.change import OutcomeState
from canary.rollout.errors import RecordError

State = Literal[
    "to_do",
    "waiting",
    "retry",
    "sent",
    "accepted",
    "unanswered",
    "resumed",
    "settled",
    "done",
    "failed",
    "refused",
    "unknown",
    "not_begun",
    "abandoned",
]
"""Up to "settled" the change is open; from "done" on it has ended, "unknown" for the time being."""

Event = Literal[
    "send",
    "away",
    "retry",
    "accept",
    "no_answer",
    "settle",
    "settle_last",
    "succeed",
    "fail",
    "refuse",
    "lose",
    "leave",
    "withdraw",
    "resume",
    "find_done",
    "find_failed",
    "find_refused",
    "find_not_begun",
    "abandon",
]

NoteState = Literal[
    "sent",
    "accepted",
    "unknown",
    "settled",
    "waiting",
    "retry",
    "resumed",
    "remark",
    "verified",
    "not_verified",
    "unverified",
]
"""What the journal holds of a step."""

REMARKS: Final[frozenset[NoteState]] = frozenset(
    {"remark", "verified", "not_verified", "unverified"}
)
"""What is said of a change and moves it nowhere; the last three are of its verification."""

Written = Literal[
    "sent", "accepted", "unknown", "settled", "waiting", "retry", "resumed", "outcome"
]


class Rule(NamedTuple):
    """Where an event leads, and what is written to the journal with it, in one transaction.

    Out of "unknown" the outcome that was written before is kept as a remark.
    """

    to: State
    writes: Written


_SEND: Final = Rule("sent", "sent")
_AWAY: Final = Rule("waiting", "waiting")
_RETRY: Final = Rule("retry", "retry")
_SETTLE: Final = Rule("to_do", "settled")
_SETTLE_LAST: Final = Rule("settled", "settled")
_FAIL: Final = Rule("failed", "outcome")
_REFUSE: Final = Rule("refused", "outcome")
_LOSE: Final = Rule("unknown", "outcome")
_LEAVE: Final = Rule("not_begun", "outcome")
_WITHDRAW: Final = Rule("abandoned", "outcome")
_DONE: Final = Rule("done", "outcome")

_LEFT: Final[dict[Event, Rule]] = {
    "resume": Rule("resumed", "resumed"),
    "find_done": _DONE,
    "find_failed": _FAIL,
    "find_refused": _REFUSE,
    "abandon": Rule("abandoned", "outcome"),
}
"""What a person may do with a change that nobody carries out and whose end is not known."""

_NEVER_SENT: Final[dict[Event, Rule]] = {"find_not_begun": _LEAVE}
"""Somebody else's change is there instead, and nothing of this one was ever sent."""

_UNSENT: Final[dict[Event, Rule]] = {
    "send": _SEND,
    "away": _AWAY,
    "retry": _RETRY,
    "fail": _FAIL,
    "refuse": _REFUSE,
    "leave": _LEAVE,
    "withdraw": _WITHDRAW,
}
"""Nothing of the present step is on its way: it may go out, and may still be withdrawn."""

_ON_ITS_WAY: Final[dict[Event, Rule]] = {
    "settle": _SETTLE,
    "settle_last": _SETTLE_LAST,
    "fail": _FAIL,
    "refuse": _REFUSE,
    "lose": _LOSE,
}
"""It may take effect at any moment: it is looked up, never sent again."""

LIFE: Final[Mapping[State, Mapping[Event, Rule]]] = {
    # The present step was not begun.
    "to_do": {**_UNSENT, **_LEFT, **_NEVER_SENT},
    # It is certain that it did not go out, for Cloud Run is away: a rollback waits for it.
    "waiting": {**_UNSENT, **_LEFT, **_NEVER_SENT},
    # Its guard kept it out: the service was touched, its split was not. Going back goes out again.
    "retry": {**_UNSENT, **_LEFT, **_NEVER_SENT},
    # It is on its way. Noted before the call: from here on it may have taken effect.
    "sent": {
        **_ON_ITS_WAY,
        "accept": Rule("accepted", "accepted"),
        "no_answer": Rule("unanswered", "unknown"),
        "away": _AWAY,
        "retry": _RETRY,
        **_LEFT,
    },
    # Cloud Run took it, and named an operation.
    "accepted": {**_ON_ITS_WAY, "retry": _RETRY, **_LEFT},
    # No answer came: it is being looked up.
    "unanswered": {**_ON_ITS_WAY, **_LEFT},
    # A person has looked, and said to go on: seen to be there, or sent under its old guard.
    "resumed": {**_UNSENT, **_ON_ITS_WAY, **_LEFT},
    # Every step is seen in effect.
    "settled": {"succeed": _DONE, "find_done": _DONE, "abandon": _LEFT["abandon"]},
    # The end. The first outcome stays.
    "done": {},
    "failed": {},
    "refused": {},
    "not_begun": {},
    "abandoned": {},
    # How it ended was not found out; a person may look again.
    "unknown": _LEFT,
}

Who = Literal["holder", "anybody", "person"]

WHO: Final[Mapping[Event, Who]] = {
    **dict.fromkeys((*_UNSENT, *_ON_ITS_WAY), "holder"),
    **dict.fromkeys(("accept", "no_answer", "succeed"), "holder"),
    "withdraw": "anybody",
    **dict.fromkeys(
        ("resume", "find_done", "find_failed", "find_refused", "find_not_begun", "abandon"),
        "person",
    ),
}
"""Who may bring an event about: the living process that holds the change; anybody, held or not; a
person, while no living process holds it."""

Act = Literal["send", "resume", "follow", "look_up", "end"]

NEXT: Final[Mapping[State, Act]] = {
    "to_do": "send",
    "waiting": "send",
    "retry": "send",
    "sent": "look_up",
    "accepted": "follow",
    "unanswered": "look_up",
    "resumed": "resume",
    "settled": "end",
}
"""What an executor does that takes a change up in an open state: send the present step; go on as a
person said; follow its operation; look for it at the service; write the outcome. Ended: nothing."""

OPEN: Final = frozenset(NEXT)
"""The states of a change without an outcome."""

ON_ITS_WAY: Final = frozenset[State]({"sent", "accepted", "unanswered"})
"""The present step may take effect at any moment, whatever becomes of this host."""

NEVER_SENT: Final = frozenset[State]({"to_do", "waiting", "retry"})
"""Nothing of the present step has ever taken effect: it never went out, or was clearly refused."""

_OF_NOTE: Final[Mapping[NoteState, State]] = {
    "sent": "sent",
    "accepted": "accepted",
    "unknown": "unanswered",
    "settled": "settled",
    "waiting": "waiting",
    "retry": "retry",
    "resumed": "resumed",
}
_EVENT_OF_NOTE: Final[Mapping[NoteState, Event]] = {
    "sent": "send",
    "accepted": "accept",
    "unknown": "no_answer",
    "settled": "settle",
    "waiting": "away",
    "retry": "retry",
    "resumed": "resume",
}
EVENT_OF_END: Final[Mapping[OutcomeState, Event]] = {
    "done": "succeed",
    "failed": "fail",
    "refused": "refuse",
    "unknown": "lose",
    "not_begun": "leave",
    "abandoned": "withdraw",
}
"""By which event a change ends when its holder writes an outcome, or somebody withdraws it."""
EVENT_OF_FINDING: Final[Mapping[OutcomeState, Event]] = {
    "done": "find_done",
    "failed": "find_failed",
    "refused": "find_refused",
    "not_begun": "find_not_begun",
    "abandoned": "abandon",
}
"""The same for an outcome that a person has found out, or given the change up with."""


class IllegalEvent(RecordError):
    """The change cannot do that from where it is: nothing was written, nothing may be sent."""


def follow(state: State, event: Event) -> Rule:
    """The rule for `event` in `state`. Raises IllegalEvent where there is none."""
    rule = LIFE[state].get(event)
    if rule is None:
        raise IllegalEvent(
            f'A change that is "{state}" cannot "{event}".',
            remedy="This is a mistake in a program: keep the journal, look at the service.",
        )
    return rule


Mark = tuple[int, NoteState]
"""A note of a step, as far as it moves a change: (step from 0, state)."""


def present_step(marks: Iterable[Mark], steps: int) -> int:
    """The first step that is not settled; `steps` when all are."""
    last = _last_marks(marks)
    return next((i for i in range(steps) if last.get(i) != "settled"), steps)


def state_of_step(marks: Iterable[Mark], step: int) -> State:
    """How far one step is, whatever became of the change."""
    last = _last_marks(marks).get(step)
    return "to_do" if last is None else _OF_NOTE[last]


def state_of(marks: Iterable[Mark], steps: int, outcome: OutcomeState | None = None) -> State:
    """The state of a change of `steps` steps, from what its journal holds; remarks are passed over.

    Lenient: it reads what an older version wrote, too.
    """
    if outcome is not None:
        return outcome
    kept = tuple(marks)
    present = present_step(kept, steps)
    return state_of_step(kept, present) if present < steps else "settled"


def event_of_note(marks: Iterable[Mark], steps: int, step: int, state: NoteState) -> Event:
    """The event that noting `state` of `step` is. Raises IllegalEvent when it moves nothing, or
    `step` is not the present one.
    """
    present = present_step(marks, steps)
    if state in REMARKS or step != present:
        what = f'"{state}" of step {step + 1}'
        raise IllegalEvent(f"{what} cannot be noted: the present one is step {present + 1}.")
    event = _EVENT_OF_NOTE[state]
    return "settle_last" if event == "settle" and step == steps - 1 else event


def replay(marks: Iterable[Mark], steps: int, outcome: OutcomeState | None = None) -> State:
    """Walk through all that a journal holds of a change, strictly; the state that it leads to.

    Raises IllegalEvent at the first note, or the outcome, that the table does not allow. (A change
    that was unknown for a while is walked through as if it had stayed open: what may follow is the
    same.)
    """
    walked: list[Mark] = []
    state: State = "to_do"
    for step, note in marks:
        if note in REMARKS:
            continue
        rule = follow(state, event_of_note(walked, steps, step, note))
        walked.append((step, note))
        state = rule.to
    if outcome is None:
        return state
    events = (EVENT_OF_END[outcome], EVENT_OF_FINDING.get(outcome, EVENT_OF_END[outcome]))
    legal = next((e for e in events if e in LIFE[state]), events[0])
    return follow(state, legal).to


def _last_marks(marks: Iterable[Mark]) -> dict[int, NoteState]:
    return {step: note for step, note in marks if note not in REMARKS}


# The table for people.


def document() -> str:
    """docs/change-life.md: the diagram, and the table below it."""
    diagrams = (*_diagram(persons=False), _AFTER, *_diagram(persons=True))
    return "\n".join((_HEAD, *diagrams, _TABLE, *_rows(), _FOOT))


_HEAD: Final = """\
# The life of a change

Made by `python -m canary.rollout.change.life`; do not edit. The table is
`canary/rollout/change/life.py`: the executor, recovery, the journal and the screen go by it.

## What happens by itself, or is withdrawn
"""
_AFTER: Final = """
## What a person may do once nobody carries it out
"""
_TABLE: Final = """
## The table
| state | event | by | leads to | written |
|---|---|---|---|---|"""
_FOOT: Final = """
"settle" leads to the next step, which is then to do; "settle_last" is that of the last one. Out of
"unknown" the old outcome is kept as a remark. *holder*: the living process that carries the change
out. *person*: while no living process does. *anybody*: both.
"""


def _diagram(*, persons: bool) -> Iterator[str]:
    """One arrow between two states, with all the events that go that way."""
    yield "```mermaid"
    yield "stateDiagram-v2"
    if not persons:
        yield "    [*] --> to_do: intend"
    for state, rules in LIFE.items():
        arrows: dict[State, list[str]] = {}
        for event, rule in rules.items():
            if (WHO[event] == "person") is persons:
                arrows.setdefault(rule.to, []).append(event)
        yield from (f"    {state} --> {to}: {', '.join(how)}" for to, how in arrows.items())
        if not rules and not persons:
            yield f"    {state} --> [*]"
    yield "```"


def _rows() -> Iterator[str]:
    for state, rules in LIFE.items():
        for event, rule in rules.items():
            yield f"| {state} | {event} | {WHO[event]} | {rule.to} | {rule.writes} |"


if __name__ == "__main__":
    print(document(), end="")  # noqa: T201
