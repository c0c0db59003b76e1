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


SKEW_FROM_S = 5.0
"""A host's clock that is off by less is taken as it is: dates come in whole seconds."""

_SLOW_ANSWER_S = 10.0


def read_steady() -> float:
    """Seconds of a clock that nobody sets, and that goes on while the host sleeps (Linux)."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class SystemClock:
    """This host's clock as it was at first, put right by the dates of the cloud's answers.

    A clock that is behind would make old data look fresh, one that is ahead would make all data
    stale. And one that is set while we wait would end the wait, or never: so it is read once, and
    from then on `steady` counts. `wall` is the host's clock as it is; `steady` None: this host's,
    and for a `wall` moved by hand that itself.
    """

    speed: float = 1.0

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self._wall = wall
        self._steady = steady or (read_steady if wall is time.time else wall)
        self._base = self._wall() - self._steady()
        self._correction_s: float | None = None
        self._skew_s: float | None = None

    @property
    def skew_s(self) -> float | None:
        """How far the cloud's time is ahead of this host's (negative: behind).

        0 when they agree as far as can be told; None when no answer has come yet.
        """
        return self._skew_s

    def now(self) -> float:
        """Return unix seconds, UTC."""
        return self._own() + (self._correction_s or 0.0)

    def hear(self, date: float, took_s: float) -> None:
        """Take in the date of an answer (whole seconds, cut off) that came just now."""
        if took_s > _SLOW_ANSWER_S:
            return  # too vague: nobody knows when in that time it was dated
        self._correction_s = _compare(date, self._own(), took_s, self._correction_s)
        self._skew_s = _compare(date, self._wall(), took_s, self._skew_s)

    def _own(self) -> float:
        return self._base + self._steady()


def _compare(date: float, now: float, took_s: float, known_s: float | None) -> float:
    """How far an answer's `date` is ahead of `now`, when it came; `known_s` is what was known."""
    least, most = date - now, date + 1.0 - (now - took_s)
    if known_s and least - 1.0 <= known_s <= most + 1.0:
        return known_s  # no jumping about by fractions of a second
    skew_s = (least + most) / 2.0
    return skew_s if abs(skew_s) >= SKEW_FROM_S else 0.0


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
