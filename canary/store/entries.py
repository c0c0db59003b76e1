"""What the journal holds of one change: the change, the notes of its steps, its outcome. And the
tables that hold it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from canary.rollout.change import life
from canary.rollout.change.change import Change, Outcome
from canary.rollout.change.life import REMARKS as REMARKS
from canary.rollout.change.life import NoteState as NoteState
from canary.rollout.change.text import PROGRAM_RUNS
from canary.rollout.text import sanitize
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
        """What it waits for, as "waiting for …" goes on: "Cloud Run", "your login", or "another
        program" (of the router `command`).
        """
        detail = self.last.detail if self.state == "waiting" and self.last is not None else ""
        if "our login " in detail:
            return "your login"
        return WAITS_FOR_PROGRAM if detail.startswith(PROGRAM_RUNS) else "Cloud Run"

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

    def was_sent(self, step: int) -> bool:
        """Whether a step may have taken effect; one that a person said to go on with may have been
        sent before that.
        """
        return self.state_before_resumed(step) not in life.NEVER_SENT

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
WAITS_FOR_PROGRAM: Final = "another program"

LATEST_TIME: Final = 253_402_300_800.0
"""Unix seconds of the year 10 000: no time of a change is beyond it."""


class Unreadable(msgspec.Struct, frozen=True):
    """A row of the journal that cannot be read: its outcome is unknown, and nothing carries it out.

    `id` as far as it can be told, "" where it cannot; `why` in a few words.
    """

    sequence: int
    id: str
    why: str


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """A row as it must be: damage can turn any value of it into anything."""

    sequence: int
    id: str
    body: str
    outcome: str | None
    acknowledged: int
    intended_at: float
    owner: str


def read_rows(
    db: sqlite3.Connection, clause: str, parameters: Sequence[str | int]
) -> tuple[Entry | Unreadable, ...]:
    """The changes that `clause` chooses and orders."""
    # One read transaction, so that rows and notes are of the same moment.
    db.execute("BEGIN")
    try:
        rows = db.execute(f"{_SELECT} {clause}", parameters).fetchall()
        return tuple(_read_entry(db, row) for row in rows)
    finally:
        if db.in_transaction:
            db.execute("COMMIT")


def _read_entry(db: sqlite3.Connection, raw: Sequence[object]) -> Entry | Unreadable:
    """A row as an Entry; one that cannot be read must never be carried out."""
    try:
        row = msgspec.convert(raw, _Row)
        change = msgspec.json.decode(row.body, type=Change)
        notes = msgspec.convert(_notes_of(db, row.id), tuple[Note, ...])
        outcome = None if row.outcome is None else msgspec.json.decode(row.outcome, type=Outcome)
        _check(row, change, notes, outcome)
    except (msgspec.DecodeError, UnicodeError, ValueError) as exc:
        told, why = sanitize(raw[1], 60), sanitize(exc, 200)
        log.warning("journal entry %r (%s) cannot be read: %s", raw[0], told, why)
        return Unreadable(raw[0] if isinstance(raw[0], int) else 0, told, why)
    return Entry(
        sequence=row.sequence,
        change=change,
        notes=notes,
        outcome=outcome,
        acknowledged=bool(row.acknowledged),
        intended_at=row.intended_at,
        owner=row.owner,
    )


def _notes_of(db: sqlite3.Connection, change_id: str) -> list[dict[str, object]]:
    query = "SELECT step, state, detail, at FROM notes WHERE change_id = ? ORDER BY sequence"
    names = ("step", "state", "detail", "at")
    return [dict(zip(names, note, strict=True)) for note in db.execute(query, (change_id,))]


def _check(row: _Row, change: Change, notes: Sequence[Note], outcome: Outcome | None) -> None:
    """Raise ValueError for what can be decoded and cannot be true."""
    for text in (row.id, row.owner, *(note.detail for note in notes)):
        text.encode()  # raises where the file has bytes that are no text
    if change.id != row.id:
        raise ValueError("the row has another id than the change in it")
    if not change.steps:
        raise ValueError("the change has no steps")
    if any(not 0 <= note.step < len(change.steps) for note in notes):
        raise ValueError("a note is of a step that the change does not have")
    times = [row.intended_at, change.created_at, *(note.at for note in notes)]
    times += [outcome.at] if outcome is not None else []
    if not all(0.0 <= at < LATEST_TIME for at in times):
        raise ValueError("a time of it is none")
