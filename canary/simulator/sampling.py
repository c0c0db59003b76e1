"""Cheap random counts: a few draws for a minute instead of one for each request.

`random.Random` has no binomial in Python 3.11. Small expectations are drawn exactly by
inversion, large ones from the normal approximation, whose error is below the counts' own noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

EXACT_BELOW = 12.0
"""Expected counts below this are drawn exactly."""


def poisson(rng: Random, expected: float) -> int:
    """Return a Poisson count; 0 for an expectation of 0 or less."""
    if expected <= 0.0:
        return 0
    if expected > EXACT_BELOW:
        return max(0, round(rng.gauss(expected, math.sqrt(expected))))
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
        drawn = rng.gauss(expected, math.sqrt(expected * (1.0 - ratio)))
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
    counts = [0] * len(ratios)
    left = trials
    chance_left = 1.0
    last = len(ratios) - 1
    for index, ratio in enumerate(ratios):
        if left == 0:
            break
        if index == last or ratio >= chance_left:
            counts[index] = left
            break
        counts[index] = drawn = binomial(rng, left, ratio / chance_left)
        left -= drawn
        chance_left -= ratio
    return counts
