"""Is the split what it should be? A Dirichlet-multinomial Bayes factor (sample-ratio mismatch).

Counts of each side against the intended shares: the factor is the marginal likelihood under a
Dirichlet prior over that under the intended shares, a martingale, so 1∕α bounds the chance of ever
crying wolf. Fixture: optimizely/ssrm, ssrm_test/test_ssrm_test.py.

A split of 4.95 % where 5 % is intended is nobody's mistake, and with enough requests it would be
proven. So the factor that is believed is against the most likely of all shares near the intended
one (`is_outside`). It stays valid when the share moves about among them: against any alternative
above them the likelihood of their upper end gives a supermartingale, and so below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

ALPHA: Final = 0.001
TOLERANCE: Final = 0.1
"""Of the intended share: so far off is nobody's mistake …"""
LEAST_TOLERANCE: Final = 0.005
"""… and half a point, whatever share is intended."""


def shares_allowed(intended: float) -> tuple[float, float]:
    """The lowest and highest of Canary's shares that count as the intended one, 0…1.

    Above, never so high that Legacy would have less than half of what it should have.
    """
    off = max(LEAST_TOLERANCE, TOLERANCE * intended)
    return max(0.0, intended - off), min(intended + off, (1.0 + intended) / 2.0)


def is_outside(legacy: int, canary: int, intended: float) -> bool:
    """Whether so many requests of each side prove a share that is none of `shares_allowed`."""
    if legacy + canary <= 0:
        return False
    low, high = shares_allowed(intended)
    nearest = min(high, max(low, canary / (legacy + canary)))
    counts = (legacy, canary)
    gain = log_marginal_alternative((1.0, 1.0), counts)
    gain -= log_marginal_null((1.0 - nearest, nearest), counts)
    return gain >= -math.log(ALPHA)


def log_marginal_alternative(pseudo: Sequence[float], counts: Sequence[int]) -> float:
    """log of the Dirichlet-multinomial probability of `counts`."""
    total, n = sum(pseudo), sum(counts)
    value = math.lgamma(n + 1) + math.lgamma(total) - math.lgamma(total + n)
    for p, c in zip(pseudo, counts, strict=True):
        value += math.lgamma(p + c) - math.lgamma(p) - math.lgamma(c + 1)
    return value


def log_marginal_null(shares: Sequence[float], counts: Sequence[int]) -> float:
    """log of the multinomial probability of `counts`; −inf where a share of 0 was hit."""
    value = math.lgamma(sum(counts) + 1)
    for share, count in zip(shares, counts, strict=True):
        if count == 0:
            continue
        if share <= 0:
            return -math.inf
        value += count * math.log(share) - math.lgamma(count + 1)
    return value
