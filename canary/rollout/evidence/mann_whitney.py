"""The Mann–Whitney test of the end-of-stage report, with a confidence interval of the shift.

The interval of the Hodges–Lehmann shift comes from inverting the normal approximation with
continuity and tie correction by Brent's root finding (tolerance 1e-4), as R's wilcox.test does and
Kayenta after it (spinnaker/kayenta, MannWhitney.scala; fixtures in MannWhitneySuite.scala).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import NormalDist

import msgspec

TOLERANCE = 1e-4


class Shift(msgspec.Struct, frozen=True):
    """How far the first sample lies above the second: interval and Hodges–Lehmann estimate."""

    low: float
    high: float
    estimate: float


def estimate_shift(
    first: Sequence[float],
    second: Sequence[float],
    confidence: float = 0.95,
    *,
    scale: float = 1.0,
) -> Shift | None:
    """The shift of `first` against `second`; None when a sample is empty.

    The search ends within TOLERANCE of the root: values that differ by less than that (ratios) are
    multiplied by `scale` before it, and the answer is divided by it.
    """
    if not first or not second:
        return None
    if scale != 1.0:
        first, second = [x * scale for x in first], [x * scale for x in second]
    low, high = min(first) - max(second), max(first) - min(second)
    if low == high:
        return Shift(low / scale, high / scale, low / scale)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)

    def root(target: float, corrected: bool) -> float:
        def gap(shift: float) -> float:
            return _standard_score(first, second, shift, corrected) - target

        if gap(low) <= 0:
            return low
        if gap(high) >= 0:
            return high
        return find_root(gap, low, high)

    # Within the tolerance the ends may come out in either order (so they do in Kayenta).
    ends = sorted((root(z, True), root(-z, True)))
    estimate = min(max(root(0.0, False), ends[0]), ends[1])
    return Shift(ends[0] / scale, ends[1] / scale, estimate / scale)


def _standard_score(
    first: Sequence[float], second: Sequence[float], shift: float, corrected: bool
) -> float:
    """z of the rank sum of `first` moved down by `shift`."""
    moved = [x - shift for x in first]
    n, m = len(first), len(second)
    ranks, ties = _ranks([*moved, *second])
    excess = sum(ranks[:n]) - n * (n + 1) / 2 - n * m / 2
    correction = math.copysign(0.5, excess) if corrected and excess else 0.0
    total = n + m
    tied = sum(t**3 - t for t in ties) / (total * (total - 1))
    sigma = math.sqrt(n * m / 12 * (total + 1 - tied))
    return (excess - correction) / sigma if sigma else 0.0


def _ranks(values: Sequence[float]) -> tuple[list[float], list[int]]:
    """Mid-ranks of the values, and the sizes of the groups of equal ones."""
    counts = Counter(values)
    rank_of: dict[float, float] = {}
    below = 0
    for value in sorted(counts):
        rank_of[value] = below + (counts[value] + 1) / 2
        below += counts[value]
    return [rank_of[v] for v in values], list(counts.values())


def find_root(
    function: Callable[[float], float], low: float, high: float, tolerance: float = TOLERANCE
) -> float:
    """A root of `function` between `low` and `high`, where its signs differ (Brent 1973).

    Raises ValueError when they do not.
    """
    a, b = low, high
    fa, fb = function(a), function(b)
    if fa * fb > 0:
        raise ValueError("the function has the same sign at both ends")
    c, fc = a, fa
    for _ in range(1000):
        last = b - a
        if fb * fc > 0:
            c, fc = a, fa
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        precision = 2 * math.ulp(1.0) * abs(b) + tolerance / 2
        middle = (c - b) / 2
        if abs(middle) <= precision or fb == 0:
            return b
        guess = _interpolate(a, b, c, fa, fb, fc) if abs(fa) > abs(fb) else None
        # R's zeroin and Kayenta compare with the last step; Brent's text with the one before it.
        # With theirs the intervals of Kayenta's larger fixtures come out to 1e-12.
        if (
            guess is not None
            and abs(last) >= precision
            and _is_safe(guess, middle, precision, last)
        ):
            step = guess
        else:
            step = middle
        a, fa = b, fb
        b += step if abs(step) > precision else math.copysign(precision, middle)
        fb = function(b)
    return b


def _interpolate(a: float, b: float, c: float, fa: float, fb: float, fc: float) -> float | None:
    """The step of a secant (two points) or inverse quadratic (three points); None if undefined."""
    if a == c:
        return -(b - c) * fb / (fb - fc) if fb != fc else None
    q, r, s = fa / fc, fb / fc, fb / fa
    p = s * ((c - b) * q * (q - r) - (b - a) * (r - 1))
    q = (q - 1) * (r - 1) * (s - 1)
    return -p / q if q else None


def _is_safe(guess: float, middle: float, precision: float, last: float) -> bool:
    """Brent's conditions: towards the root, not past ¾ of the way, and shrinking fast enough."""
    if guess * middle <= 0:
        return False
    return abs(guess) < min(1.5 * abs(middle) - precision / 2, abs(last) / 2)
