"""A mean score (confidence) of Canary against Legacy: a normal mixture test, valid while peeking.

V = s_c²∕n_c + s_l²∕n_l;  log Λ = ½ log(V∕(V+τ²)) + τ²Δ²∕(2V(V+τ²)), Δ = mean_canary − mean_legacy,
τ the smallest difference that matters. A regression is proven when Λ ≥ 1∕α, Δ < 0 and there are at
least 100 Canary scores (below that V is not well known).

*Late onset.* Over all since the change a drop after a healthy day is diluted: −0.05 was proven
after 120 s fresh, 3 600 s after 24 h. So tests are started anew every five minutes and mixed as in
`ratio`, with the weight 1∕(j(j + 1)) for start j and 1∕(J + 1) for what is not yet started. A test
counts with its Λ once it has 100 Canary scores of its own and lies below Legacy, before that not at
all: both only lower the mixture. The newest starts of two hours are kept, and of those before
every second, fourth, …: what is dropped takes its mass along, and the bound holds all the more.
"""

from __future__ import annotations

import math

import msgspec

from canary.rollout.measure.samples import Distribution

MIN_SCORES = 100
SMALLEST_EFFECT = 0.05
EPOCH_S = 300.0
"""A new start is mixed in every five minutes."""

NEWEST_KEPT = 24


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


class Moments(msgspec.Struct, frozen=True):
    """How many scores, their sum, and the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0


class Start(msgspec.Struct, frozen=True):
    """Start `number` (1, 2, …) of the test, at `at`: what both sides had scored up to there."""

    number: int
    at: float
    legacy: Moments
    canary: Moments


class LateScores(msgspec.Struct, frozen=True):
    """The mixture over starts; `update_late` gives the next.

    `begun` starts there have been, `starts` are those that are kept, oldest first. `log_value` is
    the mixture now. `since` is when the start that speaks most for a lower score began, and
    `difference` Canary's mean minus Legacy's since then; None while none speaks for it.
    """

    begun: int = 0
    starts: tuple[Start, ...] = ()
    log_value: float = 0.0
    since: float | None = None
    difference: float | None = None

    def is_proven(self, alpha: float) -> bool:
        """Whether Canary's score is proven to be worse."""
        return self.difference is not None and self.log_value >= -math.log(alpha)


def moments_of(scores: Distribution | None) -> Moments:
    """The moments of the scores collected so far."""
    if scores is None or not scores.count:
        return Moments()
    total = scores.mean * scores.count
    return Moments(scores.count, total, scores.sum_squared_deviation + scores.mean * total)


def update_late(
    late: LateScores,
    began: float,
    before: tuple[Moments, Moments],
    after: tuple[Moments, Moments],
    effect: float,
) -> LateScores:
    """After one more period that began at `began`.

    `before` and `after` are Legacy's and Canary's moments at its begin and at its end.
    """
    begun, starts = late.begun, late.starts
    if not starts or began >= starts[-1].at + EPOCH_S:
        begun += 1
        starts = _thin((*starts, Start(begun, began, *before)))
    terms: list[tuple[float, Start, float]] = []
    for start in starts:
        found = _since(start, after, effect)
        if found is not None:
            weight = -math.log(start.number * (start.number + 1))
            terms.append((weight + found[0], start, found[1]))
    idle = -math.log(begun + 1)
    top = max([idle, *(t[0] for t in terms)])
    value = top + math.log(math.exp(idle - top) + sum(math.exp(t[0] - top) for t in terms))
    best = max(terms, key=lambda t: t[0], default=None)
    return LateScores(begun, starts, value, best[1].at if best else None, best[2] if best else None)


def _since(start: Start, now: tuple[Moments, Moments], effect: float) -> tuple[float, float] | None:
    """(log Λ, difference) of what came since a start; None while it cannot speak for a drop."""
    legacy, canary = _minus(now[0], start.legacy), _minus(now[1], start.canary)
    if canary.count < MIN_SCORES or legacy.count < 2:
        return None
    difference = canary.total / canary.count - legacy.total / legacy.count
    if difference >= 0:
        return None
    variance = sum(_variance(side) / side.count for side in (legacy, canary))
    return log_mixture(difference, variance, effect), difference


def _minus(after: Moments, before: Moments) -> Moments:
    return Moments(
        after.count - before.count, after.total - before.total, after.squares - before.squares
    )


def _variance(scores: Moments) -> float:
    """The sample variance (n − 1)."""
    mean = scores.total / scores.count
    return max(0.0, (scores.squares - scores.count * mean * mean) / (scores.count - 1))


def _thin(starts: tuple[Start, ...]) -> tuple[Start, ...]:
    """The newest NEWEST_KEPT, and of the older ones ever fewer; the first always."""
    older, newest = starts[:-NEWEST_KEPT], starts[-NEWEST_KEPT:]
    kept, last = [], starts[-1].number
    for start in older:
        step = 1 << max(0, ((last - start.number) // NEWEST_KEPT).bit_length())
        if start.number == 1 or start.number % step == 0:
            kept.append(start)
    return (*kept, *newest)
