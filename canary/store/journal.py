"""The journal of changes on this host: the intent before the act, what was done, how it ended.

It is the only hand-over from a console to its executor, and the log of who did what. It is never
the authority on where the rollout stands: that is in the cloud. An intent is on the disk before
`intend` returns (WAL, synchronous=FULL); a change ends once, the first outcome stays; a change is
carried out by one owner, taken over only from one that is dead (`locks.Owner`).

What may be written when is `rollout.change.life`; anything else is refused (IllegalEvent). A
`remark`, or what a verification found, may stand anywhere, and moves nothing.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from canary.rollout.change import life
from canary.rollout.change.change import Change, Outcome, OutcomeState
from canary.rollout.errors import RecordError
from canary.rollout.evidence.dismissal import Dismissal
from canary.store.database import Record
from canary.store.dismissals import read_dismissals, write_dismissal
from canary.store.entries import REMARKS, SCHEMA, read_rows
from canary.store.entries import Entry as Entry
from canary.store.entries import Note as Note
from canary.store.entries import NoteState as NoteState
from canary.store.entries import Unreadable as Unreadable
from canary.store.locks import is_alive

log = logging.getLogger(__name__)

KEPT_CHANGES = 10_000
"""So many settled changes stay in the journal; older ones are dropped."""


class Journal(Record):
    """The journal. `wall` is this host's clock, unix seconds. `path` None: it is kept nowhere, for
    a rollback that must go out although no file can be written.
    """

    schema = SCHEMA

    def __init__(
        self,
        path: Path | None,
        *,
        read_only: bool = False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(path, read_only=read_only)
        self._wall = wall
        self._writes = 0

    def intend(self, change: Change, owner: str = "") -> bool:
        """Write the intent; it is on the disk when this returns. False: it is there already.

        With `owner` it is claimed in the same transaction, so that no other executor takes it.
        Raises RecordError when another change has the same id.
        """
        body = msgspec.json.encode(change).decode()
        with self._database.writing() as db:
            row = db.execute("SELECT body FROM changes WHERE id = ?", (change.id,)).fetchone()
            if row is not None:
                if row[0] != body:
                    raise RecordError(f"The journal has another change with the id {change.id}.")
                return False
            db.execute(
                "INSERT INTO changes (id, body, intended_at, owner) VALUES (?, ?, ?, ?)",
                (change.id, body, self._wall(), owner),
            )
        self._writes += 1
        return True

    def claim(self, change_id: str, owner: str) -> bool:
        """Take an open change for `owner`. False: it is settled, unknown, or a living other's."""
        with self._database.writing() as db:
            row = db.execute(
                "SELECT owner FROM changes WHERE id = ? AND outcome IS NULL", (change_id,)
            ).fetchone()
            if row is None or (row[0] not in ("", owner) and self.is_alive(row[0])):
                return False
            db.execute("UPDATE changes SET owner = ? WHERE id = ?", (owner, change_id))
        self._writes += 1
        return True

    def is_alive(self, owner: str) -> bool:
        """Whether the process behind a claim still runs."""
        return is_alive(self.path.parent, owner)

    def note(self, change_id: str, step: int, state: NoteState, detail: str, at: float) -> bool:
        """Note what is being done; on the disk when this returns.

        False, and nothing noted, when the change is settled already or not known: then it must
        not be carried out any further. Raises IllegalEvent for what cannot follow.
        """
        with self._database.writing() as db:
            known = _read_life(db, change_id)
            done = known is not None and known.outcome is None
            if known is not None and done:
                if state not in REMARKS:
                    event = life.event_of_note(known.marks, known.steps, step, state)
                    life.follow(known.state, event)
                _write_note(db, change_id, step, state, detail, at)
        self._writes += 1
        return done

    def remark(self, change_id: str, state: NoteState, detail: str, at: float) -> bool:
        """Note what was found of a change, ended or not: one of REMARKS. False: it is not known."""
        with self._database.writing() as db:
            done = _read_life(db, change_id) is not None
            if done:
                _write_note(db, change_id, 0, state, detail, at)
        self._writes += 1
        return done

    def settle(self, change_id: str, outcome: Outcome) -> bool:
        """Write how the change ended. False: it had ended before, and that outcome stays.

        Raises IllegalEvent for an end that it cannot come to.
        """
        with self._database.writing() as db:
            done = _end(db, change_id, outcome, life.EVENT_OF_END)
            db.execute(
                "DELETE FROM changes WHERE outcome IS NOT NULL AND"
                " sequence <= (SELECT max(sequence) FROM changes) - ?",
                (KEPT_CHANGES,),
            )
        self._writes += 1
        return done

    def withdraw(self, entry: Entry, outcome: Outcome) -> bool:
        """End an open change of which nothing is on its way. False: it is not so any more, or
        something was noted since `entry` was read: then read it again.
        """
        if not entry.is_withdrawable:
            return False
        change_id = entry.change.id
        with self._database.writing() as db:
            count = "SELECT count(*) FROM notes WHERE change_id = ?"
            if db.execute(count, (change_id,)).fetchone()[0] != len(entry.notes):
                return False
            done = _end(db, change_id, outcome, life.EVENT_OF_END)
        self._writes += 1
        return done

    def resolve(self, change_id: str, outcome: Outcome) -> bool:
        """Write how a change ended after all. Only "unknown" is replaced, and kept as a remark.

        False: it had ended in another way, it is not known, or a living executor has it.
        """
        with self._database.writing() as db:
            if not self._is_left(db, change_id):
                return False
            _keep_unknown(db, change_id)
            done = _end(db, change_id, outcome, life.EVENT_OF_FINDING)
        self._writes += 1
        return done

    def reopen(self, change_id: str, by: str, at: float) -> bool:
        """Open a change again for an executor, told to go on with its present step ("resumed").

        It counts as intended now. False as with `resolve`.
        """
        with self._database.writing() as db:
            if not self._is_left(db, change_id):
                return False
            _keep_unknown(db, change_id)
            known = _read_life(db, change_id)
            if known is None:
                return False
            life.follow(known.state, "resume")
            _write_note(db, change_id, known.present_step, "resumed", by, at)
            db.execute(
                "UPDATE changes SET owner = '', intended_at = ?, acknowledged = 0 WHERE id = ?",
                (self._wall(), change_id),
            )
        self._writes += 1
        return True

    def acknowledge(self, change_id: str) -> None:
        """Note that a person has seen the outcome; nothing happens while there is none."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE changes SET acknowledged = 1 WHERE id = ? AND outcome IS NOT NULL",
                (change_id,),
            )
        self._writes += 1

    def dismiss(self, dismissal: Dismissal) -> None:
        """Keep that a person has dismissed a proof; on the disk when this returns."""
        with self._database.writing() as db:
            write_dismissal(db, dismissal)
        self._writes += 1

    def dismissals(self) -> tuple[Dismissal, ...]:
        """Which proofs persons have dismissed, oldest first."""
        with self._database.reading() as db:
            return read_dismissals(db)

    def entry(self, change_id: str) -> Entry | None:
        """One change; None when it is not in the journal. Raises RecordError, too, when its row
        cannot be read.
        """
        with self._database.reading() as db:
            found = read_rows(db, "WHERE id = ?", (change_id,))
        if found and isinstance(found[0], Unreadable):
            raise unreadable_error(found[0])
        return next((row for row in found if isinstance(row, Entry)), None)

    def open_changes(self) -> tuple[Entry, ...]:
        """The changes without an outcome, oldest first."""
        return self._select("WHERE outcome IS NULL ORDER BY sequence")

    def recent(self, limit: int) -> tuple[Entry, ...]:
        """The last `limit` changes, newest first; without those that cannot be read."""
        return tuple(row for row in self.rows(limit) if isinstance(row, Entry))

    def rows(self, limit: int) -> tuple[Entry | Unreadable, ...]:
        """The last `limit` rows, newest first: the changes, and what cannot be read of them."""
        with self._database.reading() as db:
            return read_rows(db, "ORDER BY sequence DESC LIMIT ?", (limit,))

    def unreadable(self) -> tuple[Unreadable, ...]:
        """The rows that cannot be read, newest first: how these changes ended is unknown."""
        rows = self.rows(KEPT_CHANGES)
        return tuple(row for row in rows if isinstance(row, Unreadable))

    def version(self) -> int:
        """A number that differs when anything was written since the last call, by anybody."""
        return (self._database.data_version() << 24) + self._writes

    @property
    def is_writable(self) -> bool:
        """Whether it was opened for writing."""
        return not self._database.read_only

    def demand_room(self) -> None:
        """Raise RecordError when an intent would find no room on the disk."""
        self._database.demand_room()

    def check(self) -> None:
        """Read the whole file. Raises RecordError when it is damaged."""
        self._database.check()

    def _is_left(self, db: sqlite3.Connection, change_id: str) -> bool:
        """Whether nobody carries the change out, and how it ended is not known."""
        known = _read_life(db, change_id)
        if known is None:
            return False
        held = known.outcome is None and known.owner != "" and self.is_alive(known.owner)
        return not held and "abandon" in life.LIFE[known.state]

    def _select(self, clause: str, *parameters: str | int) -> tuple[Entry, ...]:
        with self._database.reading() as db:
            found = read_rows(db, clause, parameters)
        return tuple(row for row in found if isinstance(row, Entry))


def unreadable_error(row: Unreadable) -> RecordError:
    """Why nothing can be done with a row that cannot be read, and what a person can do."""
    name = f"The change {row.id}" if row.id else f"Row {row.sequence}"
    return RecordError(
        f"{name} in the journal is unreadable: unknown outcome ({row.why}).",
        remedy="Look at what is set: `canary status`. It is never carried out from here.",
    )


class _Life(NamedTuple):
    """What the journal holds of one change, as far as its life goes."""

    marks: tuple[life.Mark, ...]
    steps: int
    outcome: OutcomeState | None
    owner: str

    @property
    def state(self) -> life.State:
        return life.state_of(self.marks, self.steps, self.outcome)

    @property
    def present_step(self) -> int:
        return life.present_step(self.marks, self.steps)


class _Steps(msgspec.Struct, frozen=True):
    steps: tuple[msgspec.Raw, ...]


def _read_life(db: sqlite3.Connection, change_id: str) -> _Life | None:
    """None: the change is not known. Raises RecordError when its row cannot be read."""
    query = "SELECT body, outcome, owner FROM changes WHERE id = ?"
    row = db.execute(query, (change_id,)).fetchone()
    if row is None:
        return None
    notes = "SELECT step, state FROM notes WHERE change_id = ? ORDER BY sequence"
    try:
        steps = len(msgspec.json.decode(row[0], type=_Steps).steps)
        ended = None if row[1] is None else msgspec.json.decode(row[1], type=Outcome).state
        marks = msgspec.convert(db.execute(notes, (change_id,)).fetchall(), tuple[life.Mark, ...])
        owner = msgspec.convert(row[2], str)
    except (msgspec.DecodeError, TypeError) as exc:
        raise RecordError(f"The change {change_id} in the journal cannot be read: {exc}.") from exc
    return _Life(marks, steps, ended, owner)


def _write_note(
    db: sqlite3.Connection, change_id: str, step: int, state: NoteState, detail: str, at: float
) -> None:
    db.execute(
        "INSERT INTO notes (change_id, step, state, detail, at) VALUES (?, ?, ?, ?, ?)",
        (change_id, step, state, detail, at),
    )


def _end(
    db: sqlite3.Connection,
    change_id: str,
    outcome: Outcome,
    events: Mapping[OutcomeState, life.Event],
) -> bool:
    """Write the outcome of an open change. False: it is none, or not known."""
    known = _read_life(db, change_id)
    if known is None or known.outcome is not None:
        return False
    event = events.get(outcome.state)
    if event is None:
        raise life.IllegalEvent(f'"{outcome.state}" is not found out: it is what was not.')
    if life.follow(known.state, event).to != outcome.state:
        raise life.IllegalEvent(f'"{event}" does not lead to "{outcome.state}".')
    body = msgspec.json.encode(outcome).decode()
    db.execute("UPDATE changes SET outcome = ? WHERE id = ?", (body, change_id))
    return True


def _keep_unknown(db: sqlite3.Connection, change_id: str) -> None:
    """Turn an unknown outcome into a remark: it was the truth then."""
    row = db.execute("SELECT outcome FROM changes WHERE id = ?", (change_id,)).fetchone()
    if row is None or row[0] is None:
        return
    try:
        was = msgspec.json.decode(row[0], type=Outcome)
    except (msgspec.DecodeError, TypeError) as exc:
        raise RecordError(f"The change {change_id} in the journal cannot be read: {exc}.") from exc
    _write_note(db, change_id, 0, "remark", f"unknown: {was.message}", was.at)
    db.execute("UPDATE changes SET outcome = NULL WHERE id = ?", (change_id,))
