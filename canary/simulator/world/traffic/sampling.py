"""Cheap draws: counts, latencies, scores, utilisations; a few for a minute, not one a request.

`random.Random` has no binomial in Python 3.11. Small expectations are drawn exactly by
inversion, large ones from the normal approximation, whose error is below the counts' own noise.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import msgspec

from canary.simulator.world.traffic.minute import (
    CONFIDENCE_BOUNDS,
    LATENCY_BOUNDS_MS,
    RATIO_BOUNDS,
    Distribution,
)

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


Z95 = 1.6448536269514722
"""The normal distribution's 95th percentile."""

_LOG_BOUNDS = tuple(math.log(bound) for bound in LATENCY_BOUNDS_MS)
_LEAST_CHANCE = 1e-5
_LOG_STEP = 0.01
_MEAN_STEP = 0.0025
_LOGIT_SPREAD = 0.8
_GRID = 2000


class Buckets(msgspec.Struct, frozen=True):
    """The buckets of a shape that are ever hit: `first` is the index of the first one."""

    first: int
    chances: tuple[float, ...]
    means: tuple[float, ...]
    """Mean of the values that fall into each bucket."""
    squares: tuple[float, ...]
    """Mean of their squares."""


def log_normal(mean: float, p95: float) -> tuple[float, float]:
    """Return (median, sigma) of the log-normal with this mean and 95th percentile.

    ln(p95/mean) = z·σ − σ²/2; of the two roots the one that is not absurdly wide. A p95 beyond
    the widest possible one (e^(z²/2) ≈ 3.9 means) is taken as that.
    """
    sigma = Z95 - math.sqrt(max(0.0, Z95 * Z95 - 2.0 * math.log(p95 / mean)))
    return mean * math.exp(-sigma * sigma / 2.0), sigma


def latency_buckets(median_ms: float, sigma: float) -> Buckets:
    """Return the buckets of a log-normal latency; the median is rounded to 1 % to share them."""
    return _latency_buckets(round(math.log(median_ms) / _LOG_STEP), sigma)


@functools.lru_cache(maxsize=1024)
def _latency_buckets(step: int, sigma: float) -> Buckets:
    mu = step * _LOG_STEP
    # Three normals in one pass: shifted by σ and 2σ they give the mean and mean square of the
    # values in a bucket (partial moments of the log-normal).
    moments = [
        _differences([_normal_cdf((bound - mu) / sigma - k * sigma) for bound in _LOG_BOUNDS])
        for k in (0, 1, 2)
    ]
    mean = math.exp(mu + sigma * sigma / 2.0)
    square = math.exp(2.0 * mu + 2.0 * sigma * sigma)
    return _trim(
        moments[0],
        [part * mean for part in moments[1]],
        [part * square for part in moments[2]],
    )


def confidence_buckets(mean: float) -> Buckets:
    """Return the buckets of a score in 0…1 with this mean (logit-normal, like a beta)."""
    clamped = min(0.98, max(0.02, mean))
    return _confidence_buckets(round(clamped / _MEAN_STEP))


@functools.lru_cache(maxsize=512)
def _confidence_buckets(step: int) -> Buckets:
    location = _cached_location(step)
    size = len(CONFIDENCE_BOUNDS) + 1
    chances, sums, squares = [0.0] * size, [0.0] * size, [0.0] * size
    for score in _scores(location):
        index = bucket_of_ratio(score)
        chances[index] += 1.0 / _GRID
        sums[index] += score / _GRID
        squares[index] += score * score / _GRID
    return _trim(chances, sums, squares)


def draw_score(rng: Random, mean: float) -> float:
    """Return one score in 0…1 of the shape of `confidence_buckets(mean)`."""
    location = _cached_location(round(min(0.98, max(0.02, mean)) / _MEAN_STEP))
    return 1.0 / (1.0 + math.exp(-location - _LOGIT_SPREAD * rng.gauss(0.0, 1.0)))


@functools.lru_cache(maxsize=64)
def score_quantiles(mean: float) -> tuple[float, ...]:
    """Return scores of the shape of `confidence_buckets(mean)` at equal chances, lowest first."""
    return tuple(_scores(_cached_location(round(min(0.98, max(0.02, mean)) / _MEAN_STEP))))


@functools.lru_cache(maxsize=512)
def _cached_location(step: int) -> float:
    return _logit_location(step * _MEAN_STEP)


def _logit_location(mean: float) -> float:
    low, high = -6.0, 6.0
    for _ in range(24):
        middle = (low + high) / 2.0
        if math.fsum(_scores(middle, 100)) / 100 < mean:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _scores(location: float, count: int = _GRID) -> list[float]:
    """Return `count` quantiles at equal chances."""
    return [1.0 / (1.0 + math.exp(-location - _LOGIT_SPREAD * z)) for z in normal_quantiles(count)]


def draw(rng: Random, buckets: Buckets, count: int) -> Distribution:
    """Return a distribution of `count` values."""
    if count <= 0:
        return Distribution()
    counts = multinomial(rng, count, buckets.chances)
    while counts and counts[-1] == 0:
        counts.pop()
    total = square = 0.0
    for hits, mean, mean_square in zip(counts, buckets.means, buckets.squares, strict=False):
        total += hits * mean
        square += hits * mean_square
    return Distribution((0,) * buckets.first + tuple(counts), total, square)


def ratios(values: Sequence[float]) -> Distribution:
    """Return the distribution over RATIO_BOUNDS of utilisations, each taken as 0…1."""
    counts = [0] * (len(RATIO_BOUNDS) + 1)
    total = square = 0.0
    highest = -1
    for value in values:
        held = min(1.0, max(0.0, value))
        index = bucket_of_ratio(held)
        counts[index] += 1
        highest = max(highest, index)
        total += held
        square += held * held
    return Distribution(tuple(counts[: highest + 1]), total, square)


def bucket_of(bounds: Sequence[float], value: float) -> int:
    """Return the index of the bucket of a value: 0 is the underflow, len(bounds) the overflow."""
    return bisect.bisect_right(bounds, value)


def bucket_of_ratio(value: float) -> int:
    """Return the bucket of a value in 0…1; 1 itself counts in the last finite one."""
    return min(len(RATIO_BOUNDS) - 1, bucket_of(RATIO_BOUNDS, value))


def _normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def _differences(cumulative: Sequence[float]) -> list[float]:
    padded = [0.0, *cumulative, 1.0]
    return [after - before for before, after in pairwise(padded)]


def _trim(chances: list[float], sums: list[float], squares: list[float]) -> Buckets:
    hit = [index for index, chance in enumerate(chances) if chance > _LEAST_CHANCE]
    inside = range(hit[0], hit[-1] + 1)
    total = math.fsum(chances[i] for i in inside)
    return Buckets(
        hit[0],
        tuple(chances[i] / total for i in inside),
        tuple(sums[i] / chances[i] if chances[i] > 0.0 else 0.0 for i in inside),
        tuple(squares[i] / chances[i] if chances[i] > 0.0 else 0.0 for i in inside),
    )
