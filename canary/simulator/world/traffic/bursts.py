"""Errors in bursts: what the error ratio of a side is at a moment, and when it changes. Pure."""

from __future__ import annotations

import math
from random import Random

import msgspec

from canary.simulator.config import SideName

_TINY = 1e-6
"""An edge that is computed may lie a rounding error before itself."""


class Bursts(msgspec.Struct, frozen=True):
    """How a side's error ratio moves.

    With `cv` 0 it is `ratio` for the first `length_s` of every `every_s` and `otherwise` (None: the
    usual one) in between: the side crashes, and is started anew. Else it is drawn anew every
    `every_s`, with the mean `ratio` and that coefficient of variation, each side by itself.
    """

    ratio: float
    every_s: float
    length_s: float = 0.0
    cv: float = 0.0
    otherwise: float | None = None

    def ratio_at(self, since: float, side: SideName, when: float) -> float | None:
        """5xx ÷ all at a time, for a scenario that began at `since`; None: the usual."""
        number, inside_s = divmod(when - since + _TINY, self.every_s)
        if not self.cv:
            return self.ratio if inside_s < self.length_s else self.otherwise
        shape = 1.0 / (self.cv * self.cv)
        drawn = Random(f"{since}/{side}/{int(number)}").gammavariate(shape, self.ratio / shape)
        return min(1.0, drawn)

    def restarts(self, since: float, when: float) -> int:
        """How often the side has been started anew by then."""
        return 0 if self.cv else int((when - since + _TINY) // self.every_s) + 1

    def edges(self, since: float, start: float, end: float) -> list[float]:
        """The times between `start` and `end` (neither is one) at which the ratio changes."""
        first = math.floor((start - since) / self.every_s)
        last = math.ceil((end - since) / self.every_s)
        begins = [since + number * self.every_s for number in range(first, last + 1)]
        ends = [] if self.cv else [at + self.length_s for at in begins]
        return sorted(at for at in {*begins, *ends} if start + _TINY < at < end - _TINY)
