"""Cumulative values at the ends of periods → what happened in each period. Pure.

A counter only grows. It falls when its process began anew: the new value is then what happened
since. Its first value counts in full when others of its side were scraped a period before, since
it is then that of a new process or of a status that had not occurred; when nothing of the side was
there, nobody knows since when it counts, and the period has no value. A gap is no zero: what grew
while nothing was scraped belongs to no single period, and is left out.
Seen on Prometheus 2.42: `increase()` over a new series with 3 events says 0, and 2 real events
are 2.18.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

Ends = Sequence[int]
"""The ends of the periods, unix seconds, ascending; the first is only compared with."""

_HALF: Final = 0.5
MOST: Final = 1e15
"""More is no count: 30 000 a second since 1970. Sums of such stay numbers."""


class Growth(msgspec.Struct):
    """What happened by the end of each period, added up over series; `unknown`: it cannot be told.
    Of these `wrong` have a value that is no count; the others are gaps, which are nobody's fault.

    `whole` has no end that `unknown` has.
    """

    by_end: dict[int, list[float]] = {}
    unknown: set[int] = msgspec.field(default_factory=set)
    wrong: set[int] = msgspec.field(default_factory=set)

    @property
    def whole(self) -> dict[int, list[float]]:
        """The periods whose values are all there."""
        return {end: found for end, found in self.by_end.items() if end not in self.unknown}


def add_growth(
    series: Iterable[Mapping[int, Sequence[float]]], ends: Ends, alive: Mapping[int, bool]
) -> Growth:
    """Add up the growth of vectors of counters that begin anew together.

    The last of a vector is what tells that they began anew (of a histogram: all its values).
    `alive` says of which ends anything of this side was scraped. Vectors of other lengths make
    the period unknown.
    """
    grown = Growth({})
    for points in series:
        _add_one(points, ends, alive, grown)
    return grown


def _add_one(
    points: Mapping[int, Sequence[float]], ends: Ends, alive: Mapping[int, bool], grown: Growth
) -> None:
    was_seen = ends[0] in points if ends else False
    for before, end in pairwise(ends):
        now, earlier = points.get(end), points.get(before)
        if now is None:
            continue
        if not all(0 <= value <= MOST for value in now):
            grown.unknown.add(end)
            grown.wrong.add(end)
        elif earlier is not None:
            _put(grown, end, _difference(earlier, now))
        elif was_seen or not alive.get(before, False):
            grown.unknown.add(end)
        else:
            _put(grown, end, list(now))
        was_seen = True


def _difference(earlier: Sequence[float], now: Sequence[float]) -> list[float] | None:
    if len(earlier) != len(now) or not all(-MOST <= value <= MOST for value in earlier):
        return None
    if now[-1] < earlier[-1]:
        return list(now)
    grown = [b - a for a, b in zip(earlier, now, strict=True)]
    return None if any(value < -_HALF for value in grown) else [max(0.0, v) for v in grown]


def _put(grown: Growth, end: int, found: list[float] | None) -> None:
    present = grown.by_end.get(end)
    if found is None or (present is not None and len(present) != len(found)):
        grown.unknown.add(end)
        grown.wrong.add(end)
    elif present is None:
        grown.by_end[end] = found
    else:
        grown.by_end[end] = [a + b for a, b in zip(present, found, strict=True)]
