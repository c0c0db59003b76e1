"""Since when the split stands beside its record as it does, for a console that starts anew.

In the history's file, in a table of its own that is made with the first: an older program does not
look at it. A cache: without it the service's last update counts, whatever that was of.
"""

from __future__ import annotations

import logging
import sqlite3

import msgspec

log = logging.getLogger(__name__)


class SplitSeen(msgspec.Struct, frozen=True):
    """The record's share and the one that is set, as they were first seen together.

    `at` and `by` are the service's last update then: the split was moved by then. Later updates,
    of a label perhaps, say nothing of it. `at` None: this router has no such time. `change` is that
    of the record ("" for none).
    """

    recorded: int | None
    actual: int | None
    at: float | None
    by: str
    change: str = ""


def write_split_seen(db: sqlite3.Connection, seen: SplitSeen) -> None:
    """Keep it in place of the one before, inside the caller's transaction."""
    db.execute("CREATE TABLE IF NOT EXISTS split_seen (one INTEGER PRIMARY KEY, body BLOB)")
    db.execute("INSERT OR REPLACE INTO split_seen VALUES (1, ?)", (msgspec.msgpack.encode(seen),))


def read_split_seen(db: sqlite3.Connection) -> SplitSeen | None:
    """What was kept; None for nothing, or what cannot be read, which is logged."""
    known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'split_seen'"
    if not db.execute(known).fetchone()[0]:
        return None
    row = db.execute("SELECT body FROM split_seen").fetchone()
    try:
        return None if row is None else msgspec.msgpack.decode(row[0], type=SplitSeen)
    except (msgspec.DecodeError, TypeError) as exc:
        log.warning("since when the split stands as it does cannot be read: %s", exc)
        return None
