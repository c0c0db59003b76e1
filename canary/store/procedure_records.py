"""The records of the procedure on this host: checklists, and alert policies that were written.

Files of their own beside the journal of changes. An intent there is handed to the executor, counts
as a change in flight, and is looked up at Cloud Run when its process has died; ticks and alert
policies are none of this, and come from people who change nothing. An alert policy is known again
by its labels: writing it twice is writing it once, and what is there is told by comparing (`canary
alerts diff`). So there is nothing to recover, and a person who writes policies holds up no
promotion. What is the same: it is on the disk before anything is sent, and without it nothing is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from canary.rollout.change.change import Author
from canary.rollout.trials.checklist import Tick, Visit
from canary.store.database import Record, Schema
from canary.store.paths import alert_writings_path

log = logging.getLogger(__name__)

KEPT_TICKS: Final = 20_000
KEPT_WRITINGS: Final = 1_000
"""So many stay; older ones are dropped."""

CHECKLISTS = Schema(
    what="record of checklists",
    application_id=0x43416B31,  # "CAk1"
    version=1,
    statements=(
        """CREATE TABLE ticks (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            stage INTEGER NOT NULL,
            item TEXT NOT NULL,
            done INTEGER NOT NULL,
            by TEXT NOT NULL,
            at REAL NOT NULL,
            evidence TEXT NOT NULL)""",
        """CREATE TABLE visits (
            change TEXT PRIMARY KEY,
            stage INTEGER NOT NULL,
            entered_at REAL NOT NULL,
            by TEXT NOT NULL,
            move TEXT NOT NULL)""",
    ),
    durable=True,
)


class ChecklistRecord(Record):
    """Who ticked what, when; and the visits they belong to. Nothing is ever altered: an untick is
    another row.
    """

    schema = CHECKLISTS

    def add(self, tick: Tick) -> None:
        """Write a tick; on the disk when this returns."""
        row = (tick.stage, tick.item, int(tick.done), tick.by, tick.at, tick.evidence)
        with self._database.writing() as db:
            db.execute(
                "INSERT INTO ticks (stage, item, done, by, at, evidence) VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            db.execute(
                "DELETE FROM ticks WHERE sequence <= (SELECT max(sequence) FROM ticks) - ?",
                (KEPT_TICKS,),
            )

    def add_visit(self, visit: Visit) -> None:
        """Keep a visit; one of the same change is known already, and stays as it is."""
        row = (visit.change, visit.stage, visit.entered_at, visit.by, visit.move)
        with self._database.writing() as db:
            db.execute("INSERT OR IGNORE INTO visits VALUES (?, ?, ?, ?, ?)", row)

    def ticks(self) -> tuple[Tick, ...]:
        """All ticks, oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT stage, item, done, by, at, evidence FROM ticks ORDER BY sequence"
            ).fetchall()
        return tuple(Tick(r[0], r[1], bool(r[2]), r[3], r[4], r[5]) for r in rows)

    def visits(self) -> tuple[Visit, ...]:
        """All visits, in the order of time."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT stage, change, entered_at, by, move FROM visits ORDER BY entered_at"
            ).fetchall()
        return tuple(Visit(*row) for row in rows)


WritingState = Literal["open", "done", "failed", "unknown"]

ALERT_WRITINGS = Schema(
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
    state: WritingState = "open"
    message: str = ""
    remedy: str = ""
    ended_at: float | None = None


class AlertWritings(Record):
    """Who wrote which policies, when, how it ended. `wall` is this host's clock, unix seconds."""

    schema = ALERT_WRITINGS

    def __init__(
        self, path: Path, *, read_only: bool = False, wall: Callable[[], float] = time.time
    ) -> None:
        super().__init__(path, read_only=read_only)
        self.wall = wall

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
                (KEPT_WRITINGS,),
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
