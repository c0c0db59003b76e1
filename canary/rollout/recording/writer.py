"""Frames → the parts of a recording. Pure: where the parts are kept is the caller's."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import Any, Final

import msgspec

from canary.rollout.recording.frames import Frame, Kind, TreeMaker
from canary.rollout.recording.parts import (
    GAP_S,
    Batch,
    Moment,
    SegmentInfo,
    Value,
    press,
)
from canary.rollout.recording.samples import (
    Packed,
    Samples,
    bucket_of,
    find_changes,
    pack,
)
from canary.rollout.recording.tree import Tree, diff
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state

KEY_EVERY_S: Final = 900.0
"""Cloud seconds after which a key frame comes, once there are `LEAST_FRAMES` after the last."""
LEAST_FRAMES: Final = 20
MOST_FRAMES: Final = 240


class Numbers:
    """Gives numbers to what is kept once. `new` is what was given one since it was last emptied."""

    def __init__(self, known: Iterable[Value] = ()) -> None:
        self._numbers = {(v.kind, v.body): v.number for v in known}
        self._next = max(self._numbers.values(), default=0) + 1
        self.new: list[Value] = []
        self.used: set[int] = set()

    def __len__(self) -> int:
        return len(self._numbers)

    def forget_all_but(self, kept: Set[int]) -> None:
        """Forget what has been dropped from where it was kept: `kept` is what is still there."""
        stays = {value.number for value in self.new} | kept
        self._numbers = {key: n for key, n in self._numbers.items() if n in stays}

    def number_of(self, kind: Kind, tree: Tree) -> int:
        """The number of a tree."""
        body = msgspec.msgpack.encode(tree)
        number = self._numbers.get((kind, body))
        if number is None:
            number = self._numbers[kind, body] = self._next
            self._next += 1
            self.new.append(Value(number, kind, body))
        self.used.add(number)
        return number


class Written(msgspec.Struct, frozen=True):
    """A segment as far as it has come: to be kept in the place of its earlier state."""

    info: SegmentInfo
    body: bytes
    batches: tuple[Batch, ...]


class Writer:
    """Writes segments, one after another, from number `number` on. `samples` are known already."""

    def __init__(
        self,
        writer: str,
        numbers: Numbers,
        number: int = 1,
        samples: tuple[Samples, Samples] = ((), ()),
    ) -> None:
        self._writer = writer
        self._numbers = numbers
        self._trees = TreeMaker(numbers.number_of)
        self._bounds: dict[tuple[float, ...], int] = {}
        self._samples = samples
        self._number = number
        self._key: Tree = None
        self._last: Tree = None
        self._begin()

    @property
    def frames(self) -> int:
        """How many frames the open segment has."""
        return len(self._frames)

    def ends_before(self, frame: Frame) -> bool:
        """Whether the open segment must be closed before `frame` can be added."""
        if not self._frames:
            return False
        first_at, last_at, last_seen = self._frames[0][0], self._frames[-1][0], self._frames[-1][1]
        at = frame.snapshot.as_of
        steps = at < last_at or not 0 <= frame.seen_at - last_seen <= GAP_S
        is_long = at - first_at >= KEY_EVERY_S and len(self._frames) >= LEAST_FRAMES
        return steps or is_long or len(self._frames) >= MOST_FRAMES

    def add(self, frame: Frame) -> None:
        """Add a frame to the open segment."""
        tree = self._trees.make(frame)
        snapshot, index = frame.snapshot, len(self._frames)
        delta = diff(self._last, tree) if index else None
        self._key = tree if not index else self._key
        self._last = tree
        raw = msgspec.Raw(msgspec.msgpack.encode(delta))
        self._frames.append((snapshot.as_of, frame.seen_at, raw))
        self._add_samples(index, snapshot)
        self._add_moment(frame)

    def write(self, *, close: bool) -> Written | None:
        """The open segment as it is; None when it has no frame. `close`: the next one begins."""
        if not self._frames:
            return None
        first, last = self._frames[0], self._frames[-1]
        info = SegmentInfo(
            self._number,
            self._writer,
            first[0],
            last[0],
            first[1],
            last[1],
            len(self._frames),
            close,
            tuple(self._moments),
        )
        batches = tuple(
            Batch(self._number, bucket, press(rows)) for bucket, rows in self._rows.items()
        )
        written = Written(info, press([self._key, self._frames]), batches)
        if close:
            self._number += 1
            self._begin()
        return written

    def _begin(self) -> None:
        self._key = self._last = None
        self._frames: list[tuple[float, float, Any]] = []
        self._rows: dict[int, list[Packed]] = {}
        self._moments: list[Moment] = []
        self._numbers.used.clear()
        self._trees.forget()

    def _add_samples(self, frame: int, snapshot: Snapshot) -> None:
        after = (snapshot.legacy.samples, snapshot.canary.samples)
        for side, (old, new) in enumerate(zip(self._samples, after, strict=True)):
            changed, gone = find_changes(old, new)
            for sample in gone:
                self._keep(Packed(frame, side, sample.start, sample.end))
            for sample in changed:
                self._keep(pack(frame, side, sample, self._bounds_number))
        self._samples = after

    def _keep(self, row: Packed) -> None:
        self._rows.setdefault(bucket_of(row.until), []).append(row)

    def _bounds_number(self, bounds: tuple[float, ...]) -> int:
        number = self._bounds.get(bounds)
        if number is None:
            number = self._bounds[bounds] = self._numbers.number_of("bounds", list(bounds))
        return number

    def _add_moment(self, frame: Frame) -> None:
        state = find_state(frame.snapshot, frame.plan).id
        percent = frame.snapshot.traffic.canary_percent
        last = self._moments[-1] if self._moments else None
        if last is None or (last.state, last.percent) != (state, percent):
            self._moments.append(Moment(frame.snapshot.as_of, state, percent))
