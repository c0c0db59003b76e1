"""The state file: what outlives the process. SQLite, so that a kill at any instant leaves it whole.

Kept: a few values by name, the timeline, the requests that really arrived, minute by minute.
Everything else is computed from these.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from canary.simulator.world.timeline import AnyEvent

SCHEMA = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS saved (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (seq INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS arrival (
    end INTEGER NOT NULL, service TEXT NOT NULL, revision TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (end, service, revision)
) WITHOUT ROWID;
"""

_EVENT = msgspec.json.Decoder(AnyEvent)


class StateError(Exception):
    """The state file cannot be used; the text says why and what to do."""


class Saved:
    """Values by name, kept in the state file, or in memory when there is none.

    Writing is in two steps: `put` and the other writers change what is seen from now on,
    `save()` commits all of it at once. A process that is killed between loses the uncommitted
    part as a whole, never half of it.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._connection = _open(path)

    def get(self, key: str) -> bytes | None:
        """Return a value, or None."""
        row = self._connection.execute("SELECT value FROM saved WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: str, value: bytes) -> None:
        """Set a value."""
        self._connection.execute("INSERT OR REPLACE INTO saved VALUES (?, ?)", (key, value))

    def append_event(self, event: AnyEvent) -> None:
        """Add to the timeline that `events` returns at the next start."""
        self._connection.execute(
            "INSERT INTO event (value) VALUES (?)", (msgspec.json.encode(event),)
        )

    def events(self) -> list[AnyEvent]:
        """Return the events in the order in which they were added."""
        rows = self._connection.execute("SELECT value FROM event ORDER BY seq")
        return [_EVENT.decode(bytes(row[0])) for row in rows]

    def put_arrivals(self, end: int, service: str, revision: str, value: bytes) -> None:
        """Set what really arrived in the minute that ends at `end`."""
        self._connection.execute(
            "INSERT OR REPLACE INTO arrival VALUES (?, ?, ?, ?)", (end, service, revision, value)
        )

    def arrivals(self) -> Iterator[tuple[int, str, str, bytes]]:
        """Yield (end, service, revision, value) of every minute in which requests arrived."""
        for end, service, revision, value in self._connection.execute("SELECT * FROM arrival"):
            yield int(end), str(service), str(revision), bytes(value)

    def drop_arrivals(self, before: int) -> None:
        """Forget the minutes that ended before a time: nothing here grows without bound."""
        self._connection.execute("DELETE FROM arrival WHERE end < ?", (before,))

    def save(self) -> None:
        """Commit everything that was written."""
        if self._connection.in_transaction:
            self._connection.commit()

    def close(self) -> None:
        """Commit and let the file go."""
        self.save()
        self._connection.close()


def remove_state(path: Path) -> None:
    """Delete a state file with its journals."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _open(path: Path | None) -> sqlite3.Connection:
    if path is None:
        return _prepare(sqlite3.connect(":memory:"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # sqlite3 would create it by the umask: traffic and annotations are nobody else's business.
        # Nor through a link, which others may have laid to another file of the person.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    except OSError as exc:
        raise StateError(f"state file {path}: {exc.strerror}") from exc
    try:
        return _prepare(sqlite3.connect(path))
    except sqlite3.DatabaseError as exc:
        raise StateError(
            f"state file {path} cannot be read ({exc}); start over with fresh, or move it away"
        ) from exc


def _prepare(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        # WAL and NORMAL: a killed process loses nothing committed, a lost power supply at most the
        # last commits, and a commit costs no fsync (a demo's state is not a journal of changes).
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        _check_schema(version)
        connection.executescript(_TABLES)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.commit()
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        raise
    return connection


def _check_schema(version: int) -> None:
    if version not in (0, SCHEMA):
        raise sqlite3.DatabaseError(f"schema {version}, expected {SCHEMA}")
