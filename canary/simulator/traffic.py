"""The model of traffic: from the timeline and a seed to the numbers of every minute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from canary.simulator.config import Config
from canary.simulator.minute import Minute
from canary.simulator.timeline import Timeline


class Arrivals:
    """Requests that really came over HTTP."""

    def restore(self, end: int, service: str, revision: str, value: bytes) -> None:
        """Take back what was saved."""

    def take_changed(self) -> Iterator[tuple[int, str, str, bytes]]:
        """Yield what changed since the last call."""
        return iter(())


class Traffic:
    """Minutes, computed when asked for."""

    def __init__(
        self, config: Config, timeline: Timeline, seed: int, requests_per_s: float
    ) -> None:
        self.arrivals = Arrivals()

    def forget_after(self, when: float) -> None:
        """Compute again what ends after a time."""

    def minutes(
        self, service: str, revision: str | None, start: float, end: float
    ) -> Sequence[Minute]:
        """Return the complete minutes whose end lies in (start, end]."""
        return []
