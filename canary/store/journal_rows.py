"""The journal's tables, and their rows as entries."""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from canary.rollout.change.change import Change, Outcome
from canary.store.database import Schema
from canary.store.entries import Entry, Note

log = logging.getLogger(__name__)

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
