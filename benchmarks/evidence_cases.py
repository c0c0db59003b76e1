"""The simulated cases of the evidence: drawn here, judged by the product's own functions.

Requests are Poisson processes, so bad and good ones of a window are independent Poisson counts of
fixed means, drawn exactly from tables. Every run has a seed of its own, and is the same wherever
and in whatever order it is run.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable
from random import Random

import msgspec

from canary.rollout.evidence import ratio
from canary.rollout.evidence.metric_evidence import ScoreEvidence, add_scores
from canary.rollout.evidence.ratio import Counts
from canary.rollout.evidence.state import BASELINE_REQUESTS
from canary.rollout.evidence.window import LATENCY_BOUNDS_MS, slow_bound_ms
from canary.rollout.measure.samples import Distribution, merge
from canary.rollout.plan.tables import EvidenceSettings

ALPHA, PASS_ALPHA = 0.01, 0.05
SETTINGS = EvidenceSettings(alpha=ALPHA, pass_alpha=PASS_ALPHA)
SHARE = 0.05
WINDOW_S = 5.0
TWO_HOURS_S = 7200.0

MEDIAN_MS, SIGMA = 332.0, 0.782
"""A log-normal latency with mean 450 ms and p95 1 200 ms: Legacy's."""

SCORE_MEAN, SCORE_DEVIATION = 0.85, 0.12
"""Of a single score, on both sides: what the embedded cloud draws around 0.80 to 0.85. A wider
spread makes the proof slower (0.15: 125 s in the median, 210 s in nine of ten runs)."""


class Ratios(msgspec.Struct, frozen=True):
    """A case of bad events: bad ratios of both sides from `onset_s` on, the same before."""

    requests_per_s: float
    legacy: float = 0.005
    canary: float = 0.005
    onset_s: float = 0.0
    late_onset: bool = True
    window_s: float = WINDOW_S
    length_s: float = TWO_HOURS_S
    no_worse: bool = False


Run = Callable[[int], float | None]
"""Seed → when the test was over its limit first, in seconds from the onset; None: never."""


@functools.lru_cache(maxsize=2048)
def _table(mean: float) -> tuple[int, tuple[float, ...]]:
    """(smallest count, cumulative chances from there) of a Poisson count, to 1e-16."""
    spread = 9 * math.sqrt(mean) + 20
    first = max(0, int(mean - spread))
    total, chances = 0.0, []
    for k in range(first, int(mean + spread) + 1):
        total += math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) if mean else float(k == 0)
        chances.append(total)
    return first, tuple(chances)


def poisson(rng: Random, mean: float) -> int:
    """An exact Poisson count."""
    first, chances = _table(mean)
    return first + min(bisect.bisect_left(chances, rng.random()), len(chances) - 1)


def ratio_run(case: Ratios, seed: int) -> float | None:
    """One run of a case of bad events."""
    rng = Random(f"evidence/{case}/{seed}")
    test = ratio.no_worse_test() if case.no_worse else ratio.regression_test()
    limit = -math.log(PASS_ALPHA if case.no_worse else ALPHA)
    legacy_n = case.requests_per_s * (1 - SHARE) * case.window_s
    canary_n = case.requests_per_s * SHARE * case.window_s
    for index in range(int(case.length_s / case.window_s)):
        start = index * case.window_s
        canary = case.canary if start >= case.onset_s else case.legacy
        window = draw_window(rng, start, case.window_s, legacy_n, canary_n, case.legacy, canary)
        test = ratio.update(test, window, late_onset=case.late_onset)
        if test.log_value >= limit:
            return window.end - case.onset_s
    return None


def moving_share_run(seed: int) -> float | None:
    """No difference, while the share goes 5 → 50 % and the base ratio rises 0.5 → 3 % with it."""
    rng = Random(f"evidence/moving/{seed}")
    test, windows = ratio.regression_test(), int(TWO_HOURS_S / WINDOW_S)
    for index in range(windows):
        window = draw_moving_share(rng, index, windows)
        test = ratio.update(test, window)
        if ratio.is_proven(test, ALPHA):
            return window.end
    return None


def draw_moving_share(rng: Random, index: int, windows: int) -> Counts:
    """Window `index` of `windows` while share and base ratio rise together, alike on both sides."""
    done = round(index / windows, 2)
    share, base = 0.05 + 0.45 * done, 0.005 + 0.025 * done
    sides = (100 * (1 - share) * WINDOW_S, 100 * share * WINDOW_S)
    return draw_window(rng, index * WINDOW_S, WINDOW_S, *sides, base, base)


