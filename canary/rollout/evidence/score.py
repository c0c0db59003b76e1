"""A mean score (confidence) of Canary against Legacy: a normal mixture test, valid while peeking.

V = s_c²∕n_c + s_l²∕n_l;  log Λ = ½ log(V∕(V+τ²)) + τ²Δ²∕(2V(V+τ²)), Δ = mean_canary − mean_legacy,
τ the smallest difference that matters. A regression is proven when Λ ≥ 1∕α, Δ < 0 and there are at
least 100 Canary scores (below that V is not well known).
"""

from __future__ import annotations

import math

import msgspec

from canary.rollout.measure.samples import Distribution

MIN_SCORES = 100
SMALLEST_EFFECT = 0.05


class ScoreTest(msgspec.Struct, frozen=True):
    """The test at one moment. `difference` is Canary's mean minus Legacy's; None without data."""

    difference: float | None
    log_value: float
    canary: int
    legacy: int

    def is_proven(self, alpha: float) -> bool:
        """Whether Canary's score is proven to be worse."""
        return (
            self.difference is not None
            and self.difference < 0
            and self.canary >= MIN_SCORES
            and self.log_value >= -math.log(alpha)
        )


def compare_scores(
    legacy: Distribution | None, canary: Distribution | None, effect: float = SMALLEST_EFFECT
) -> ScoreTest:
    """Compare the scores collected so far. Without two values on a side nothing is said (log 0)."""
    counts = (canary.count if canary else 0, legacy.count if legacy else 0)
    if legacy is None or canary is None or legacy.variance is None or canary.variance is None:
        return ScoreTest(None, 0.0, *counts)
    difference = canary.mean - legacy.mean
    v = canary.variance / canary.count + legacy.variance / legacy.count
    return ScoreTest(difference, log_mixture(difference, v, effect), *counts)


def log_mixture(difference: float, variance: float, effect: float) -> float:
    """log Λ for a difference whose variance is `variance`. A variance of 0 says nothing."""
    if variance <= 0:
        return 0.0
    tau2 = effect * effect
    total = variance + tau2
    return 0.5 * math.log(variance / total) + tau2 * difference**2 / (2 * variance * total)
