"""When the ratio test must not be believed: bad events of one side that come in bursts of its own.

The test takes it that each bad event is Canary's with the same chance as its neighbours. A burst
in both sides (a shared cause) leaves that true; a burst in one side alone does not (coefficient of
variation 1: a false alarm in a quarter to a half of all runs). So pairs of neighbouring bins are
compared as 2×2 tables: given the pair's margins, the number x of Canary's bad events in the first
bin is hypergeometric,

    E x = b₁·C∕B,   Var x = b₁·b₂·C·L ∕ (B²·(B − 1)),

with b₁, b₂ the bad events of the bins, C and L those of the sides, B all of them. Σ(x − Ex)² over
Σ Var x is 1 without bursts, whatever the rates, the ratio and the share are; only differences
between neighbours enter, so a step in the rate – the regression that is looked for – is one pair
among many and not taken for bursts. The pairs are disjoint, hence independent, and the excess is
measured in standard deviations of its own terms, in which a single pair weighs at most 1.

Bursts may be shorter or longer than a window: bins of 5 s, a minute and five minutes are kept.
Longer ones cannot be told from a regression, for they are one for as long as they last.
Source of the idea: von Neumann, Distribution of the Ratio of the Mean Square Successive Difference
to the Variance, Annals of Mathematical Statistics 1941; the table's moments: Fisher 1935.
"""

from __future__ import annotations

import math

import msgspec

from canary.rollout.evidence.ratio import Counts

SCALES_S = (5.0, 60.0, 300.0)
MOST_RATIO = 1.5
"""Above this the variance is no longer that of single events …"""

MOST_SCORE = 3.0
"""… provided it lies so many standard deviations above 1."""

LEAST_PAIRS = 12
"""Pairs that can say anything, before anything is said."""

Bad = tuple[int, int]
"""Bad events of Legacy and Canary in one bin."""


class Pairs(msgspec.Struct, frozen=True):
    """Disjoint pairs of neighbouring bins of one length. `first` is the half that waits."""

    scale_s: float
    bin_start: float = -math.inf
    bin: Bad = (0, 0)
    first: Bad | None = None
    pairs: int = 0
    squares: float = 0.0
    variance: float = 0.0
    spread: float = 0.0

    @property
    def ratio(self) -> float | None:
        """Σ(x − Ex)² ∕ Σ Var x; None before any pair could say something."""
        return self.squares / self.variance if self.variance > 0 else None

    @property
    def is_overdispersed(self) -> bool:
        """Whether bursts are more than chance."""
        ratio = self.ratio
        if ratio is None or ratio < MOST_RATIO or self.pairs < LEAST_PAIRS:
            return False
        return (self.squares - self.variance) >= MOST_SCORE * math.sqrt(self.spread)


class Dispersion(msgspec.Struct, frozen=True):
    """All lengths of bins; `add` gives the next. A few numbers, however long it runs."""

    scales: tuple[Pairs, ...] = tuple(Pairs(s) for s in SCALES_S)

    @property
    def is_overdispersed(self) -> bool:
        """Whether there are bursts at any length."""
        return any(p.is_overdispersed for p in self.scales)


def add(dispersion: Dispersion, window: Counts) -> Dispersion:
    """After one more window, oldest first."""
    return Dispersion(tuple(_add(pairs, window) for pairs in dispersion.scales))


def _add(pairs: Pairs, window: Counts) -> Pairs:
    bad = (window.bad_legacy, window.bad_canary)
    if pairs.bin_start <= window.start < pairs.bin_start + pairs.scale_s:
        if bad == (0, 0):
            return pairs
        grown = (pairs.bin[0] + bad[0], pairs.bin[1] + bad[1])
        return msgspec.structs.replace(pairs, bin=grown)
    pairs = _close(pairs)
    return msgspec.structs.replace(pairs, bin_start=window.start, bin=bad)


def _close(pairs: Pairs) -> Pairs:
    """Take the bin that is full: as the first half of a pair, or to complete one."""
    if pairs.bin_start == -math.inf:
        return pairs
    if pairs.first is None:
        return msgspec.structs.replace(pairs, first=pairs.bin)
    moments = pair_moments(pairs.first, pairs.bin)
    if moments is None:
        return msgspec.structs.replace(pairs, first=None)
    square, variance = moments
    return msgspec.structs.replace(
        pairs,
        first=None,
        pairs=pairs.pairs + 1,
        squares=pairs.squares + square,
        variance=pairs.variance + variance,
        spread=pairs.spread + (square - variance) ** 2,
    )


def pair_moments(one: Bad, other: Bad) -> tuple[float, float] | None:
    """((x − Ex)², Var x) of a pair of bins; None where the margins leave x no freedom."""
    in_one, in_other = sum(one), sum(other)
    legacy, canary = one[0] + other[0], one[1] + other[1]
    total = legacy + canary
    if not (in_one and in_other and legacy and canary):
        return None
    expected = in_one * canary / total
    variance = in_one * in_other * canary * legacy / (total * total * (total - 1))
    return (one[1] - expected) ** 2, variance
