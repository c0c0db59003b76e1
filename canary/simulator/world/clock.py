"""Cloud time: runs `speed` times as fast as real time, stands still while the process is away."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """A clock that can run faster and jump forwards, never backwards.

    `now()` is unix seconds (UTC) of cloud time. `monotonic` is the real clock underneath;
    tests hand in their own.
    """

    def __init__(
        self, start: float, speed: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._speed = speed
        self._cloud_base = start
        self._real_base = monotonic()

    @property
    def speed(self) -> float:
        """Cloud seconds that pass in one real second."""
        return self._speed

    def now(self) -> float:
        """Return cloud time in unix seconds."""
        return self._cloud_base + (self._monotonic() - self._real_base) * self._speed

    def real_seconds(self, cloud_s: float) -> float:
        """Return how long a stretch of cloud time takes on the wall."""
        return cloud_s / self._speed

    def set_speed(self, speed: float) -> None:
        """Run at another speed from now on; ValueError unless it is above 0 and finite."""
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed: expected above 0, not {speed}")
        self._rebase(self.now())
        self._speed = speed

    def advance(self, cloud_s: float) -> None:
        """Jump forwards; ValueError for a jump backwards, which no cloud makes."""
        if not 0 <= cloud_s < float("inf"):
            raise ValueError(f"advance_s: expected 0 or more, not {cloud_s}")
        self._rebase(self.now() + cloud_s)

    def _rebase(self, cloud_now: float) -> None:
        self._cloud_base = cloud_now
        self._real_base = self._monotonic()
