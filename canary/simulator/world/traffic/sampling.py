"""Cheap random counts: a few draws for a minute instead of one for each request.

`random.Random` has no binomial in Python 3.11. Small expectations are drawn exactly by
inversion, large ones from the normal approximation, whose error is below the counts' own noise.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from random import Random

EXACT_BELOW = 12.0
"""Expected counts below this are drawn exactly."""


_TABLE_BITS = 12


@functools.lru_cache(maxsize=4)
def normal_quantiles(count: int) -> tuple[float, ...]:
    """Return `count` values of the standard normal at equal chances, lowest first."""
    # Here, for it costs 8 ms to import and is not needed before the first question.
    from statistics import NormalDist

    normal = NormalDist()
    return tuple(normal.inv_cdf((i + 0.5) / count) for i in range(count))


def standard_normal(rng: Random) -> float:
    """Return a standard normal value from a table of 4 096 (so within ±3.7).

    random.gauss is pure Python in 3.11 and took a third of the time of a minute.
    """
    return normal_quantiles(1 << _TABLE_BITS)[rng.getrandbits(_TABLE_BITS)]


def poisson(rng: Random, expected: float) -> int:
    """Return a Poisson count; 0 for an expectation of 0 or less."""
    if expected <= 0.0:
        return 0
    if expected > EXACT_BELOW:
        return max(0, round(expected + standard_normal(rng) * math.sqrt(expected)))
    chance = math.exp(-expected)
    left = rng.random()
    count = 0
    while left > chance and chance > 0.0:
        left -= chance
        count += 1
        chance *= expected / count
    return count


def binomial(rng: Random, trials: int, ratio: float) -> int:
    """Return how many of `trials` succeed, each with chance `ratio` (taken as 0…1)."""
    if trials <= 0 or ratio <= 0.0:
        return 0
    if ratio >= 1.0:
        return trials
    if ratio > 0.5:
        return trials - binomial(rng, trials, 1.0 - ratio)
    expected = trials * ratio
    if expected > EXACT_BELOW:
        drawn = expected + standard_normal(rng) * math.sqrt(expected * (1.0 - ratio))
        return min(trials, max(0, round(drawn)))
    odds = ratio / (1.0 - ratio)
    chance = (1.0 - ratio) ** trials
    left = rng.random()
    count = 0
    while left > chance and count < trials:
        left -= chance
        chance *= odds * (trials - count) / (count + 1)
        count += 1
    return count


def multinomial(rng: Random, trials: int, ratios: Sequence[float]) -> list[int]:
    """Spread `trials` over bins whose chances sum to 1; the counts sum to `trials`."""
    bins = len(ratios)
    counts = [0] * bins
    if trials < bins:
        # Few values over many bins: placing each is cheaper than asking every bin.
        for index in rng.choices(range(bins), ratios, k=max(0, trials)):
            counts[index] += 1
        return counts
    left = trials
    chance_left = 1.0
    normal, bits, root = normal_quantiles(1 << _TABLE_BITS), rng.getrandbits, math.sqrt
    for index in range(bins - 1):
        ratio = ratios[index] / chance_left if ratios[index] < chance_left else 1.0
        expected = left * ratio
        if expected > EXACT_BELOW and ratio <= 0.5:
            # binomial's usual case, written out: this loop is most of the time of a minute
            drawn = int(expected + normal[bits(_TABLE_BITS)] * root(expected * (1.0 - ratio)) + 0.5)
            drawn = 0 if drawn < 0 else left if drawn > left else drawn
        else:
            drawn = binomial(rng, left, ratio)
        counts[index] = drawn
        left -= drawn
        if left == 0:
            return counts
        chance_left -= ratios[index]
    counts[-1] = left
    return counts
