"""The cases of errors in bursts: what the product calls proven, at any look.

Everything is judged by `advance_ratio`, as the console judges it, after an hour of the same model
in which only Legacy's past is noted. A proof must be rare where there is no difference, whatever
the bursts, and come soon where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import msgspec

from benchmarks.evidence_cases import SETTINGS, SHARE, TWO_HOURS_S, WINDOW_S, draw_window
from canary.rollout.evidence.bursts import LegacyPast
from canary.rollout.evidence.metric_evidence import RatioEvidence, advance_ratio, start_ratio
from canary.rollout.evidence.ratio import Counts

PAST_S = 3600.0
BASE = 0.005

Ratios = Callable[[Random, float], tuple[float, float]]
"""Called for each window with the time: the bad ratios of Legacy and Canary then."""


class Bursts(msgspec.Struct, frozen=True):
    """Each arm's bad ratio is drawn anew every `burst_s`: a gamma with mean 0.5 % and this CV."""

    requests_per_s: float
    canary_cv: float = 0.0
    legacy_cv: float = 0.0
    burst_s: float = 60.0
    holds_for_s: float = 60.0


def bursts_proven_run(case: Bursts, seed: int) -> float | None:
    """When such bursts, without a difference in the mean, are first called proven."""
    rng = Random(f"bursts/{case}/{seed}")
    now = {"until": -1.0, "legacy": BASE, "canary": BASE}

    def ratios(rng: Random, at: float) -> tuple[float, float]:
        if at >= now["until"]:
            now["until"] = (at // case.burst_s + 1) * case.burst_s
            now["legacy"], now["canary"] = _level(rng, case.legacy_cv), _level(rng, case.canary_cv)
        return now["legacy"], now["canary"]

    return _proven(rng, ratios, case.requests_per_s, SHARE, holds_for_s=case.holds_for_s)


def instances_run(instances: int, seed: int) -> float | None:
    """`instances` alike, one of them Canary's; each has one episode of 45 s at 16 % an hour."""
    rng = Random(f"instances/{instances}/{seed}")
    total_s = PAST_S + TWO_HOURS_S
    starts = [
        [hour * 3600 + rng.random() * 3555 for hour in range(int(total_s // 3600))]
        for _ in range(instances)
    ]

    def level(each: list[float], at: float) -> float:
        return 0.16 if any(s <= at < s + 45.0 for s in each) else BASE

    def ratios(_: Random, at: float) -> tuple[float, float]:
        others = [level(each, at) for each in starts[1:]]
        return round(sum(others) / len(others), 4), level(starts[0], at)

    return _proven(rng, ratios, 100.0, 1.0 / instances)


class Rise(msgspec.Struct, frozen=True):
    """0.5 → 3 % of Canary after `healthy_s`."""

    requests_per_s: float
    healthy_s: float = 0.0


def rise_run(case: Rise, seed: int) -> float | None:
    """How long after the onset it is proven."""
    rng, onset = Random(f"rise/{case}/{seed}"), PAST_S + case.healthy_s

    def ratios(_: Random, at: float) -> tuple[float, float]:
        return BASE, 0.03 if at >= onset else BASE

    found = _proven(rng, ratios, case.requests_per_s, SHARE)
    return None if found is None else found - case.healthy_s


def false_pass_run(seed: int) -> float | None:
    """When "no worse than 2×" is shown first, at a true ratio of 2; it may be withdrawn later."""
    rng = Random(f"pass/{seed}")
    for evidence, at in _walk(rng, lambda _r, _at: (BASE, 2 * BASE), 100.0, SHARE):
        if evidence.passed_at is not None:
            return at
    return None


def crash_loop_run(every_s: float, seed: int) -> float | None:
    """When 20 s of 50 % errors in every `every_s` are proven."""
    return _proven(Random(f"crash/{every_s}/{seed}"), _crash_loop(every_s), 100.0, SHARE)


def crash_loop_hidden_run(every_s: float, seed: int) -> float | None:
    """Whether fewer than 95 % of looks after five minutes show it as worse now; None: enough do."""
    rng, shown = Random(f"crash/{every_s}/{seed}"), []
    ratios = _crash_loop(every_s)
    for evidence, at in _walk(rng, ratios, 100.0, SHARE):
        if at >= 300.0 + every_s:
            shown.append(evidence.worse_at is not None or evidence.proven_at is not None)
    return None if sum(shown) >= 0.95 * len(shown) else TWO_HOURS_S


def _crash_loop(every_s: float) -> Ratios:
    def ratios(_: Random, at: float) -> tuple[float, float]:
        return BASE, 0.5 if at >= PAST_S and (at - PAST_S) % every_s < 20.0 else BASE

    return ratios


def _level(rng: Random, cv: float) -> float:
    if not cv:
        return BASE
    shape = 1.0 / (cv * cv)
    # Rounded: the tables of the draws are kept for each mean.
    return min(1.0, round(BASE * rng.gammavariate(shape, 1.0 / shape), 4))


def _proven(
    rng: Random, ratios: Ratios, requests_per_s: float, share: float, holds_for_s: float = 60.0
) -> float | None:
    """When it is first called proven, for bursts of at least that length."""
    for evidence, at in _walk(rng, ratios, requests_per_s, share):
        if evidence.holds_for_s is not None and evidence.holds_for_s >= holds_for_s:
            return at
    return None


def _walk(
    rng: Random, ratios: Ratios, requests_per_s: float, share: float
) -> Iterator[tuple[RatioEvidence, float]]:
    """(evidence, seconds since the start) after each window of two hours."""
    sides = (requests_per_s * (1 - share) * WINDOW_S, requests_per_s * share * WINDOW_S)
    past = LegacyPast()
    evidence = RatioEvidence()
    for index in range(int((PAST_S + TWO_HOURS_S) / WINDOW_S)):
        at = index * WINDOW_S
        window: Counts = draw_window(rng, at, WINDOW_S, *sides, *ratios(rng, at))
        if at < PAST_S:
            past = past.add(at, window.legacy, window.bad_legacy)
            continue
        if at == PAST_S:
            evidence = start_ratio(SETTINGS, past)
        evidence = advance_ratio(evidence, window, SETTINGS)
        yield evidence, at + WINDOW_S - PAST_S
