"""What others are to be told and were told on this host, shared by its consoles and executors.

What is to be told is kept until it was taken, so that a webhook that refuses, and a process that
ends, lose nothing; and so that of many processes one tells. Nothing else rests on it: it may be
thrown away. Times are this host's wall clock: the limits are for the people who read.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from canary.rollout.export.notification import Notification
from canary.store.database import Record, Schema

KEPT_S: Final = 7 * 86_400.0
"""So long is tried to tell a thing, and remembered that it was told."""

MOST_WAITING: Final = 200
"""What more there is to tell while nothing is taken takes the place of the oldest that matters
least."""

PAUSES_S: Final = (5.0, 15.0, 60.0, 300.0)
"""After the first, second … refusal of a thing; the last for ever after."""

_WAITING: Final = """
    CREATE TABLE IF NOT EXISTS waiting (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, body BLOB NOT NULL, at REAL NOT NULL,
        count INTEGER NOT NULL DEFAULT 1, tries INTEGER NOT NULL DEFAULT 0,
        due_at REAL NOT NULL, held_until REAL NOT NULL DEFAULT 0, touched_at REAL NOT NULL,
        error TEXT NOT NULL DEFAULT '')
"""
_ADDED: Final = (
    _WAITING,
    "CREATE TABLE IF NOT EXISTS topic (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS once (name TEXT PRIMARY KEY, at REAL NOT NULL)",
)

SCHEMA = Schema(
    what="memory of notifications",
    application_id=0x43416E31,  # "CAn1"
    version=1,
    statements=(
        "CREATE TABLE told (key TEXT PRIMARY KEY, at REAL NOT NULL)",
        "CREATE TABLE verdict (one INTEGER PRIMARY KEY CHECK (one = 1), verdict TEXT NOT NULL)",
        *_ADDED,
    ),
    durable=True,
    patience_s=0.5,  # a change is not held up by what is told of it
)

VERDICT: Final = "verdict"


class Waiting(msgspec.Struct, frozen=True):
    """One thing to tell. `at` is when it was so last, unix seconds; `count` how often it was since
    it was last told. `tries` have failed.
    """

    id: int
    notification: Notification
    at: float
    count: int
    tries: int


class Backlog(msgspec.Struct, frozen=True):
    """How much waits that was refused, since when (unix seconds), and what was said last."""

    count: int
    since: float
    error: str


class SentNotifications(Record):
    """The memory. `every_s` is how soon the same thing (`key`) may be told again."""

    schema = SCHEMA

    def __init__(
        self, path: Path | None, *, read_only: bool = False, began_at: float | None = None
    ) -> None:
        super().__init__(path, read_only=read_only)
        began_at = time.time() if began_at is None else began_at
        if not read_only:  # a file of an older version has these not yet, and minds them not
            with self._database.writing() as db:
                for statement in _ADDED:
                    db.execute(statement)
                db.execute(
                    "INSERT OR IGNORE INTO topic (name, value) VALUES ('began', ?)", (began_at,)
                )

    def put(
        self,
        notification: Notification,
        now: float,
        every_s: float,
        *,
        once: str = "",
        as_of: float | None = None,
    ) -> None:
        """Keep what is to be told: at once, or when the same may be told again.

        `once` names what is told a single time, whoever tells it. With `as_of` it is found later,
        and not told when it is older than this memory.
        """
        with self._database.writing() as db:
            if not once or _is_first(db, once, as_of, now):
                _put(db, notification, now, every_s)

    def turn(
        self,
        topic: str,
        value: str,
        notice: Callable[[str | None], Notification | None],
        now: float,
        every_s: float,
    ) -> None:
        """Note what a topic has become, and in the same instant what `notice` tells of it, given
        what it was before (None: it is the first). Nothing when it is the same.
        """
        with self._database.writing() as db:
            before = _turn(db, topic, value)
            notification = None if before == value else notice(before)
            if notification is not None:
                _put(db, notification, now, every_s)

    def take(self, now: float, lease_s: float) -> Waiting | None:
        """The next thing that is due, for the caller alone for `lease_s`; None: nothing is."""
        with self._database.writing() as db:
            while True:
                # Touched in the future: the clock was set back, and no pause must last for ever.
                row = db.execute(
                    "SELECT id, body, at, count, tries FROM waiting WHERE (due_at <= ?1 AND"
                    " held_until <= ?1) OR touched_at > ?1 ORDER BY id LIMIT 1",
                    (now,),
                ).fetchone()
                if row is None:
                    return None
                notification = _read(row[1])
                if notification is not None:
                    held = "UPDATE waiting SET held_until = ?, touched_at = ? WHERE id = ?"
                    db.execute(held, (now + lease_s, now, row[0]))
                    return Waiting(row[0], notification, *row[2:])
                db.execute("DELETE FROM waiting WHERE id = ?", (row[0],))

    def told(self, what: Waiting, now: float) -> None:
        """It was taken: what was refused before it may go out now, too."""
        with self._database.writing() as db:
            db.execute("DELETE FROM waiting WHERE id = ?", (what.id,))
            if what.notification.key:
                told = "INSERT OR REPLACE INTO told (key, at) VALUES (?, ?)"
                db.execute(told, (what.notification.key, now))
            db.execute("DELETE FROM told WHERE at < ?", (now - KEPT_S,))
            db.execute("UPDATE waiting SET due_at = ? WHERE error <> '' AND due_at > ?", (now, now))

    def refused(self, what: Waiting, now: float, error: str, *, all_of_it: bool) -> None:
        """It was not taken, and is tried again after a pause; with `all_of_it` nothing else would
        be taken now either, and waits as long.
        """
        again = now + PAUSES_S[min(what.tries, len(PAUSES_S) - 1)]
        with self._database.writing() as db:
            db.execute(
                "UPDATE waiting SET tries = tries + 1, held_until = 0, due_at = ?, touched_at = ?,"
                " error = ? WHERE id = ?",
                (again, now, error, what.id),
            )
            if all_of_it:
                db.execute(
                    "UPDATE waiting SET due_at = ?, error = ? WHERE due_at < ?",
                    (again, error, again),
                )

    def give_back(self, what: Waiting) -> None:
        """Whether it was taken is not known: it goes out again."""
        with self._database.writing() as db:
            db.execute("UPDATE waiting SET held_until = 0 WHERE id = ?", (what.id,))

    def next_due_s(self, now: float) -> float | None:
        """In how many seconds there is something to try; None: nothing waits."""
        with self._database.reading() as db:
            row = db.execute("SELECT min(max(due_at, held_until)) FROM waiting").fetchone()
        return None if row[0] is None else max(0.0, float(row[0]) - now)

    def drop_old(self, now: float) -> tuple[str, ...]:
        """Give up what could not be told for too long, or finds no room; the texts of it."""
        with self._database.writing() as db:
            rows = [
                (row[0], _read(row[1]), row[2] < now - KEPT_S)
                for row in db.execute(
                    "SELECT id, body, at FROM waiting WHERE held_until <= ? ORDER BY id", (now,)
                )
            ]
            dropped = [row for row in rows if row[2]]
            kept = sorted((row for row in rows if not row[2]), key=lambda row: _matters(row[1]))
            dropped += kept[: max(0, len(kept) - MOST_WAITING)]
            db.executemany("DELETE FROM waiting WHERE id = ?", [(row[0],) for row in dropped])
        return tuple(row[1].text for row in dropped if row[1] is not None)

    def backlog(self) -> Backlog | None:
        """What was refused and waits; None when nothing does."""
        with self._database.reading() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'waiting'").fetchone():
                return None
            row = db.execute("SELECT count(*), min(at) FROM waiting WHERE error <> ''").fetchone()
            said = db.execute(
                "SELECT error FROM waiting WHERE error <> '' ORDER BY touched_at DESC LIMIT 1"
            ).fetchone()
        return Backlog(row[0], row[1], said[0] if said else "") if row[0] else None


def _read(body: bytes) -> Notification | None:
    """What a row holds; None for one that is spoiled, or of another version."""
    try:
        return msgspec.json.decode(body, type=Notification)
    except (msgspec.DecodeError, TypeError):
        return None


def _matters(notification: Notification | None) -> bool:
    return notification is not None and notification.tone not in ("info", "good")


def _is_first(db: sqlite3.Connection, once: str, as_of: float | None, now: float) -> bool:
    began_at = float(db.execute("SELECT value FROM topic WHERE name = 'began'").fetchone()[0])
    known = db.execute("SELECT 1 FROM once WHERE name = ?", (once,)).fetchone()
    is_old = as_of is not None and as_of < max(began_at, now - KEPT_S)
    if known is not None or is_old:
        return False
    db.execute("INSERT INTO once (name, at) VALUES (?, ?)", (once, now))
    db.execute("DELETE FROM once WHERE at < ?", (now - 2 * KEPT_S,))
    return True


def _put(db: sqlite3.Connection, notification: Notification, now: float, every_s: float) -> None:
    body, key, due_at = msgspec.json.encode(notification), notification.key, now
    if key:
        # One that is just being sent stays as it is: this one may be news to its reader.
        same = db.execute(
            "SELECT id FROM waiting WHERE key = ? AND held_until <= ?", (key, now)
        ).fetchone()
        if same is not None:
            again = "UPDATE waiting SET body = ?, at = ?, count = count + 1 WHERE id = ?"
            db.execute(again, (body, now, same[0]))
            return
        being_sent = db.execute("SELECT held_until FROM waiting WHERE key = ?", (key,)).fetchone()
        row = db.execute("SELECT at FROM told WHERE key = ?", (key,)).fetchone()
        if being_sent is not None:
            due_at = now + every_s
        # Told in the future: the clock was set back, and the limit must not last for ever.
        elif row is not None and row[0] <= now:
            due_at = max(now, row[0] + every_s)
    db.execute(
        "INSERT INTO waiting (key, body, at, due_at, touched_at) VALUES (?, ?, ?, ?, ?)",
        (key, body, now, due_at, now),
    )


def _turn(db: sqlite3.Connection, topic: str, value: str) -> str | None:
    if topic == VERDICT:  # as the first version kept it
        row = db.execute("SELECT verdict FROM verdict").fetchone()
        db.execute("INSERT OR REPLACE INTO verdict (one, verdict) VALUES (1, ?)", (value,))
    else:
        row = db.execute("SELECT value FROM topic WHERE name = ?", (topic,)).fetchone()
        db.execute("INSERT OR REPLACE INTO topic (name, value) VALUES (?, ?)", (topic, value))
    return None if row is None else str(row[0])
