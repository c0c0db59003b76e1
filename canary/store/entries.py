"""What the journal holds of one change: the change, the notes of its steps, its outcome. And the
tables that hold it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from canary.rollout.change import life
from canary.rollout.change.change import Change, Outcome
from canary.rollout.change.life import REMARKS as REMARKS
from canary.rollout.change.life import NoteState as NoteState
from canary.store.database import Schema

log = logging.getLogger(__name__)


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

    @property
    def marks(self) -> tuple[life.Mark, ...]:
        """The notes as the table of a change's life reads them."""
        return tuple((note.step, note.state) for note in self.notes)

    @property
    def state(self) -> life.State:
        """Where the change is in its life."""
        ended = None if self.outcome is None else self.outcome.state
        return life.state_of(self.marks, len(self.change.steps), ended)

    @property
    def present_step(self) -> int:
        """The first step that is not settled; the number of steps when all are."""
        return life.present_step(self.marks, len(self.change.steps))

    def state_of(self, step: int) -> life.State:
        """How far a step is, whatever became of the change."""
        return life.state_of_step(self.marks, step)

    def state_before_resumed(self, step: int) -> life.State:
        """How far a step was before a person said to go on with it."""
        marks = [mark for mark in self.marks if mark[1] != "resumed"]
        return life.state_of_step(marks, step)

    @property
    def last(self) -> Note | None:
        """The newest note, remarks aside; None when nothing was begun."""
        return next((n for n in reversed(self.notes) if n.state not in REMARKS), None)

    @property
    def waiting_since(self) -> float | None:
        """Since when it waits for Cloud Run, cloud time; None when it does not."""
        if self.state != "waiting" or self.last is None:
            return None
        since = self.last.at
        for note in reversed(self.notes):
            if note.state in ("accepted", "unknown", "settled", "resumed"):
                break
            if note.state == "waiting":
                since = note.at
        return since

    @property
    def waits_for(self) -> str:
        """What it waits for, as "waiting for …" goes on: "Cloud Run", or "your login"."""
        last = self.last
        login = self.state == "waiting" and last is not None and "our login " in last.detail
        return "your login" if login else "Cloud Run"

    @property
    def cloud_identity(self) -> str:
        """Who made the change, as Cloud Run says; empty when it did not tell."""
        told = (n.detail for n in self.notes if n.state == "settled" and n.detail)
        return next(told, "")

    @property
    def settled_at(self) -> float | None:
        """When the last step was seen in effect, cloud time; None while any is not."""
        if self.present_step < len(self.change.steps):
            return None
        return max((n.at for n in self.notes if n.state == "settled"), default=None)

    def first_at(self, state: NoteState) -> float | None:
        """When `state` was noted first, cloud time; None when it never was."""
        return next((n.at for n in self.notes if n.state == state), None)

    @property
    def is_withdrawable(self) -> bool:
        """Whether it is open and nothing of it is on its way: then it can still be withdrawn."""
        return "withdraw" in life.LIFE[self.state]

    def is_settled(self, step: int) -> bool:
        """Whether `step` is done."""
        return self.state_of(step) == "settled"

    def operation(self, step: int) -> str:
        """The name of the operation that carries `step`, empty when none is known."""
        names = [n.detail for n in self.notes if n.step == step and n.state == "accepted"]
        return names[-1] if names else ""


# The journal's tables, and their rows as entries.

SCHEMA = Schema(
    what="journal",
    application_id=0x43416A31,  # "CAj1"
    version=1,
    statements=(
        """CREATE TABLE changes (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL,
            intended_at REAL NOT NULL,
            owner TEXT NOT NULL DEFAULT '',
            outcome TEXT,
            acknowledged INTEGER NOT NULL DEFAULT 0)""",
        """CREATE TABLE notes (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            change_id TEXT NOT NULL REFERENCES changes (id) ON DELETE CASCADE,
            step INTEGER NOT NULL,
            state TEXT NOT NULL,
            detail TEXT NOT NULL,
            at REAL NOT NULL)""",
        "CREATE INDEX notes_of_change ON notes (change_id)",
        "CREATE INDEX open_changes ON changes (sequence) WHERE outcome IS NULL",
    ),
    durable=True,
)

_SELECT = "SELECT sequence, id, body, outcome, acknowledged, intended_at, owner FROM changes"
_Row = tuple[int, str, str, str | None, int, float, str]


def read_entries(
    db: sqlite3.Connection, clause: str, parameters: Sequence[str | int]
) -> tuple[Entry, ...]:
    """The changes that `clause` chooses and orders; those that cannot be read are left out."""
    # One read transaction, so that rows and notes are of the same moment.
    db.execute("BEGIN")
    try:
        rows = db.execute(f"{_SELECT} {clause}", parameters).fetchall()
        notes = _notes_of(db, [row[1] for row in rows])
    finally:
        db.execute("COMMIT")
    return tuple(e for row in rows if (e := _read_entry(row, notes[row[1]])) is not None)


def _notes_of(db: sqlite3.Connection, ids: Iterable[str]) -> defaultdict[str, list[Note]]:
    notes: defaultdict[str, list[Note]] = defaultdict(list)
    for change_id in ids:
        for step, state, detail, at in db.execute(
            "SELECT step, state, detail, at FROM notes WHERE change_id = ? ORDER BY sequence",
            (change_id,),
        ):
            notes[change_id].append(Note(step, state, detail, at))
    return notes


def _read_entry(row: _Row, notes: list[Note]) -> Entry | None:
    """A row as an Entry. One that cannot be read is left out: it must never be carried out."""
    sequence, change_id, body, outcome, acknowledged, intended_at, owner = row
    try:
        return Entry(
            sequence=sequence,
            change=msgspec.json.decode(body, type=Change),
            notes=tuple(notes),
            outcome=None if outcome is None else msgspec.json.decode(outcome, type=Outcome),
            acknowledged=bool(acknowledged),
            intended_at=intended_at,
            owner=owner,
        )
    except msgspec.DecodeError as exc:
        log.warning("journal entry %d (%r) cannot be read: %s", sequence, change_id, exc)
        return None
