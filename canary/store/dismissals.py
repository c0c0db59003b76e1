"""Proofs of the evidence that a person has dismissed, in the journal's file.

A table of its own, made with the first of them: an older program does not look at it.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import Final

import msgspec

from canary.rollout.evidence.dismissal import Dismissal

log = logging.getLogger(__name__)

KEPT: Final = 100
"""The newest; each holds only until the split changes."""


def write_dismissal(db: sqlite3.Connection, dismissal: Dismissal) -> None:
    """Add one, inside the caller's transaction."""
    db.execute("CREATE TABLE IF NOT EXISTS dismissals (sequence INTEGER PRIMARY KEY, body TEXT)")
    body = msgspec.json.encode(dismissal).decode()
    db.execute("INSERT INTO dismissals (body) VALUES (?)", (body,))
    newest = "SELECT max(sequence) FROM dismissals"
    db.execute(f"DELETE FROM dismissals WHERE sequence <= ({newest}) - ?", (KEPT,))  # noqa: S608


def read_dismissals(db: sqlite3.Connection) -> tuple[Dismissal, ...]:
    """All that are kept, oldest first; one that cannot be read is left out, and logged."""
    known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'dismissals'"
    if not db.execute(known).fetchone()[0]:
        return ()
    found = []
    for (body,) in db.execute("SELECT body FROM dismissals ORDER BY sequence"):
        try:
            found.append(msgspec.json.decode(body, type=Dismissal))
        except msgspec.DecodeError as exc:
            log.warning("a dismissal in the journal cannot be read: %s", exc)
    return tuple(sorted(found, key=lambda each: each.at))
