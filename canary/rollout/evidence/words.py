"""What a verdict of the evidence is called, and what a decision still takes: screen and shell."""

from __future__ import annotations

import math
from typing import Final

from canary.rollout.evidence.verdict import MetricVerdict, Word
from canary.rollout.text import format_count, format_duration

WORDS: Final[dict[Word, str]] = {
    "rollback": "proven worse",
    "worse_now": "worse now",
    "pass": "no worse than 2×",
    "undecided": "still open",
    "inconclusive": "inconclusive",
}
GLYPHS: Final[dict[Word, str]] = {
    "rollback": "✗",
    "worse_now": "◐",
    "pass": "✓",
    "undecided": "◌",
    "inconclusive": "?",
}


def format_needed(metric: MetricVerdict, *, is_long: bool) -> str:
    """How many more Canary requests (or scores) a decision takes, and how long at today's rate.

    "about 2 400 more Canary requests, 9 m at today's rate", short "2 400 more, 9 m". It is never
    "none more", and never no time: what is open is not decided.
    """
    if metric.requests_needed is None or not math.isfinite(metric.requests_needed):
        return "no proof grows as things are" if is_long else "nothing grows so"
    # A forecast of a random walk: more than two figures would only flicker.
    more = f"{format_count(round_up(metric.requests_needed))} more"
    unit = "scores" if metric.metric == "score" else "Canary requests"
    what = f"about {more} {unit}" if is_long else more
    if metric.minutes_needed is None or not math.isfinite(metric.minutes_needed):
        return what
    today = " at today's rate" if is_long else ""
    return f"{what}, {format_duration(round_up(metric.minutes_needed) * 60)}{today}"


def round_up(value: float) -> int:
    """Up to two figures, at least 1: 1 234 → 1 300."""
    whole = max(1, math.ceil(value))
    step: int = 10 ** max(0, len(str(whole)) - 2)
    return -(-whole // step) * step


def percent_complete(strength: float) -> int:
    """How far a proof has come, in whole percent; 100 is said of what is proven alone."""
    return 100 if strength >= 1.0 else min(99, math.floor(max(0.0, strength) * 100))


def bad_of(metric: MetricVerdict) -> tuple[int, int] | None:
    """Canary's bad requests and all of them, of what the verdict rests on; None for scores, and
    where nothing was counted.
    """
    on = metric.proven_on if metric.verdict == "rollback" else None
    on = metric.worse_on if metric.verdict == "worse_now" else on
    if on is not None:
        return on.bad_canary, on.canary
    if metric.metric == "score" or metric.canary_ratio is None or not metric.canary_count:
        return None
    return round(metric.canary_ratio * metric.canary_count), metric.canary_count
