"""What the evidence is there to avoid: tests that fail when they are looked at again and again.

The same traffic as in `evidence_cases`, judged the way it must not be. These are figures to compare
with, no bars of the product.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from random import Random

from benchmarks.evidence_cases import (
    ALPHA,
    SHARE,
    TWO_HOURS_S,
    WINDOW_S,
    draw_moving_share,
    draw_window,
    poisson,
)
from canary.rollout.evidence import ratio, score
from canary.rollout.evidence.ratio import Counts

Z_ONE_SIDED_5 = 1.6448536269514722
"""One-sided p < .05 of a normal deviate."""

WINDOWS = int(TWO_HOURS_S / WINDOW_S)


def pooled_z(legacy: int, canary: int, bad_legacy: int, bad_canary: int) -> float:
    """The textbook two-proportion z with pooled variance; 0 where it is not defined."""
    bad, both = bad_legacy + bad_canary, legacy + canary
    if not bad or not legacy or not canary or bad == both:
        return 0.0
    pooled = bad / both
    variance = pooled * (1 - pooled) * (1 / legacy + 1 / canary)
    return (bad_canary / canary - bad_legacy / legacy) / math.sqrt(variance)


def first_alarm_of_z(windows: Iterable[Counts]) -> float | None:
    """When a one-sided z-test on all requests so far first says p < .05, asked every window."""
    legacy = canary = bad_legacy = bad_canary = 0
    for each in windows:
        legacy, canary = legacy + each.legacy, canary + each.canary
        bad_legacy, bad_canary = bad_legacy + each.bad_legacy, bad_canary + each.bad_canary
        if pooled_z(legacy, canary, bad_legacy, bad_canary) > Z_ONE_SIDED_5:
            return each.end
    return None


def peeking_run(requests_per_s: float, share: float, seed: int) -> float | None:
    """No difference, 0.5 % on both sides, 2 h: the z-test asked every five seconds."""
    rng = Random(f"evidence/peeking/{requests_per_s}/{share}/{seed}")
    sides = (requests_per_s * (1 - share) * WINDOW_S, requests_per_s * share * WINDOW_S)
    return first_alarm_of_z(
        draw_window(rng, index * WINDOW_S, WINDOW_S, *sides, 0.005, 0.005)
        for index in range(WINDOWS)
    )


def rise_windows(requests_per_s: float, canary: float, seed: int) -> Iterator[Counts]:
    """5 % of the requests go to Canary, which fails so often from the start; Legacy 0.5 %."""
    rng = Random(f"evidence/rise/{requests_per_s}/{canary}/{seed}")
    sides = (requests_per_s * (1 - SHARE) * WINDOW_S, requests_per_s * SHARE * WINDOW_S)
    for index in range(WINDOWS):
        yield draw_window(rng, index * WINDOW_S, WINDOW_S, *sides, 0.005, canary)


def z_run(requests_per_s: float, canary: float, seed: int) -> float | None:
    """The z-test asked every five seconds."""
    return first_alarm_of_z(rise_windows(requests_per_s, canary, seed))


def msprt_run(requests_per_s: float, canary: float, seed: int) -> float | None:
    """An always-valid mSPRT on the difference of both ratios (normal mixture, τ = 2 points).

    Source: Johari, Pekelis & Walsh, Always Valid Inference, Operations Research 2022.
    """
    legacy_n = canary_n = bad_legacy = bad_canary = 0
    for each in rise_windows(requests_per_s, canary, seed):
        legacy_n, canary_n = legacy_n + each.legacy, canary_n + each.canary
        bad_legacy, bad_canary = bad_legacy + each.bad_legacy, bad_canary + each.bad_canary
        if not legacy_n or not canary_n or not bad_legacy + bad_canary:
            continue
        difference = bad_canary / canary_n - bad_legacy / legacy_n
        pooled = (bad_legacy + bad_canary) / (legacy_n + canary_n)
        variance = pooled * (1 - pooled) * (1 / legacy_n + 1 / canary_n)
        if difference > 0 and score.log_mixture(difference, variance, 0.02) >= -math.log(ALPHA):
            return each.end
    return None


def information_bound_s(
    requests_per_s: float, share: float, legacy: float, canary: float, alpha: float
) -> float:
    """Seconds that no test at level `alpha` can beat in the mean, looking at which side is bad.

    Bad requests are Canary's with the chance q instead of θ₀ = `share`; each tells KL(q‖θ₀).
    """
    of_canary, of_legacy = share * canary, (1 - share) * legacy
    q = of_canary / (of_canary + of_legacy)
    told = q * math.log(q / share) + (1 - q) * math.log((1 - q) / (1 - share))
    return -math.log(alpha) / (requests_per_s * (of_canary + of_legacy) * told)


def pooled_moving_share_run(seed: int) -> float | None:
    """No difference, while share and base ratio rise together: all requests in one table."""
    rng = Random(f"evidence/moving/{seed}")
    return first_alarm_of_z(draw_moving_share(rng, index, WINDOWS) for index in range(WINDOWS))


def small_side_run(seed: int) -> float | None:
    """A limit of 1 % on the last minute of 5 % of 20 requests/s at 0.5 %, for an hour."""
    rng = Random(f"evidence/small/{seed}")
    for minute in range(60):
        bad, good = poisson(rng, 60 * 0.005), poisson(rng, 60 * 0.995)
        if bad > 0.01 * (bad + good):
            return (minute + 1) * 60.0
    return None


def draw_bursts(rng: Random, requests_per_s: float, burst_s: float) -> Iterator[Counts]:
    """No difference in the mean, but Canary's bad ratio is drawn anew every `burst_s` with CV 1."""
    sides = (requests_per_s * (1 - SHARE) * WINDOW_S, requests_per_s * SHARE * WINDOW_S)
    each, own = max(1, round(burst_s / WINDOW_S)), 1.0
    for index in range(WINDOWS):
        if index % each == 0:
            # Rounded: the tables of the draws are kept for each mean.
            own = round(rng.expovariate(1.0), 2)
        canary = min(1.0, 0.005 * own)
        yield draw_window(rng, index * WINDOW_S, WINDOW_S, *sides, 0.005, canary)


def bursts_run(requests_per_s: float, burst_s: float, seed: int) -> float | None:
    """Bursts of one arm (CV 1): when the bare e-process would alarm. It is not made for them."""
    rng = Random(f"evidence/bursts/{requests_per_s}/{burst_s}/{seed}")
    test = ratio.regression_test()
    for window in draw_bursts(rng, requests_per_s, burst_s):
        test = ratio.update(test, window, late_onset=False)
        if ratio.is_proven(test, ALPHA):
            return window.end
    return None
