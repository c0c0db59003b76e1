"""The interval that a ratio lies in, from a count out of n: Wilson's score interval.

For a fixed n, chosen before looking. Unlike p ± z·√(p(1−p)∕n) it holds near 0 and 1, where a small
share of Canary is, and never leaves 0…1.
Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 1927.
"""

from __future__ import annotations

import math
from typing import Final

Z_95: Final = 1.959963984540054
Z_99: Final = 2.5758293035489004
"""Two-sided quantiles of the normal distribution."""


def wilson_interval(count: int, n: int, z: float) -> tuple[float, float] | None:
    """Lowest and highest ratio that `count` out of `n` go with; None for n = 0.

    Raises ValueError unless 0 ≤ count ≤ n.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} out of {n} is no ratio")
    if n == 0:
        return None
    ratio, zz = count / n, z * z
    centre = (ratio + zz / (2 * n)) / (1 + zz / n)
    half = z / (1 + zz / n) * math.sqrt(ratio * (1 - ratio) / n + zz / (4 * n * n))
    # The ends are exact in theory; rounding must not leave out the ratio itself.
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == n else min(1.0, centre + half)
    return low, high
