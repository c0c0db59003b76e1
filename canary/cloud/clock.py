"""The cloud's clock: the real one, or the embedded cloud's, which can run faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class CloudClock(Protocol):
    """What time it is where the metrics are made. `speed` is cloud seconds per real second."""

    @property
    def speed(self) -> float:
        """Cloud seconds that pass in one real second; 1 on the real cloud."""

    def now(self) -> float:
        """Return the cloud's time: unix seconds, UTC."""


class SystemClock:
    """This host's clock: the real cloud's, as far as NTP goes."""

    speed: float = 1.0

    def now(self) -> float:
        """Return unix seconds, UTC."""
        return time.time()


class ScaledClock:
    """A clock that showed `base_unix` when the monotonic clock showed `base_monotonic`.

    It follows the embedded cloud's without asking again; `follow` corrects it after a jump there.
    """

    def __init__(
        self,
        base_unix: float,
        base_monotonic: float,
        speed: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_unix = base_unix
        self._base_monotonic = base_monotonic
        self._speed = speed
        self._monotonic = monotonic

    @property
    def speed(self) -> float:
        """Cloud seconds that pass in one real second."""
        return self._speed

    def now(self) -> float:
        """Return the cloud's time: unix seconds, UTC."""
        return self._base_unix + (self._monotonic() - self._base_monotonic) * self._speed

    def follow(self, now: float, speed: float) -> None:
        """Take over what the cloud says its time and speed are, as of this moment."""
        self._base_unix, self._base_monotonic = now, self._monotonic()
        self._speed = speed
