"""Is the split what it should be? A Dirichlet-multinomial Bayes factor (sample-ratio mismatch).

Counts of each side against the intended shares, updated as they come: the factor is the marginal
likelihood under a Dirichlet prior over that under the intended shares, a martingale, so 1∕α bounds
the chance of ever crying wolf. Fixture: optimizely/ssrm, ssrm_test/test_ssrm_test.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

ALPHA = 0.001


class SplitTest(msgspec.Struct, frozen=True):
    """Posterior pseudo-counts so far and the log Bayes factor against the intended shares."""

    pseudo: tuple[float, ...]
    log_factor: float = 0.0

    @property
    def is_mismatch(self) -> bool:
        """Whether the split is proven not to be the intended one."""
        return self.log_factor >= -math.log(ALPHA)


def start_split_test(prior: Sequence[float]) -> SplitTest:
    """A test that has seen nothing."""
    return SplitTest(tuple(prior))


def update_split_test(test: SplitTest, counts: Sequence[int], shares: Sequence[float]) -> SplitTest:
    """After one more window whose intended shares were `shares` (they may change over time)."""
    gain = log_marginal_alternative(test.pseudo, counts) - log_marginal_null(shares, counts)
    return SplitTest(
        tuple(p + c for p, c in zip(test.pseudo, counts, strict=True)), test.log_factor + gain
    )


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
