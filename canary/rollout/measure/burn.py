"""How fast the service burns its error budget, over the window pairs of the SRE workbook. Pure.

The whole service is meant, both sides together: that is what people see. A pair burns when both
of its windows are beyond its factor, strictly: the long one shows that it matters, the short one
that it has not ended. Source: Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate
Alerts". The comparison is in whole numbers: 14.4 is not beyond 14.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, Literal

import msgspec

from canary.rollout.measure.samples import Sample
from canary.rollout.text import format_count, format_duration, format_ratio

Urgency = Literal["page", "ticket"]
SLACK_S: Final = 600.0
"""A window whose data begins so late is known: older minutes come in periods of ten."""


class BurnWindow(msgspec.Struct, frozen=True):
    """Requests and failures of both sides in the newest `length_s` seconds, and Canary's of these.

    `since` None: nothing is known; `is_whole`: the data reaches back to its begin.
    """

    length_s: float
    requests: int = 0
    failed: int = 0
    canary_requests: int = 0
    canary_failed: int = 0
    is_whole: bool = False

    def burn(self, objective: float) -> float | None:
        """How many times the budget's own pace; None without requests."""
        if not self.requests:
            return None
        return self.failed / self.requests / float(_budget(objective))

    def is_beyond(self, objective: float, factor: str) -> bool:
        """Whether it burns strictly faster than `factor` times the budget's pace."""
        return self.failed > Fraction(factor) * _budget(objective) * self.requests


class BurnPair(msgspec.Struct, frozen=True):
    """A long and a short window with their factor. `burns` None: not known, `why` says so."""

    factor: str
    urgency: Urgency
    long: BurnWindow
    short: BurnWindow
    burns: bool | None
    why: str = ""


class Burn(msgspec.Struct, frozen=True):
    """All pairs, the most urgent first; `end` is the end of the newest data, cloud time."""

    objective: float
    pairs: tuple[BurnPair, ...]
    end: float | None

    @property
    def worst(self) -> BurnPair | None:
        """The most urgent pair that burns; None where none does."""
        return next((pair for pair in self.pairs if pair.burns), None)


PAIRS: Final[tuple[tuple[str, Urgency, float, float], ...]] = (
    ("14.4", "page", 3600.0, 300.0),
    ("6", "page", 6 * 3600.0, 1800.0),
    ("1", "ticket", 3 * 86_400.0, 6 * 3600.0),
)
"""Factor, urgency, long and short window in seconds, as the workbook has them."""
LONGEST_S: Final = max(long for _, _, long, _ in PAIRS)


def find_burn(
    objective: float,
    min_requests: int,
    legacy: Sequence[Sample],
    canary: Sequence[Sample],
    *,
    is_blind: bool = False,
) -> Burn:
    """Every pair at the end of the newest data. Samples are oldest first.

    A pair is not known where a side that has traffic is not seen (`is_blind`), where the data does
    not reach back, or its short window has fewer than `min_requests`: then one failure would be a
    fire.
    """
    end = max((s.end for side in (legacy, canary) for s in side[-3:] if s.responses), default=None)
    if end is None:
        return Burn(objective, (), None)
    windows = _windows(legacy, canary, end)
    pairs = []
    for factor, urgency, long_s, short_s in PAIRS:
        long, short = windows[long_s], windows[short_s]
        why = _why_unknown(long, short, min_requests, is_blind=is_blind)
        both = long.is_beyond(objective, factor) and short.is_beyond(objective, factor)
        pairs.append(BurnPair(factor, urgency, long, short, None if why else both, why))
    return Burn(objective, tuple(pairs), end)


def _why_unknown(long: BurnWindow, short: BurnWindow, least: int, *, is_blind: bool) -> str:
    if is_blind:
        return "a side that has traffic is not seen now"
    if not long.is_whole:
        return f"the data does not reach back {format_duration(long.length_s)} yet"
    if short.requests < least:
        count = format_count(short.requests)
        required = format_count(least)
        return f"{count} requests in {format_duration(short.length_s)}, required {required}"
    return ""


def _windows(
    legacy: Sequence[Sample], canary: Sequence[Sample], end: float
) -> dict[float, BurnWindow]:
    """All windows that end at `end`, each side walked once, from its newest sample back."""
    lengths = sorted({length for _, _, *pair in PAIRS for length in pair})
    counts = {length: [0, 0, 0, 0] for length in lengths}
    oldest = end
    for side, is_canary in ((legacy, False), (canary, True)):
        for sample in reversed(side):
            if sample.start < end - lengths[-1]:
                break
            if sample.end > end or sample.responses is None:
                continue
            oldest = min(oldest, sample.start)
            total, failed = sample.responses.total, sample.responses.failed
            for length in lengths:
                if sample.start >= end - length:
                    found = counts[length]
                    found[0] += total
                    found[1] += failed
                    found[2] += total * is_canary
                    found[3] += failed * is_canary
    return {
        length: BurnWindow(length, n, bad, own, own_bad, oldest <= end - length + SLACK_S)
        for length, (n, bad, own, own_bad) in counts.items()
    }


def _budget(objective: float) -> Fraction:
    """The share that may fail, exactly as it was written: 1 − 0.999 is 0.001."""
    return 1 - Fraction(str(objective))


def format_burn(burn: Burn, pair: BurnPair) -> str:
    """ "burns 14.9× over 1 h and 16.2× over 5 m of SLO 99.9 %; Canary's part: 60 % of 124 failed
    with 10 % of the requests".
    """
    long, short = (window.burn(burn.objective) or 0.0 for window in (pair.long, pair.short))
    spans = (format_duration(window.length_s) for window in (pair.long, pair.short))
    first, second = spans
    return (
        f"burns {_times(long)} over {first} and {_times(short)} over {second} of SLO"
        f" {100 * burn.objective:g} %; {format_part(pair.long)}"
    )


def format_part(window: BurnWindow) -> str:
    """Canary's part of what failed, beside its part of the requests."""
    if not window.failed or not window.requests:
        return "nothing failed"
    failed = format_ratio(window.canary_failed / window.failed)
    share = format_ratio(window.canary_requests / window.requests)
    return (
        f"Canary's part: {failed} of {format_count(window.failed)} failed with {share} of the"
        " requests"
    )


def _times(burn: float) -> str:
    return f"{burn:.1f}×" if burn >= 1 else f"{burn:.2f}×"
