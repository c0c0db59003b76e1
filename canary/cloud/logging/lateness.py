"""How late entries of the request log come, and how long a window waits for them. Pure.

Between the end of a request and the moment its entry is here lie the service's own delay (the
entry's `receive_timestamp` less that end), the ordering of the tail, the way here, and whatever
this host's clock is ahead. The sum is what a window must wait for, so the sum is measured.
"""

from __future__ import annotations

from typing import Final

BIN_S: Final = 0.25
MOST_WAIT_S: Final = 60.0
_BINS: Final = int(MOST_WAIT_S / BIN_S) + 1
_LEAST: Final = 20
_FULL: Final = 4_000.0


class Lateness:
    """The lateness of the newest few thousand entries, in bins of a quarter of a second."""

    def __init__(self) -> None:
        self._counts = [0.0] * _BINS
        self._total = 0.0

    def add(self, late_s: float) -> None:
        """Note one entry. What is older counts half after every few thousand."""
        self._counts[min(_BINS - 1, max(0, int(late_s / BIN_S)))] += 1.0
        self._total += 1.0
        if self._total >= _FULL:
            self._counts = [count / 2 for count in self._counts]
            self._total /= 2

    @property
    def wait_s(self) -> float:
        """The 99th percentile, rounded up to a bin and one more; 0 before there are enough."""
        if self._total < _LEAST:
            return 0.0
        left = 0.01 * self._total
        index = _BINS - 1
        while index > 0 and self._counts[index] <= left:
            left -= self._counts[index]
            index -= 1
        return min(MOST_WAIT_S, (index + 2) * BIN_S)
