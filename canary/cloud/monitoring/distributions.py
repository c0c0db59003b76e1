"""`google.api.Distribution` messages → Distribution. Pure; the impossible is None, never a zero.

The messages are raw protobufs: proto-plus attribute access would cost ten times as much.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any

from canary.rollout.measure.samples import Distribution

_MOST_BUCKETS = 10_000
"""The API allows 200 explicit ones; a layout beyond this is no layout."""


def read_distribution(message: Any) -> Distribution | None:
    """Return the distribution in a message; None when it contradicts itself.

    Trailing empty buckets are left out. A message without a histogram keeps its count and mean,
    with no bounds. None for: a negative count, a mean or deviation that is negative or not finite,
    counts that do not add up to `count`, more counts than buckets, a layout that is none.
    """
    count: int = message.count
    mean: float = message.mean
    deviation: float = message.sum_of_squared_deviation
    # `not >=` and not `<`: it is true of NaN, too.
    if count < 0 or not 0.0 <= mean < math.inf or not 0.0 <= deviation < math.inf:
        return None
    counts = tuple(message.bucket_counts)
    layout = _read_bounds(message.bucket_options)
    if not count and not any(counts):
        # No values: nothing contradicts itself, with a layout or without one.
        return Distribution(layout or (), (), 0, mean, deviation)
    if not counts:
        # Without a histogram there is no percentile.
        return Distribution((), (), count, mean, deviation)
    if layout is None or min(counts) < 0 or sum(counts) != count:
        return None
    length = len(counts)
    while length and not counts[length - 1]:
        length -= 1
    if length > len(layout) + 1:
        return None
    return Distribution(layout, counts[:length], count, mean, deviation)


def _read_bounds(options: Any) -> tuple[float, ...] | None:
    """The finite upper bounds, ascending; the same layout gives the same tuple. None if invalid."""
    kind = options.WhichOneof("options")
    if kind == "exponential_buckets":
        e = options.exponential_buckets
        return _exponential_bounds(e.num_finite_buckets, e.growth_factor, e.scale)
    if kind == "linear_buckets":
        linear = options.linear_buckets
        return _linear_bounds(linear.num_finite_buckets, linear.width, linear.offset)
    if kind == "explicit_buckets":
        return _explicit_bounds(tuple(options.explicit_buckets.bounds))
    return None


@lru_cache(maxsize=64)
def _exponential_bounds(finite: int, growth: float, scale: float) -> tuple[float, ...] | None:
    if not 0 < finite <= _MOST_BUCKETS or not 1.0 < growth < math.inf or not 0.0 < scale < math.inf:
        return None
    try:
        return _checked(tuple(scale * growth**i for i in range(finite + 1)))
    except OverflowError:
        return None


@lru_cache(maxsize=64)
def _linear_bounds(finite: int, width: float, offset: float) -> tuple[float, ...] | None:
    if not 0 < finite <= _MOST_BUCKETS or not 0.0 < width < math.inf or not math.isfinite(offset):
        return None
    return _checked(tuple(offset + width * i for i in range(finite + 1)))


@lru_cache(maxsize=256)
def _explicit_bounds(bounds: tuple[float, ...]) -> tuple[float, ...] | None:
    return _checked(bounds)


def _checked(bounds: tuple[float, ...]) -> tuple[float, ...] | None:
    finite = bool(bounds) and all(map(math.isfinite, bounds))
    return bounds if finite and all(a < b for a, b in pairwise(bounds)) else None
