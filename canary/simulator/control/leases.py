"""Leases: the cloud lives as long as somebody holds one, and a little longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Leases:
    """Counts the leases; calls `end` when the last is gone and the grace is over.

    `first_s` is how long it waits for the first console, `grace_s` for another after the last
    (a console that is started again). Both are real seconds: consoles come and go by the wall.
    """

    def __init__(self, end: Callable[[], None], *, first_s: float, grace_s: float) -> None:
        self._end = end
        self._first_s = first_s
        self._grace_s = grace_s
        self._held = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> int:
        """How many are held now."""
        return self._held

    def start(self) -> None:
        """Begin to wait for the first lease."""
        self._wait(self._first_s)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold a lease for the length of the block."""
        self._held += 1
        self._cancel()
        try:
            yield
        finally:
            self._held -= 1
            if self._held == 0:
                self._wait(self._grace_s)

    def end_unused(self) -> bool:
        """End without waiting out the grace; returns False, and does not, while one is held."""
        if self._held == 0:
            self._wait(0.0)
        return self._held == 0

    def stop(self) -> None:
        """Stop waiting: the cloud ends for another reason."""
        self._cancel()

    def _wait(self, seconds: float) -> None:
        self._cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
