"""What the journal holds of one change: the change, what was noted of its steps, how it ended."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from canary.rollout.change.change import Change, Outcome

NoteState = Literal[
    "sent",
    "accepted",
    "unknown",
    "settled",
    "waiting",
    "resumed",
    "remark",
    "verified",
    "not_verified",
    "unverified",
]
REMARKS: Final[frozenset[NoteState]] = frozenset(
    {"remark", "verified", "not_verified", "unverified"}
)
"""What is said of a change and moves it nowhere; the last three are of its verification."""


class Note(msgspec.Struct, frozen=True):
    """What was done for step `step` (0 is the first). `detail` of "accepted": the operation.

    Of "settled": who changed it, as Cloud Run says; of "resumed": who said so. `at` is the cloud's
    time.
    """

    step: int
    state: NoteState
    detail: str
    at: float


class Entry(msgspec.Struct, frozen=True):
    """A change in the journal. `outcome` None: open. `owner` empty: nobody has begun it.

    `sequence` grows in the order of intents. `intended_at` is this host's wall clock, since the
    embedded cloud's clock stands still while nobody looks; all other times are the cloud's.
    """

    sequence: int
    change: Change
    notes: tuple[Note, ...]
    outcome: Outcome | None
    acknowledged: bool
    intended_at: float
    owner: str

    def reached(self, step: int) -> NoteState | None:
        """The last state noted for `step`, remarks aside; None when it was not begun, or only
        tried without anything going out.
        """
        states = [n.state for n in self.notes if n.step == step and n.state not in REMARKS]
        return states[-1] if states and states[-1] != "waiting" else None

    @property
    def last(self) -> Note | None:
        """The newest note, remarks aside; None when nothing was begun."""
        return next((n for n in reversed(self.notes) if n.state not in REMARKS), None)

    @property
    def waiting_since(self) -> float | None:
        """Since when it waits for Cloud Run, cloud time; None when it does not."""
        if self.outcome is not None or self.last is None or self.last.state != "waiting":
            return None
        since = self.last.at
        for note in reversed(self.notes):
            if note.state in ("accepted", "unknown", "settled", "resumed"):
                break
            if note.state == "waiting":
                since = note.at
        return since

    @property
    def cloud_identity(self) -> str:
        """Who made the change, as Cloud Run says; empty when it did not tell."""
        told = (n.detail for n in self.notes if n.state == "settled" and n.detail)
        return next(told, "")

    @property
    def settled_at(self) -> float | None:
        """When the last step was seen in effect, cloud time; None while any is not."""
        if not all(map(self.is_settled, range(len(self.change.steps)))):
            return None
        return max((n.at for n in self.notes if n.state == "settled"), default=None)

    def first_at(self, state: NoteState) -> float | None:
        """When `state` was noted first, cloud time; None when it never was."""
        return next((n.at for n in self.notes if n.state == state), None)

    @property
    def is_withdrawable(self) -> bool:
        """Whether it is open and nothing of it is on its way: then it can still be withdrawn."""
        if self.outcome is not None or all(map(self.is_settled, range(len(self.change.steps)))):
            return False
        return self.last is None or self.last.state in ("waiting", "settled", "resumed")

    def is_settled(self, step: int) -> bool:
        """Whether `step` is done."""
        return self.reached(step) == "settled"

    def operation(self, step: int) -> str:
        """The name of the operation that carries `step`, empty when none is known."""
        names = [n.detail for n in self.notes if n.step == step and n.state == "accepted"]
        return names[-1] if names else ""
