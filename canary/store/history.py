"""The history of observations on this host: samples of both sides, so that a console that opens
again need not ask Cloud Monitoring for the whole soak once more. A cache: it may be deleted.

A sample is one row of msgpack without its bucket bounds; those are the same for thousands of rows
and are kept once. 7 days of both sides at 60 s (20 160 samples) take about 5 MB on the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import Literal

import msgspec

from canary.rollout.errors import RecordError
from canary.rollout.measure.samples import Distribution, Responses, Sample
from canary.store.database import Record, Schema
from canary.store.split_seen import SplitSeen, read_split_seen, write_split_seen

Side = Literal["legacy", "canary"]

SCHEMA = Schema(
    what="history",
    application_id=0x43416831,  # "CAh1"
    version=1,
    statements=(
        "CREATE TABLE layouts (number INTEGER PRIMARY KEY, bounds BLOB NOT NULL UNIQUE)",
        """CREATE TABLE samples (
            side TEXT NOT NULL,
            until REAL NOT NULL,
            since REAL NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (side, until, since)) WITHOUT ROWID""",
    ),
    durable=False,  # a lost minute is asked for again
)


class _PackedDistribution(msgspec.Struct, array_like=True, frozen=True, gc=False):
    layout: int
    counts: tuple[int, ...]
    count: int
    mean: float
    sum_squared_deviation: float


class _PackedSample(msgspec.Struct, array_like=True, frozen=True, gc=False):
    since: float
    until: float
    responses: tuple[int, int, int, int, int] | None
    latency: _PackedDistribution | None
    confidence: _PackedDistribution | None
    gauges: tuple[float | None, float | None, float | None, float | None]


_TOUCH_S = 0.5
"""Samples that share less than this touch; the alignment of periods is that exact, not more."""

_decoder = msgspec.msgpack.Decoder(list[_PackedSample])


class History(Record):
    """The samples of both sides."""

    schema = SCHEMA

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._layouts: dict[tuple[float, ...], int] = {}
        self._bounds: dict[int, tuple[float, ...]] = {}
        try:
            self._read_layouts()
        except RecordError:
            self.close()
            raise

    def add(self, side: Side, samples: Sequence[Sample]) -> None:
        """Keep samples, in any order; one of the same (start, end] replaces the one there."""
        if not samples:
            return
        self._learn(d.bounds for s in samples for d in (s.latency, s.confidence) if d is not None)
        rows = [(side, s.end, s.start, msgspec.msgpack.encode(self._pack(s))) for s in samples]
        with self._database.writing() as db:
            db.executemany("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)", rows)

    def load(self, side: Side, since: float) -> tuple[Sample, ...]:
        """The samples that end after `since`, oldest first, none overlapping another.

        Where a coarse and a fine sample overlap, the fine one stays. Empty: nothing is kept.
        """
        with self._database.reading() as db:
            bodies = [
                row[0]
                for row in db.execute(
                    "SELECT body FROM samples WHERE side = ? AND until > ? ORDER BY until, since",
                    (side, since),
                )
            ]
        try:
            # One decode of one long array takes a third of the time of a decode for each row.
            packed = _decoder.decode(_array_header(len(bodies)) + b"".join(bodies))
            if any(d and d.layout not in self._bounds for p in packed for d in _distributions(p)):
                self._read_layouts()
            return _without_overlaps(self._unpack(p) for p in packed)
        except (msgspec.DecodeError, TypeError, ValueError, LookupError) as exc:
            raise RecordError(
                f"The history {self.path} has a row that cannot be read: {exc}.",
                remedy="Delete the file: it is a cache and is filled again.",
            ) from exc

    def keep_split(self, seen: SplitSeen) -> None:
        """Keep since when the split stands beside its record as it does."""
        with self._database.writing() as db:
            write_split_seen(db, seen)

    def split_seen(self) -> SplitSeen | None:
        """What `keep_split` kept; None for nothing that can be read."""
        with self._database.reading() as db:
            return read_split_seen(db)

    def prune(self, before: float) -> None:
        """Drop the samples that end at or before `before`."""
        with self._database.writing() as db:
            db.execute("DELETE FROM samples WHERE until <= ?", (before,))

    def _learn(self, layouts: Iterable[tuple[float, ...]]) -> None:
        """Give every layout a number, agreed with other consoles through the file."""
        new = set(layouts) - self._layouts.keys()
        if not new:
            return
        with self._database.writing() as db:
            db.executemany(
                "INSERT OR IGNORE INTO layouts (bounds) VALUES (?)",
                [(msgspec.msgpack.encode(bounds),) for bounds in new],
            )
        self._read_layouts()

    def _read_layouts(self) -> None:
        with self._database.reading() as db:
            rows = db.execute("SELECT number, bounds FROM layouts").fetchall()
        try:
            for number, body in rows:
                if number not in self._bounds:
                    bounds = msgspec.msgpack.decode(body, type=tuple[float, ...])
                    self._bounds[number] = bounds
                    self._layouts[bounds] = number
        except (msgspec.DecodeError, TypeError) as exc:
            raise RecordError(
                f"The history {self.path} has a layout that cannot be read: {exc}.",
                remedy="Delete the file: it is a cache and is filled again.",
            ) from exc

    def _pack(self, sample: Sample) -> _PackedSample:
        r = sample.responses
        return _PackedSample(
            sample.start,
            sample.end,
            None if r is None else (r.ok_2xx, r.redirect_3xx, r.client_4xx, r.server_5xx, r.other),
            self._pack_distribution(sample.latency),
            self._pack_distribution(sample.confidence),
            (sample.cpu, sample.memory, sample.instances, sample.instances_active),
        )

    def _pack_distribution(self, d: Distribution | None) -> _PackedDistribution | None:
        if d is None:
            return None
        layout = self._layouts.get(d.bounds)
        if layout is None:
            raise RecordError(
                f"The history {self.path} does not keep a bucket layout that was just written.",
                remedy="Delete the file: it is a cache and is filled again.",
            )
        return _PackedDistribution(layout, d.counts, d.count, d.mean, d.sum_squared_deviation)

    def _unpack(self, p: _PackedSample) -> Sample:
        return Sample(
            p.since,
            p.until,
            None if p.responses is None else Responses(*p.responses),
            self._unpack_distribution(p.latency),
            self._unpack_distribution(p.confidence),
            *p.gauges,
        )

    def _unpack_distribution(self, p: _PackedDistribution | None) -> Distribution | None:
        if p is None:
            return None
        # All share one tuple of bounds: a third of the memory, and merging compares by identity.
        bounds = self._bounds[p.layout]
        counted = len(p.counts) <= len(bounds) + 1 and min(p.counts, default=0) >= 0 <= p.count
        if not (counted and isfinite(p.mean) and isfinite(p.sum_squared_deviation)):
            raise ValueError("a distribution does not add up")
        return Distribution(bounds, p.counts, p.count, p.mean, p.sum_squared_deviation)


def _distributions(
    p: _PackedSample,
) -> tuple[_PackedDistribution | None, _PackedDistribution | None]:
    return p.latency, p.confidence


def _array_header(length: int) -> bytes:
    """The head of a msgpack array 32 (msgpack specification, "array format family")."""
    return b"\xdd" + length.to_bytes(4, "big")


def _without_overlaps(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Keep the finer of overlapping samples; `samples` are ordered by their end."""
    kept: list[Sample] = []
    for sample in samples:
        span = sample.end - sample.start
        begin = sample.start + _TOUCH_S
        while kept and kept[-1].end > begin and kept[-1].end - kept[-1].start > span:
            kept.pop()
        if not kept or kept[-1].end <= begin:
            kept.append(sample)
    return tuple(kept)
