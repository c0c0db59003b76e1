"""The two sides on a healthy day."""

from __future__ import annotations

import functools

import msgspec

from canary.simulator.config import SideName
from canary.simulator.world.traffic.shapes import log_normal

SIDES: tuple[SideName, SideName] = ("legacy", "canary")

_shape = functools.lru_cache(log_normal)


class Profile(msgspec.Struct, frozen=True):
    """A side on a healthy day."""

    mean_ms: float
    p95_ms: float
    confidence: float
    error_ratio: float
    """5xx ÷ all; 4xx ÷ all is half of it."""
    cpu_at_full: float
    memory: float

    @property
    def client_error_ratio(self) -> float:
        """4xx ÷ all."""
        return self.error_ratio / 2.0

    @property
    def shape(self) -> tuple[float, float]:
        """(median ms, sigma) of the log-normal latency."""
        return _shape(self.mean_ms, self.p95_ms)


PROFILES: dict[SideName, Profile] = {
    "legacy": Profile(450.0, 1200.0, 0.72, 0.008, 0.95, 0.52),
    "canary": Profile(220.0, 600.0, 0.85, 0.002, 0.80, 0.41),
}
"""The mission's A/B figures: success 0.988 and 0.997, the rest 5xx and 4xx about 2:1."""