def latency_run(seed: int) -> float | None:
    """Canary's latency × 1.5 from the start; the bound of "slow" is fixed before, on a sample."""
    rng = Random(f"evidence/latency/{seed}")
    bound = slow_bound_ms(_latencies(rng, BASELINE_REQUESTS))
    assert bound is not None
    legacy, canary = (_chance_above(bound, MEDIAN_MS * factor) for factor in (1.0, 1.5))
    test = ratio.regression_test()
    for index in range(int(TWO_HOURS_S / WINDOW_S)):
        sides = (100 * (1 - SHARE) * WINDOW_S, 100 * SHARE * WINDOW_S)
        window = draw_window(rng, index * WINDOW_S, WINDOW_S, *sides, legacy, canary)
        test = ratio.update(test, window)
        if ratio.is_proven(test, ALPHA):
            return window.end
    return None


def score_run(difference: float, seed: int, healthy_s: float = 0.0) -> float | None:
    """Canary's mean score differs after `healthy_s`, 20 requests a second, one score each."""
    rng = Random(f"evidence/score/{difference}/{healthy_s}/{seed}")
    evidence = ScoreEvidence()
    # The healthy past comes in minutes, as Cloud Monitoring has it; from there in windows.
    for index in range(int(healthy_s / 60)):
        evidence = _score_period(rng, evidence, (index + 1) * 60.0, 60.0, 0.0)
        if evidence.proven_at is not None:
            return evidence.proven_at - healthy_s
    for index in range(int(TWO_HOURS_S / WINDOW_S)):
        at = healthy_s + (index + 1) * WINDOW_S
        evidence = _score_period(rng, evidence, at, WINDOW_S, difference)
        if evidence.proven_at is not None:
            return at - healthy_s
    return None


def _score_period(
    rng: Random, before: ScoreEvidence, at: float, length_s: float, difference: float
) -> ScoreEvidence:
    legacy = _add_scores(rng, None, 20 * (1 - SHARE) * length_s, SCORE_MEAN)
    canary = _add_scores(rng, None, 20 * SHARE * length_s, SCORE_MEAN + difference)
    return add_scores(before, at, legacy, canary, SETTINGS)


def draw_window(
    rng: Random,
    start: float,
    length: float,
    legacy_n: float,
    canary_n: float,
    legacy: float,
    canary: float,
) -> Counts:
    """A window of `legacy_n` and `canary_n` expected requests with these bad ratios."""
    bad_legacy, bad_canary = poisson(rng, legacy_n * legacy), poisson(rng, canary_n * canary)
    good_legacy = poisson(rng, legacy_n * (1 - legacy))
    good_canary = poisson(rng, canary_n * (1 - canary))
    n_legacy, n_canary = good_legacy + bad_legacy, good_canary + bad_canary
    return Counts(start, start + length, n_legacy, n_canary, bad_legacy, bad_canary)


def _latencies(rng: Random, count: int) -> Distribution:
    counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    for _ in range(count):
        latency = MEDIAN_MS * math.exp(rng.gauss(0.0, SIGMA))
        counts[bisect.bisect_right(LATENCY_BOUNDS_MS, latency)] += 1
    return Distribution(LATENCY_BOUNDS_MS, tuple(counts), count)


def _chance_above(bound_ms: float, median_ms: float) -> float:
    return 0.5 * math.erfc(math.log(bound_ms / median_ms) / SIGMA / math.sqrt(2))


def _add_scores(
    rng: Random, before: Distribution | None, expected: float, mean: float
) -> Distribution | None:
    n = poisson(rng, expected)
    if not n:
        return before
    # The mean and the squared deviation of n normal scores, exactly, without drawing each.
    drawn = rng.gauss(mean, SCORE_DEVIATION / math.sqrt(n))
    squares = SCORE_DEVIATION**2 * rng.gammavariate((n - 1) / 2, 2.0) if n > 1 else 0.0
    more = Distribution((0.5, 1.0), (0, n), n, drawn, squares)
    return more if before is None else merge((before, more))


def quantile(delays: list[float | None], share: float) -> float:
    """The `share` quantile of the delays; a run that never alarmed counts as infinite."""
    ordered = sorted(math.inf if d is None else d for d in delays)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def alarms(delays: list[float | None]) -> float:
    """The share of runs that ever alarmed, 0…1."""
    return sum(d is not None for d in delays) / len(delays)
