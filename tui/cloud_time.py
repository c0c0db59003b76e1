"""The cloud's time between two snapshots, for the ages that tick."""

from __future__ import annotations

from collections.abc import Callable

from canary.rollout.snapshot.snapshot import Snapshot


class CloudTime:
    """Runs on from the newest snapshot at the cloud's speed. `monotonic` is in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._as_of = 0.0
        self._speed = 1.0
        self._received_at: float | None = None

    def set(self, snapshot: Snapshot) -> None:
        """Take the time of a snapshot that arrived now."""
        self._as_of = snapshot.as_of
        self._speed = snapshot.speed
        self._received_at = self._monotonic()

    def now(self) -> float:
        """The cloud's time, unix seconds; 0 before the first snapshot."""
        return self._as_of + self.silent_s() * self._speed

    def silent_s(self) -> float:
        """Real seconds since the newest snapshot arrived; 0 before the first."""
        return 0.0 if self._received_at is None else self._monotonic() - self._received_at
