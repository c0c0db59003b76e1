"""Which stretches of time have been judged already: so that none is judged twice."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Coverage:
    """Half-open stretches (start, end], joined where they touch; few, however long they are."""

    def __init__(self) -> None:
        self._starts: list[float] = []
        self._ends: list[float] = []

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, start: float, end: float) -> None:
        """Cover (start, end]."""
        if end <= start:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last], self._ends[first:last] = [start], [end]

    def overlaps(self, start: float, end: float) -> bool:
        """Whether any moment of (start, end] is covered."""
        index = bisect_right(self._ends, start)
        return index < len(self._starts) and self._starts[index] < end
