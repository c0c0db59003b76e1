"""Many values → one: what aligners do over time and reducers across series."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import pstdev

from canary.simulator.world.traffic.minute import Distribution, merge

Value = int | float | Distribution


def combiner(name: str, bounds: tuple[float, ...]) -> Callable[[Sequence[Value]], Value]:
    """Return what makes one value of many, by the name without ALIGN_ or REDUCE_.

    `bounds` are those of distributions. It is never handed an empty list. KeyError for a name
    that aligners and reducers do not share.
    """
    if name.startswith("PERCENTILE_"):
        quantile = int(name.removeprefix("PERCENTILE_")) / 100
        return lambda held: _percentile(held, quantile, bounds)
    simple: dict[str, Callable[[Sequence[Value]], Value]] = {
        "SUM": total,
        "MEAN": _mean,
        "STDDEV": _stddev,
        "COUNT": len,
        "MIN": lambda held: min(map(number, held)),
        "MAX": lambda held: max(map(number, held)),
    }
    return simple[name]


def number(value: Value) -> int | float:
    """Return a value that was checked to be a number."""
    if isinstance(value, Distribution):
        raise TypeError("a distribution where a number was checked for")
    return value


def _spreads(held: Sequence[Value]) -> list[Distribution]:
    return [value for value in held if isinstance(value, Distribution)]


def total(held: Sequence[Value]) -> Value:
    """Add numbers, or merge distributions of the same bounds."""
    if len(held) == 1:
        return held[0]
    if isinstance(held[0], Distribution):
        return merge(_spreads(held))
    return sum(map(number, held))


def _mean(held: Sequence[Value]) -> float:
    if isinstance(held[0], Distribution):
        return merge(_spreads(held)).mean
    return math.fsum(map(number, held)) / len(held)


def _stddev(held: Sequence[Value]) -> float:
    if isinstance(held[0], Distribution):
        merged = merge(_spreads(held))
        return math.sqrt(merged.squared_deviation / merged.count) if merged.count else 0.0
    return pstdev(map(number, held))


def _percentile(held: Sequence[Value], quantile: float, bounds: tuple[float, ...]) -> float:
    if isinstance(held[0], Distribution):
        return percentile(merge(_spreads(held)), quantile, bounds)
    ordered = sorted(map(number, held))
    rank = quantile * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def percentile(spread: Distribution, quantile: float, bounds: tuple[float, ...]) -> float:
    """Return a quantile by linear interpolation inside its bucket; 0.0 of no values.

    The underflow is taken to begin at 0 (or at the first bound, if that is below), the overflow
    has no end and answers with its lower bound.
    """
    rank, below = quantile * spread.count, 0
    for index, count in enumerate(spread.counts):
        if count and below + count >= rank:
            low = bounds[index - 1] if index else min(0.0, bounds[0])
            high = bounds[index] if index < len(bounds) else low
            return low + (high - low) * max(0.0, rank - below) / count
        below += count
    return 0.0
