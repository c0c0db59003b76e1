"""The record of alert policies written from this host: who wrote which, when, how it ended.

A file of its own beside the journal of changes. An intent in the journal is handed to the
executor, counts as a change in flight, and is looked up at Cloud Run when its process has died.
Alert policies are none of this: each is known again by its labels, writing it twice is writing it
once, and what is there is told by comparing (`canary alerts diff`). So there is nothing to
recover, and a person who writes policies holds up no promotion. What is the same: it is on the
disk before anything is sent, and without it nothing is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from canary.rollout.change.change import Author
from canary.store.database import Database, Schema

log = logging.getLogger(__name__)

KEPT: Final = 1_000
"""So many writings stay; older ones are dropped."""

State = Literal["open", "done", "failed", "unknown"]

SCHEMA = Schema(
    what="record of alert policies",
    application_id=0x43416131,  # "CAa1"
    version=1,
    statements=(
        """CREATE TABLE writings (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL)""",
    ),
    durable=True,
)


class AlertWriting(msgspec.Struct, frozen=True):
    """One application of the plan's alert policies: a line for each policy, wanted and done.

    `asked_at` and `ended_at` are the cloud's time, `intended_at` this host's wall clock. State
    "open": it is under way, or its process has died; "unknown": the last answer was lost.
    """

    id: str
    rollout: str
    author: Author
    wanted: tuple[str, ...]
    asked_at: float
    intended_at: float
    done: tuple[str, ...] = ()
    state: State = "open"
    message: str = ""
    remedy: str = ""
    ended_at: float | None = None


def alert_writings_path(directory: Path) -> Path:
    """The file in a rollout's directory."""
    return directory / "alerts.db"


class AlertWritings:
    """The record at `path`, made when it is missing. Every method raises RecordError on trouble."""

    def __init__(
        self, path: Path, *, read_only: bool = False, wall: Callable[[], float] = time.time
    ) -> None:
        self.wall = wall
        self._database = Database(path, SCHEMA, read_only=read_only)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> AlertWritings:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def keep(self, writing: AlertWriting) -> None:
        """Write it, in place of what was kept of it before; on the disk when this returns."""
        body = msgspec.json.encode(writing).decode()
        with self._database.writing() as db:
            db.execute(
                "INSERT INTO writings (id, body) VALUES (?, ?)"
                " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                (writing.id, body),
            )
            db.execute(
                "DELETE FROM writings WHERE sequence <= (SELECT max(sequence) FROM writings) - ?",
                (KEPT,),
            )

    def recent(self, limit: int) -> tuple[AlertWriting, ...]:
        """The last `limit`, newest first; one that cannot be read is left out."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT body FROM writings ORDER BY sequence DESC LIMIT ?", (limit,)
            ).fetchall()
        return tuple(one for row in rows if (one := _decode(row[0])) is not None)


def read_alert_writings(directory: Path, limit: int) -> tuple[AlertWriting, ...]:
    """The last `limit` of a rollout's directory, newest first; none where there is no record.

    Looking makes no file. Raises RecordError.
    """
    path = alert_writings_path(directory)
    if not path.exists():
        return ()
    with AlertWritings(path, read_only=True) as kept:
        return kept.recent(limit)


def _decode(body: str) -> AlertWriting | None:
    try:
        return msgspec.json.decode(body, type=AlertWriting)
    except (msgspec.DecodeError, TypeError) as exc:  # no text at all
        log.warning("a record of alert policies cannot be read: %s", exc)
        return None
