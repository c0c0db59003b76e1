"""The record of checklists on this host: who ticked what, when; and the visits they belong to.

A file of its own beside the journal: ticks are no changes, and come from people who change
nothing. Nothing is ever altered in it: an untick is another row.
"""

from __future__ import annotations

from pathlib import Path

from canary.rollout.trials.checklist import Tick, Visit
from canary.store.database import Database, Schema

KEPT = 20_000
"""So many ticks stay; older ones are dropped."""

SCHEMA = Schema(
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


def checklists_path(directory: Path) -> Path:
    """The file in a rollout's directory."""
    return directory / "checklists.db"


class ChecklistRecord:
    """The record at `path`, made when it is missing. Every method raises RecordError on trouble."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._database = Database(path, SCHEMA, read_only=read_only)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, tick: Tick) -> None:
        """Write a tick; on the disk when this returns."""
        row = (tick.stage, tick.item, int(tick.done), tick.by, tick.at, tick.evidence)
        with self._database.writing() as db:
            db.execute(
                "INSERT INTO ticks (stage, item, done, by, at, evidence) VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            db.execute(
                "DELETE FROM ticks WHERE sequence <= (SELECT max(sequence) FROM ticks) - ?", (KEPT,)
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
