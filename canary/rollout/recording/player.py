"""A recording, read: the frame that was shown at a moment. Pure but for the source it is given.

A seek: the newest segment that begins by then, its key frame, the changes after it; and the samples
whose first frame is not later. What was read is remembered within bounds.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from canary.rollout.errors import RecordError
from canary.rollout.recording.frames import Frame, Kind, reach_of, read_frame, read_value
from canary.rollout.recording.parts import (
    Moment,
    SegmentBody,
    Source,
    damaged,
    open_batch,
    open_segment,
)
from canary.rollout.recording.samples import (
    KEPT_BEFORE_S,
    Samples,
    Version,
    bucket_of,
    join_versions,
    unpack,
)
from canary.rollout.recording.tree import Tree, patch
from canary.rollout.snapshot.snapshot import ChangeView, Event

MOST_SEGMENTS: Final = 4
MOST_VERSIONS: Final = 14_000
"""Versions of samples that are remembered unpacked: about 20 MB."""

_BROKEN: Final = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError),
)
"""What reading a part raises that is damaged, or was made to be."""

REACH_S: Final = 2 * 3_600.0


class Position(NamedTuple):
    """One frame: the segment's place in the recording, and the frame's in it."""

    segment: int
    frame: int


class Shown(NamedTuple):
    """A frame, where it is. `gap_until`: nobody was recording from it until then; None: somebody
    was, or it is the last.
    """

    position: Position
    frame: Frame
    gap_until: float | None


class Gap(NamedTuple):
    """Nobody was recording in between; cloud times."""

    since: float
    until: float


class Recording:
    """Reads from `source`. Raises RecordError when there is nothing in it, or on trouble."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._segments: OrderedDict[int, tuple[int, SegmentBody, list[Tree]]] = OrderedDict()
        self._versions: OrderedDict[tuple[int, int, int], list[Version]] = OrderedDict()
        self._remembered = 0
        self._values: dict[tuple[Kind, int], Any] = {}
        self._joined: tuple[tuple[object, ...], tuple[Samples, Samples]] | None = None
        self.refresh()

    def close(self) -> None:
        """Give the source back."""
        self.source.close()

    def refresh(self) -> None:
        """Learn what was recorded since."""
        self.infos = tuple(self.source.infos())
        self._batches = tuple(self.source.batch_keys())
        if not self.infos:
            raise RecordError(
                "Nothing is recorded of this rollout yet.",
                remedy="Open the console, or run `canary guard`: they record what they show.",
            )

    # -- where ----------------------------------------------------------------------------------

    @property
    def begin(self) -> float:
        """The cloud's time of the first frame."""
        return self.infos[0].first_at

    @property
    def end(self) -> float:
        """The cloud's time of the last frame."""
        return self.infos[-1].last_at

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Every state the rollout was in, oldest first, as each segment begins or changes."""
        return tuple(moment for info in self.infos for moment in info.moments)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """When nobody was recording, oldest first."""
        pairs = zip(self.infos, self.infos[1:], strict=False)
        return tuple(Gap(a.last_at, b.first_at) for a, b in pairs if b.is_after_gap(a))

    @property
    def events(self) -> tuple[Event, ...]:
        """All that the event log had, from the first frame on, oldest first."""
        found = []
        for number, body in self.source.values("event"):
            event = self._values.get(("event", number))
            if event is None:
                try:
                    event = read_value("event", msgspec.msgpack.decode(body))
                except _BROKEN as error:
                    raise damaged(error) from error
                self._values["event", number] = event
            if self.begin <= event.at <= self.end:
                found.append(event)
        return tuple(sorted(found, key=lambda e: e.at))

    def find(self, at: float) -> Position:
        """The last frame that was shown by `at` (cloud time); the first where none was.

        Where a clock was set back, what was recorded later counts.
        """
        for index in range(len(self.infos) - 1, -1, -1):
            if self.infos[index].first_at <= at:
                frames = self._open(index).frames
                found = sum(1 for frame in frames if frame[0] <= at)
                return Position(index, max(0, found - 1))
        return Position(0, 0)

    def step(self, position: Position, by: int) -> Position:
        """The frame before or after (`by` −1 or 1); the same at an end."""
        segment, frame = position.segment, position.frame + by
        if frame < 0:
            if segment == 0:
                return position
            return Position(segment - 1, self.infos[segment - 1].frames - 1)
        if frame >= len(self._open(segment).frames):
            return Position(segment + 1, 0) if segment + 1 < len(self.infos) else position
        return Position(segment, frame)

    def time_of(self, position: Position) -> float:
        """The cloud's time of a frame."""
        return self._open(position.segment).frames[position.frame][0]

    # -- what -----------------------------------------------------------------------------------

    def read(self, position: Position, reach_s: float = REACH_S) -> Shown:
        """The frame there, with the samples of `reach_s` before it, or as far back as it judges."""
        try:
            return self._read(position, reach_s)
        except _BROKEN as error:
            raise damaged(error) from error

    def last_samples(self) -> tuple[Samples, Samples]:
        """The samples of both sides that the last frame had."""
        try:
            return self._samples(self.infos[-1].number, sys.maxsize, self.end - KEPT_BEFORE_S)
        except _BROKEN as error:
            raise damaged(error) from error

    def trees(self, since: float, until: float) -> Iterator[tuple[Position, float, Tree]]:
        """Every frame that was shown from `since` to `until`: where, when, and its tree. Cheap: no
        struct is made. A damaged part is left out.
        """
        for index, info in enumerate(self.infos):
            if info.last_at < since or info.first_at > until:
                continue
            try:
                for frame, (at, _, _) in enumerate(self._open(index).frames):
                    if since <= at <= until:
                        yield Position(index, frame), at, self._tree(Position(index, frame))
            except (RecordError, *_BROKEN):
                continue

    def change(self, number: int) -> ChangeView:
        """The change that a number of a tree stands for. Raises RecordError."""
        try:
            found: ChangeView = self._value("change", number)
        except ValueError as error:
            raise damaged(error) from error
        return found

    def walk(self) -> Iterator[Shown]:
        """Every frame that can be read, oldest first, with no more samples than it judges."""
        for index in range(len(self.infos)):
            try:
                length = len(self._open(index).frames)
                for frame in range(length):
                    yield self.read(Position(index, frame), 0.0)
            except RecordError:
                continue  # a damaged part: what lies behind it is readable

    def _read(self, position: Position, reach_s: float) -> Shown:
        info = self.infos[position.segment]
        at, seen_at, _ = self._open(position.segment).frames[position.frame]
        tree = self._tree(position)
        since = at - max(reach_s, reach_of(tree, at))
        samples = self._samples(info.number, position.frame, since)
        frame = read_frame(tree, at, seen_at, samples, self._value)
        following = position.segment + 1
        gap_until = None
        if position.frame == info.frames - 1 and following < len(self.infos):
            after = self.infos[following]
            gap_until = after.first_at if after.is_after_gap(info) else None
        return Shown(position, frame, gap_until)

    def _open(self, index: int) -> SegmentBody:
        return self._entry(index)[1]

    def _entry(self, index: int) -> tuple[int, SegmentBody, list[Tree]]:
        info = self.infos[index]
        known = self._segments.get(info.number)
        if known is None or known[0] != info.frames:
            body = open_segment(self.source.segment_body(info.number))
            known = self._segments[info.number] = (info.frames, body, [body.key])
        self._segments.move_to_end(info.number)
        while len(self._segments) > MOST_SEGMENTS:
            self._segments.popitem(last=False)
        return known

    def _tree(self, position: Position) -> Tree:
        _, body, trees = self._entry(position.segment)
        while len(trees) <= position.frame:
            trees.append(patch(trees[-1], body.frames[len(trees)][2]))
        return trees[position.frame]

    def _samples(self, segment: int, frame: int, since: float) -> tuple[Samples, Samples]:
        first = bucket_of(since)
        versions: list[Version] = []
        for number, bucket, length in self._batches:
            if number > segment or bucket < first:
                continue
            found = self._unpacked(number, bucket, length)
            shown = found if number < segment else [v for v in found if v.frame <= frame]
            versions.extend(shown)
        # The same samples as a moment ago are the same object: then nothing is drawn anew.
        known = (first, segment, len(versions))
        if self._joined is None or self._joined[0] != known:
            self._joined = (known, join_versions(versions))
        return self._joined[1]

    def _unpacked(self, segment: int, bucket: int, length: int) -> list[Version]:
        key = (segment, bucket, length)
        found = self._versions.get(key)
        if found is None:
            rows = open_batch(self.source.batch_body(segment, bucket))
            found = self._versions[key] = [unpack(row, self._bounds) for row in rows]
            self._remembered += len(found)
        self._versions.move_to_end(key)
        while self._remembered > MOST_VERSIONS and len(self._versions) > 1:
            self._remembered -= len(self._versions.popitem(last=False)[1])
        return found

    def _bounds(self, number: int) -> tuple[float, ...]:
        bounds: tuple[float, ...] = self._value("bounds", number)
        return bounds

    def _value(self, kind: Kind, number: int) -> Any:
        found = self._values.get((kind, number))
        if found is None:
            tree = msgspec.msgpack.decode(self.source.value_body(kind, number))
            found = self._values[kind, number] = read_value(kind, tree)
        return found
