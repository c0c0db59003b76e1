"""How fast the embedded cloud's clock may run for what is read here to be fresh. Pure.

Between two readings of Cloud Monitoring the clock goes on: where that is more than the numbers may
be old, they are stale at every look, and a demo at ×3600 never says anything else.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

READINGS: Final = 5
"""The last few; the slowest of them counts."""

TOLERATED: Final = 1.25
"""So much faster than what can be held is let be: a machine is not as fast at every moment."""

LEAST_SPEED: Final = 1.0


class Pace:
    """What reading takes here, and the fastest clock at which what is read is fresh."""

    def __init__(self, stale_after_s: float, least_pause_s: float) -> None:
        self._stale_after_s = stale_after_s
        self._least_pause_s = least_pause_s
        self._took_s: deque[float] = deque(maxlen=READINGS)

    def note(self, took_s: float) -> None:
        """One reading took so many real seconds."""
        self._took_s.append(max(0.0, took_s))

    @property
    def slowest_s(self) -> float:
        """The slowest of the last readings, real seconds; 0 before any."""
        return max(self._took_s, default=0.0)

    def lowered(self, speed: float, visible_after_s: float) -> float | None:
        """The speed that can be held instead of `speed`; None: it can, or too little is known.

        `visible_after_s`: how old a minute is when it can be seen first, cloud seconds.
        """
        if len(self._took_s) < READINGS or speed <= LEAST_SPEED:
            return None
        slack_s = max(30.0, self._stale_after_s - visible_after_s)
        held = slack_s / (self._least_pause_s + self.slowest_s)
        if speed <= held * TOLERATED:
            return None
        return max(LEAST_SPEED, float(math.floor(held)))
