"""The evidence on this host: the request log's windows, and what they had come to last.

A cache: it may be deleted, then a comparison begins anew with Cloud Monitoring's minutes. A window
is one row of msgpack; its latencies are counts over fixed bounds, which are not kept, and revisions
are numbers in a list of names. 72 hours of both sides (51 840 windows) take 8 MB on the disk at 100
requests/s, and stay below 20 MB at as many as are read of the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from canary.rollout.errors import RecordError
from canary.rollout.evidence.state import EvidenceState
from canary.rollout.evidence.window import LATENCY_BOUNDS_MS, EvidenceWindow, SideWindow
from canary.rollout.measure.samples import Distribution
from canary.store.database import Record, Schema

SCHEMA = Schema(
    what="record of the evidence",
    application_id=0x43416531,  # "CAe1"
    version=1,
    statements=(
        """CREATE TABLE windows (
            until REAL PRIMARY KEY, since REAL NOT NULL, fit INTEGER NOT NULL,
            body BLOB NOT NULL) WITHOUT ROWID""",
        "CREATE TABLE checkpoint (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    ),
    durable=False,  # a lost half minute is half a minute of evidence
)


CHECKPOINT, NAMES = 1, 2
"""Rows of the table "checkpoint": the state, and the names of revisions."""

MOST_NAMES = 1000

STATE_VERSION = 2
"""Of the state in a checkpoint: raised whenever the evidence is computed in another way. What was
kept by another version is judged again from the windows, never misread. 0: before there were any.
"""


class Checkpoint(msgspec.Struct, frozen=True):
    """The state after all windows up to `tail_end`, and after Cloud Monitoring's up to
    `monitoring_end` (cloud time; 0: none of that source).
    """

    state: EvidenceState
    tail_end: float = 0.0
    monitoring_end: float = 0.0


class _Kept(msgspec.Struct, frozen=True):
    """A checkpoint as it lies on the disk, its version first."""

    version: int
    checkpoint: Checkpoint


class _KeptVersion(msgspec.Struct, frozen=True):
    """Of a checkpoint on the disk its version alone."""

    version: int = 0


class _PackedSide(msgspec.Struct, array_like=True, frozen=True, gc=False):
    requests: int
    bad: int
    first: int
    counts: tuple[int, ...]
    mean: float
    squares: float
    revisions: tuple[int | str, ...]
    """Places in the list of names; a name itself where the list has become long."""
    refused: int = 0
    cold: int = 0


class _PackedWindow(msgspec.Struct, array_like=True, frozen=True, gc=False):
    since: float
    until: float
    legacy: _PackedSide
    canary: _PackedSide
    unfit: str
    late: int
    sampled: float = 1.0


class EvidenceRecord(Record):
    """The windows, and what they came to."""

    schema = SCHEMA

    def keep(self, windows: Sequence[EvidenceWindow], checkpoint: Checkpoint | None) -> None:
        """Keep windows and what they came to, in one transaction."""
        with self._database.writing() as db:
            # Read under the write lock: another console of this host may have added names.
            names = _read_names(db)
            known = len(names)
            rows = [
                (
                    w.end,
                    w.start,
                    not w.unfit and not w.is_empty,
                    msgspec.msgpack.encode(_pack(w, names)),
                )
                for w in windows
            ]
            db.executemany("INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?)", rows)
            if checkpoint is not None:
                kept = _Kept(STATE_VERSION, checkpoint)
                _write(db, CHECKPOINT, msgspec.msgpack.encode(kept))
            if len(names) > known:
                _write(db, NAMES, msgspec.msgpack.encode(names))

    def load(self, since: float, most: int = -1) -> tuple[EvidenceWindow, ...]:
        """The windows that end after `since`, oldest first; at most `most`, if that is ≥ 0."""
        query = "SELECT body FROM windows WHERE until > ? ORDER BY until LIMIT ?"
        with self._database.reading() as db:
            bodies = [row[0] for row in db.execute(query, (since, most))]
            # After the windows: names are only ever added.
            names = _read_names(db)
        try:
            return tuple(_unpack(_decoder.decode(body), names) for body in bodies)
        except (msgspec.DecodeError, TypeError, ValueError, LookupError) as exc:
            raise self._unreadable(exc) from exc

    def covered(self, since: float) -> tuple[tuple[float, float], ...]:
        """(start, end] of the windows that were judged, oldest first: not the empty ones."""
        query = "SELECT since, until FROM windows WHERE until > ? AND fit ORDER BY until"
        with self._database.reading() as db:
            rows = db.execute(query, (since,)).fetchall()
        try:
            return msgspec.convert(rows, tuple[tuple[float, float], ...])
        except msgspec.ValidationError as exc:
            raise self._unreadable(exc) from exc

    def checkpoint(self) -> Checkpoint | None:
        """What was kept last; None when there is none, or it is of another version of the state."""
        with self._database.reading() as db:
            body = _read(db, CHECKPOINT)
        if body is None:
            return None
        try:
            if msgspec.msgpack.decode(body, type=_KeptVersion).version != STATE_VERSION:
                return None  # rebuilt from the windows
            return msgspec.msgpack.decode(body, type=_Kept).checkpoint
        except (msgspec.DecodeError, TypeError):
            return None

    def prune(self, before: float) -> None:
        """Drop the windows that end at or before `before`."""
        with self._database.writing() as db:
            db.execute("DELETE FROM windows WHERE until <= ?", (before,))

    def _unreadable(self, exc: Exception) -> RecordError:
        return RecordError(
            f"The record of the evidence {self.path} has a row that cannot be read: {exc}.",
            remedy="Delete the file: it is a cache.",
        )


def _is_judged(window: EvidenceWindow) -> bool:
    return not window.unfit and not window.is_empty


_decoder = msgspec.msgpack.Decoder(_PackedWindow)


def _read(db: sqlite3.Connection, number: int) -> bytes | None:
    row = db.execute("SELECT body FROM checkpoint WHERE number = ?", (number,)).fetchone()
    return None if row is None else bytes(row[0])


def _write(db: sqlite3.Connection, number: int, body: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", (number, body))


def _read_names(db: sqlite3.Connection) -> list[str]:
    body = _read(db, NAMES)
    try:
        return [] if body is None else msgspec.msgpack.decode(body, type=list[str])
    except msgspec.DecodeError:
        return []


def _number(name: str, names: list[str]) -> int | str:
    """The place of a name in the list, which it is added to."""
    if name not in names:
        if len(names) >= MOST_NAMES:
            return name
        names.append(name)
    return names.index(name)


def _pack(window: EvidenceWindow, names: list[str]) -> _PackedWindow:
    return _PackedWindow(
        window.start,
        window.end,
        _pack_side(window.legacy, names),
        _pack_side(window.canary, names),
        window.unfit,
        window.late,
        window.sampled,
    )


def _pack_side(side: SideWindow, names: list[str]) -> _PackedSide:
    latency = side.latency
    revisions = tuple(_number(name, names) for name in side.revisions)
    if latency is None or latency.bounds != LATENCY_BOUNDS_MS:
        counted = (side.requests, side.bad, 0, (), 0.0, 0.0)
        return _PackedSide(*counted, revisions, side.refused, side.cold)
    first = next((i for i, count in enumerate(latency.counts) if count), 0)
    return _PackedSide(
        side.requests,
        side.bad,
        first,
        latency.counts[first:],
        latency.mean,
        latency.sum_squared_deviation,
        revisions,
        side.refused,
        side.cold,
    )


def _unpack(packed: _PackedWindow, names: list[str]) -> EvidenceWindow:
    return EvidenceWindow(
        packed.since,
        packed.until,
        "tail",
        _unpack_side(packed.legacy, names),
        _unpack_side(packed.canary, names),
        packed.unfit,
        packed.late,
        sampled=packed.sampled,
    )


def _unpack_side(packed: _PackedSide, names: list[str]) -> SideWindow:
    latency = None
    if packed.counts:
        counts = (0,) * packed.first + packed.counts
        total = sum(packed.counts)
        latency = Distribution(LATENCY_BOUNDS_MS, counts, total, packed.mean, packed.squares)
    revisions = tuple(r if isinstance(r, str) else names[r] for r in packed.revisions)
    counted = (packed.requests, packed.bad, latency, revisions, packed.refused)
    return SideWindow(*counted, cold=packed.cold)
