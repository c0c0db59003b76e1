"""A recording in one file, to be taken along: opened anywhere, without a plan or a cloud. Pure.

The file is a line `CANARY-RECORDING 1`, then one msgpack map (`Bundle`): what the recording is of,
the segments, the batches of samples, and what is kept once. docs/replay.md has the format. What
comes in may be anybody's: it is held to its types and bounds before anything is drawn of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.rules import find_rule_mistakes
from canary.rollout.recording.frames import KINDS, Kind, read_value
from canary.rollout.recording.parts import (
    FORMAT,
    Batch,
    SegmentBody,
    SegmentInfo,
    Source,
    Value,
    damaged,
    open_segment,
    press,
)
from canary.rollout.recording.samples import KEPT_BEFORE_S, bucket_of
from canary.rollout.recording.tree import PATCH, REPLACE, Delta, Tree
from canary.rollout.text import format_timestamp

MAGIC: Final = b"CANARY-RECORDING "
MOST_FILE: Final = 256 * 1024 * 1024
PRIVATE: Final = ("presence", "missing_rights")
"""Of a snapshot; not taken along: who else was there, at which terminal, from which address."""


class Part(msgspec.Struct, frozen=True):
    """A segment in a file."""

    info: SegmentInfo
    body: bytes


class Bundle(msgspec.Struct, frozen=True):
    """All of a file behind its first line."""

    rollout: str
    segments: tuple[Part, ...]
    batches: tuple[Batch, ...]
    values: tuple[Value, ...]


def write_bundle(source: Source, rollout: str, since: float, until: float) -> bytes:
    """The file of what was shown from `since` to `until` (cloud time), whole segments.

    Raises RecordError when nothing was.
    """
    infos = [i for i in source.infos() if i.last_at >= since and i.first_at <= until]
    if not infos:
        raise RecordError(
            f"Nothing was recorded from {format_timestamp(since)} to {format_timestamp(until)}."
        )
    last, oldest = infos[-1].number, bucket_of(infos[0].first_at - KEPT_BEFORE_S)
    bundle = Bundle(
        rollout,
        tuple(
            Part(
                _closed(info),
                press(_without_private(open_segment(source.segment_body(info.number)))),
            )
            for info in infos
        ),
        tuple(
            Batch(number, bucket, source.batch_body(number, bucket))
            for number, bucket, _ in source.batch_keys()
            if number <= last and bucket >= oldest
        ),
        tuple(Value(number, kind, body) for kind in KINDS for number, body in source.values(kind)),
    )
    return MAGIC + f"{FORMAT}\n".encode() + msgspec.msgpack.encode(bundle)


def _closed(info: SegmentInfo) -> SegmentInfo:
    return msgspec.structs.replace(info, is_closed=True, writer="")


def _without_private(body: SegmentBody) -> SegmentBody:
    key = {**body.key, "snapshot": _strip(body.key["snapshot"])}
    frames = [(at, seen, _strip_delta(delta)) for at, seen, delta in body.frames]
    return SegmentBody(key, frames)


def _strip(snapshot: Tree) -> Tree:
    return {name: part for name, part in snapshot.items() if name not in PRIVATE}


def _strip_delta(delta: Delta) -> Delta:
    if not isinstance(delta, list) or delta[0] != PATCH or "snapshot" not in delta[1]:
        return delta
    inner = delta[1]["snapshot"]
    if inner[0] == PATCH:
        inner = [PATCH, _strip(inner[1]), [name for name in inner[2] if name not in PRIVATE]]
    elif inner[0] == REPLACE:
        inner = [REPLACE, _strip(inner[1])]
    return [PATCH, {**delta[1], "snapshot": inner}, delta[2]]


def read_bundle(data: bytes, name: str) -> FileSource:
    """The source in a file; `name` is what the file is called in a message. Raises RecordError."""
    first, _, rest = data.partition(b"\n")
    if not first.startswith(MAGIC) or len(first) > len(MAGIC) + 4:
        raise RecordError(
            f"{name} is no recording of a rollout.",
            remedy="`canary recording export FILE` writes one.",
        )
    if first[len(MAGIC) :] != str(FORMAT).encode():
        raise RecordError(
            f"{name} was written by another version of the console, in a format that this one"
            " does not know.",
            remedy="Use the newer console.",
        )
    try:
        bundle = msgspec.msgpack.decode(rest, type=Bundle)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RecordError(f"{name} is damaged: {str(error)[:200]}.") from error
    return FileSource(bundle, name)


class FileSource:
    """A recording in memory. Raises RecordError for parts that are none, or do not fit."""

    def __init__(self, bundle: Bundle, name: str) -> None:
        self.rollout = bundle.rollout
        self._name = name
        self._infos = [part.info for part in bundle.segments]
        self._segments = {part.info.number: part.body for part in bundle.segments}
        self._batches = {(b.segment, b.bucket): b.body for b in bundle.batches}
        self._values = {(v.kind, v.number): v.body for v in bundle.values}
        numbers = [info.number for info in self._infos]
        if numbers != sorted(set(numbers)) or not all(map(_is_sound, self._infos)):
            raise RecordError(f"{name} is damaged: its segments are out of order.")
        for kind, number in self._values:
            if kind == "plan":
                self._check_plan(number)

    def close(self) -> None:
        """Nothing is held open."""

    def infos(self) -> Sequence[SegmentInfo]:
        """All segments, in the order in which they were written."""
        return self._infos

    def batch_keys(self) -> Sequence[tuple[int, int, int]]:
        """(segment, bucket, length of the body) of every batch, in that order."""
        return [(*key, len(self._batches[key])) for key in sorted(self._batches)]

    def segment_body(self, number: int) -> bytes:
        """The body of a segment."""
        return self._one(self._segments, number)

    def batch_body(self, segment: int, bucket: int) -> bytes:
        """The body of a batch."""
        return self._one(self._batches, (segment, bucket))

    def values(self, kind: Kind) -> Sequence[tuple[int, bytes]]:
        """(number, body) of all values of a kind."""
        return [(number, body) for (k, number), body in self._values.items() if k == kind]

    def value_body(self, kind: Kind, number: int) -> bytes:
        """The body of a value."""
        return self._one(self._values, (kind, number))

    def plan(self) -> Plan:
        """The newest plan in it. Raises RecordError where there is none."""
        plans = self.values("plan")
        if not plans:
            raise RecordError(f"{self._name} is damaged: there is no plan in it.")
        return self._check_plan(max(number for number, _ in plans))

    def _check_plan(self, number: int) -> Plan:
        try:
            tree = msgspec.msgpack.decode(self._values["plan", number])
            plan: Plan = read_value("plan", tree)
        except (ValueError, RecursionError, TypeError) as error:
            raise RecordError(f"{self._name} is damaged: {str(error)[:200]}.") from error
        if mistakes := find_rule_mistakes(plan, None):
            said = str(mistakes[0])[:200]
            raise RecordError(f"{self._name} has a plan that cannot be: {said}")
        return plan

    def _one(self, parts: dict[Any, bytes], key: Any) -> bytes:
        body = parts.get(key)
        if body is None:
            raise damaged("a part of it is missing")
        return body


def _is_sound(info: SegmentInfo) -> bool:
    """Whether the times of a segment can be drawn, and its frames counted."""
    times = (info.first_at, info.last_at, info.first_seen, info.last_seen)
    drawn = (*times, *(moment.at for moment in info.moments))
    return 0 < info.frames < 1_000_000 and all(0 <= at < 1e11 for at in drawn)
