"""The parts that a recording is kept in: segments, batches of samples, values by number. Pure.

A segment is a key frame, whole, and what changed from frame to frame after it; a batch holds the
versions of samples that were first shown in one segment. Bodies are msgpack, packed by zlib.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from canary.rollout.errors import RecordError
from canary.rollout.recording.frames import Kind
from canary.rollout.recording.samples import Packed
from canary.rollout.recording.tree import Delta, Tree

FORMAT: Final = 1
"""Of the bodies. A later one is not read by an earlier program."""

MOST_BODY: Final = 64 * 1024 * 1024
"""Bytes that a body may unpack to: what unpacks to more is no recording but an attack."""

GAP_S: Final = 30.0
"""Real seconds without a frame after which nobody was recording."""


class Moment(msgspec.Struct, array_like=True, frozen=True):
    """From when on a rollout was in a state, at which percent of Canary (None: not known).

    A state is a name of `snapshot.state_words`, or one that another version had.
    """

    at: float
    state: str
    percent: int | None = None


class SegmentInfo(msgspec.Struct, frozen=True):
    """Which frames a segment has. `at` times are the cloud's, `seen` ones of the host's clock.

    `writer` is one per program that recorded; `is_closed`: nothing more comes into it. `moments`:
    its first state, and each that another one followed.
    """

    number: int
    writer: str
    first_at: float
    last_at: float
    first_seen: float
    last_seen: float
    frames: int
    is_closed: bool = False
    moments: tuple[Moment, ...] = ()

    def is_after_gap(self, before: SegmentInfo) -> bool:
        """Whether nobody was recording between the end of `before` and this one."""
        return self.first_seen - before.last_seen > GAP_S


class Batch(msgspec.Struct, frozen=True):
    """The versions of samples of one bucket that were first shown in one segment."""

    segment: int
    bucket: int
    body: bytes


class Value(msgspec.Struct, frozen=True):
    """What is kept once. `body` is its tree as msgpack."""

    number: int
    kind: Kind
    body: bytes


class Source(Protocol):
    """Where a recording is read from. Every method raises RecordError on trouble."""

    def close(self) -> None:
        """Give it back; twice is fine."""

    def infos(self) -> Sequence[SegmentInfo]:
        """All segments, in the order in which they were written."""

    def batch_keys(self) -> Sequence[tuple[int, int, int]]:
        """(segment, bucket, length of the body) of every batch, in that order."""

    def segment_body(self, number: int) -> bytes:
        """The body of a segment."""

    def batch_body(self, segment: int, bucket: int) -> bytes:
        """The body of a batch."""

    def values(self, kind: Kind) -> Sequence[tuple[int, bytes]]:
        """(number, body) of all values of a kind."""

    def value_body(self, kind: Kind, number: int) -> bytes:
        """The body of a value."""


class SegmentBody(msgspec.Struct, array_like=True, frozen=True):
    """The first frame's tree; (cloud time, host time, what changed) of every frame.

    The first frame has no change (None).
    """

    key: Tree
    frames: list[tuple[float, float, Delta]]


_segments: Final = msgspec.msgpack.Decoder(SegmentBody)
_batches: Final = msgspec.msgpack.Decoder(list[Packed])


def press(parts: Any) -> bytes:
    """A body of what msgpack can have."""
    return zlib.compress(msgspec.msgpack.encode(parts), 6)


def open_segment(body: bytes) -> SegmentBody:
    """A segment's frames. Raises RecordError when the body is damaged."""
    try:
        found = _segments.decode(_unpress(body))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise damaged(error) from error
    if not found.frames:
        raise damaged("a segment without a frame")
    return found


def open_batch(body: bytes) -> list[Packed]:
    """The versions in a batch. Raises RecordError when the body is damaged."""
    try:
        return _batches.decode(_unpress(body))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise damaged(error) from error


def damaged(why: object) -> RecordError:
    """A part that cannot be read."""
    return RecordError(
        f"A part of the recording is damaged: {str(why)[:200]}.",
        remedy="What lies before and after it can still be replayed.",
    )


def _unpress(body: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        whole = unpacker.decompress(body, MOST_BODY)
    except zlib.error as error:
        raise damaged(error) from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise damaged("its end is missing, or it is larger than any recording")
    return whole
