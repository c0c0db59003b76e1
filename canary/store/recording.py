"""The recording of a rollout on this host: what was shown, as `rollout.recording` packs it.

One writer at a time holds `recording.lock`; readers never block it, nor it them. It is a copy of
what was seen, never a ground for anything: losing it loses the past, no more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import msgspec

from canary.rollout.errors import RecordError
from canary.rollout.recording.frames import KINDS, Kind
from canary.rollout.recording.parts import Moment, SegmentInfo, Value
from canary.rollout.recording.samples import KEPT_BEFORE_S, bucket_of
from canary.rollout.recording.writer import Written
from canary.store.database import Record, Schema
from canary.store.locks import SingleLock

LOCK_FILE: Final = "recording.lock"

SCHEMA = Schema(
    what="recording",
    application_id=0x43417231,  # "CAr1"
    version=1,
    statements=(
        """CREATE TABLE segments (
            number INTEGER PRIMARY KEY,
            writer TEXT NOT NULL,
            first_at REAL NOT NULL,
            last_at REAL NOT NULL,
            first_seen REAL NOT NULL,
            last_seen REAL NOT NULL,
            frames INTEGER NOT NULL,
            closed INTEGER NOT NULL,
            moments BLOB NOT NULL,
            body BLOB NOT NULL)""",
        """CREATE TABLE batches (
            segment INTEGER NOT NULL,
            bucket INTEGER NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (segment, bucket))""",
        """CREATE TABLE kept (
            number INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            used_in INTEGER NOT NULL,
            body BLOB NOT NULL)""",
    ),
    durable=False,  # a crash of the host may lose the last minute
)

_COLUMNS: Final = (
    "number, writer, first_at, last_at, first_seen, last_seen, frames, closed, moments"
)

_BOTH: Final = "SELECT number, first_at FROM segments"
DROPPED: Final = 24
"""So many segments are dropped at once from a file that is too large: four hours."""


def recording_lock(directory: Path) -> SingleLock:
    """The right to record a rollout on this host."""
    return SingleLock(directory / LOCK_FILE)


class RecordingFile(Record):
    """The recording of one rollout: a `rollout.recording.parts.Source`, and its one writer's."""

    schema = SCHEMA

    def infos(self) -> Sequence[SegmentInfo]:
        """All segments, in the order in which they were written."""
        with self._database.reading() as db:
            query = f"SELECT {_COLUMNS} FROM segments ORDER BY number"  # noqa: S608 - no input in it
            rows = db.execute(query).fetchall()
        try:
            return [
                msgspec.convert(
                    {
                        **dict(zip(SegmentInfo.__struct_fields__, row[:7], strict=False)),
                        "is_closed": bool(row[7]),
                        "moments": msgspec.msgpack.decode(row[8], type=tuple[Moment, ...]),
                    },
                    SegmentInfo,
                )
                for row in rows
            ]
        except (msgspec.ValidationError, msgspec.DecodeError, TypeError) as error:
            raise self._unreadable(error) from error

    def batch_keys(self) -> Sequence[tuple[int, int, int]]:
        """(segment, bucket, length of the body) of every batch, in that order."""
        query = "SELECT segment, bucket, length(body) FROM batches ORDER BY segment, bucket"
        with self._database.reading() as db:
            return db.execute(query).fetchall()

    def segment_body(self, number: int) -> bytes:
        """The body of a segment."""
        return self._one("SELECT body FROM segments WHERE number = ?", (number,))

    def batch_body(self, segment: int, bucket: int) -> bytes:
        """The body of a batch."""
        key = (segment, bucket)
        return self._one("SELECT body FROM batches WHERE segment = ? AND bucket = ?", key)

    def value_body(self, kind: Kind, number: int) -> bytes:
        """The body of a value."""
        return self._one("SELECT body FROM kept WHERE number = ? AND kind = ?", (number, kind))

    def values(self, kind: Kind) -> Sequence[tuple[int, bytes]]:
        """(number, body) of all values of a kind."""
        query = "SELECT number, body FROM kept WHERE kind = ? ORDER BY number"
        with self._database.reading() as db:
            return db.execute(query, (kind,)).fetchall()

    def all_values(self) -> Sequence[Value]:
        """All that is kept once."""
        return [Value(number, kind, body) for kind in KINDS for number, body in self.values(kind)]

    def keep(self, written: Written, new: Sequence[Value], used: Sequence[int]) -> None:
        """Keep a segment, in the place of what it was; in one transaction with the values that it
        is the first to name. `used`: the numbers that it names.
        """
        info = written.info
        row = (
            *(getattr(info, name) for name in SegmentInfo.__struct_fields__[:7]),
            int(info.is_closed),
            msgspec.msgpack.encode(info.moments),
            written.body,
        )
        with self._database.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)",
                [(v.number, v.kind, info.number, v.body) for v in new],
            )
            if info.is_closed:
                marks = [(info.number, number) for number in used]
                db.executemany("UPDATE kept SET used_in = ? WHERE number = ?", marks)
            db.execute("INSERT OR REPLACE INTO segments VALUES (?,?,?,?,?,?,?,?,?,?)", row)
            db.executemany(
                "INSERT OR REPLACE INTO batches VALUES (?, ?, ?)",
                [(b.segment, b.bucket, b.body) for b in written.batches],
            )

    def value_numbers(self) -> frozenset[int]:
        """The numbers of all that is kept once."""
        with self._database.reading() as db:
            return frozenset(row[0] for row in db.execute("SELECT number FROM kept"))

    def prune(self, seen_before: float, most_bytes: int, in_use: Collection[int] = ()) -> None:
        """Drop what was shown before (host time), and the oldest while the file is larger.

        `in_use`: the numbers that the open segment names, which may be kept since long before it.
        """
        with self._database.writing() as db:
            newest = "UPDATE kept SET used_in = (SELECT max(number) FROM segments) WHERE number = ?"
            db.executemany(newest, [(number,) for number in in_use])
        self._drop(f"{_BOTH} WHERE last_seen >= ?", (seen_before,))
        for _ in range(100):
            if self.size() <= most_bytes:
                return
            oldest = "(SELECT min(number) FROM segments)"
            if not self._drop(f"{_BOTH} WHERE number >= {oldest} + {DROPPED}", ()):
                return

    def size(self) -> int:
        """Bytes of the file that are in use."""
        with self._database.reading() as db:
            pages, free, size = (
                db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)

    def _drop(self, stays: str, given: tuple[float, ...]) -> bool:
        """Drop the segments before the first of `stays`, and what only they needed."""
        with self._database.writing() as db:
            first = db.execute(f"{stays} ORDER BY number LIMIT 1", given).fetchone()
            if first is None:
                return False
            number, at = first
            gone = db.execute("DELETE FROM segments WHERE number < ?", (number,)).rowcount
            oldest = bucket_of(at - KEPT_BEFORE_S)
            # A batch outlives its segment: its samples are shown in later ones.
            db.execute("DELETE FROM batches WHERE bucket < ?", (oldest,))
            db.execute(
                "DELETE FROM kept WHERE used_in < ? AND kind IN ('event', 'change')", (number,)
            )
            return gone > 0

    def _one(self, query: str, key: tuple[object, ...]) -> bytes:
        with self._database.reading() as db:
            row = db.execute(query, key).fetchone()
        if row is None or not isinstance(row[0], bytes):
            raise self._unreadable("a part of it is missing")
        return row[0]

    def _unreadable(self, why: object) -> RecordError:
        return RecordError(
            f"The recording cannot be read: {str(why)[:200]} ({self.path}).",
            remedy="What lies before and after it can still be replayed; or move the file away.",
        )
