"""Legacy and Canary side by side, from requests that went through the router. Pure.

Each answer tells which side it is from (a header or a field of its body); the figures of a side
rest on its own answers only. What was not answered, or does not say by whom, counts for neither
side and is shown as such.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from canary.rollout.change.change import Side
from canary.rollout.plan.plan import Plan

SplitState = Literal["as_intended", "not_as_intended", "too_few"]

MIN_ATTRIBUTED = 20
"""With fewer answers that name their side a split is not judged."""


class ProbeAnswer(msgspec.Struct, frozen=True):
    """One request's end. `name`: who says to have answered, "" if nobody does.

    `status` None: no answer, and `error` says why. `latency_ms` is as measured from here, None
    without an answer; `confidence` 0…1 is the answer's own, None when it has none. `is_barred`: it
    did not reach either side from here, which says nothing of them; `error` says why.
    """

    name: str = ""
    status: int | None = None
    latency_ms: float | None = None
    confidence: float | None = None
    error: str = ""
    is_barred: bool = False


class SideNames(msgspec.Struct, frozen=True):
    """What a side calls itself. `other_is_legacy`: every other name is Legacy's (revisions)."""

    legacy: frozenset[str]
    canary: frozenset[str]
    other_is_legacy: bool = False

    def side_of(self, name: str) -> Side | None:
        """The side of that name; None when it is nobody's."""
        if not name:
            return None
        if name in self.canary:
            return "canary"
        return "legacy" if name in self.legacy or self.other_is_legacy else None


class SideFigures(msgspec.Struct, frozen=True):
    """One side's answers. Ratios and percentiles are None without any; nothing is ever a zero."""

    service: str
    requests: int = 0
    error_ratio: float | None = None
    success_ratio: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    confidence: float | None = None
    confidence_count: int = 0


class Comparison(msgspec.Struct, frozen=True):
    """Both sides beside each other. `requests` were asked in all.

    `unnamed` were answered without a side being told, `unanswered` not at all; `first_error` is
    why. `barred` among the unanswered could not reach a side from here (IAM, IAP, ingress). `at` is
    when the last answer came, cloud time; `url` what was asked.
    """

    at: float
    url: str
    requests: int
    legacy: SideFigures
    canary: SideFigures
    unnamed: int = 0
    unanswered: int = 0
    first_error: str = ""
    barred: int = 0

    @property
    def attributed(self) -> int:
        """The answers of which the side is known."""
        return self.legacy.requests + self.canary.requests


class SplitCheck(msgspec.Struct, frozen=True):
    """The measured share of Canary against a wanted one.

    `share` and its interval `low`…`high` (99 %) are 0…1, None without attributed answers.
    """

    wanted_percent: int
    state: SplitState
    canary: int
    attributed: int
    share: float | None = None
    low: float | None = None
    high: float | None = None


def side_names(plan: Plan, candidate_revision: str) -> SideNames:
    """How the sides call themselves under the plan's router.

    Between revisions of one service Canary is the candidate's revision, and every other is Legacy.
    """
    target = plan.target
    if target.shares_one_service:
        canary = frozenset(n for n in (candidate_revision, target.router.candidate) if n)
        return SideNames(frozenset(), canary, other_is_legacy=True)
    return SideNames(frozenset({target.legacy}), frozenset({target.canary}))


def compare(
    plan: Plan, names: SideNames, url: str, answers: Sequence[ProbeAnswer], at: float
) -> Comparison:
    """Sort the answers by side and add each side up."""
    of: dict[Side | None, list[ProbeAnswer]] = {"legacy": [], "canary": [], None: []}
    for answer in answers:
        of[names.side_of(answer.name) if answer.status is not None else None].append(answer)
    unanswered = [a for a in of[None] if a.status is None]
    return Comparison(
        at=at,
        url=url,
        requests=len(answers),
        legacy=add_up(plan.target.legacy, of["legacy"]),
        canary=add_up(plan.target.canary, of["canary"]),
        unnamed=len(of[None]) - len(unanswered),
        unanswered=len(unanswered),
        first_error=next((a.error for a in unanswered if a.error), ""),
        barred=sum(a.is_barred for a in unanswered),
    )


def add_up(service: str, answers: Sequence[ProbeAnswer]) -> SideFigures:
    """A side's figures from its answers; 5xx are errors, 2xx and 3xx successes."""
    count = len(answers)
    codes = [a.status for a in answers if a.status is not None]
    latencies = sorted(a.latency_ms for a in answers if a.latency_ms is not None)
    scores = [a.confidence for a in answers if a.confidence is not None]
    return SideFigures(
        service=service,
        requests=count,
        error_ratio=_ratio(sum(500 <= c <= 599 for c in codes), count),
        success_ratio=_ratio(sum(200 <= c <= 399 for c in codes), count),
        p50_ms=percentile(latencies, 0.50),
        p95_ms=percentile(latencies, 0.95),
        p99_ms=percentile(latencies, 0.99),
        confidence=sum(scores) / len(scores) if scores else None,
        confidence_count=len(scores),
    )


def percentile(ascending: Sequence[float], fraction: float) -> float | None:
    """The value at `fraction` (0…1), interpolated between neighbours; None when there is none."""
    if not ascending:
        return None
    rank = fraction * (len(ascending) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (ascending[above] - ascending[below]) * (rank - below)


def check_split(comparison: Comparison, wanted_percent: int) -> SplitCheck:
    """Whether the measured share goes with `wanted_percent`.

    At 0 and 100 % a single answer of the other side refutes it, however few there are. Else it
    must lie in the 99 % interval: one verification in a hundred is refuted by chance.
    """
    canary, attributed = comparison.canary.requests, comparison.attributed
    interval = wilson_interval(canary, attributed, Z_99)
    if interval is None:
        return SplitCheck(wanted_percent, "too_few", canary, attributed)
    state: SplitState = "as_intended"
    other = {0: canary, 100: attributed - canary}.get(wanted_percent)
    if other is not None:
        refuted = other > 0
    else:
        refuted = not interval[0] <= wanted_percent / 100 <= interval[1]
    if refuted and (other is not None or attributed >= MIN_ATTRIBUTED):
        state = "not_as_intended"
    elif attributed < MIN_ATTRIBUTED:
        state = "too_few"
    share = canary / attributed
    return SplitCheck(wanted_percent, state, canary, attributed, share, *interval)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# The interval that a ratio lies in, from a count out of n: Wilson's score interval.
#
# For a fixed n, chosen before looking. Unlike p ± z·√(p(1−p)∕n) it holds near 0 and 1, where a
# small share of Canary is, and never leaves 0…1.
# Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 1927.

Z_95: Final = 1.959963984540054
Z_99: Final = 2.5758293035489004
"""Two-sided quantiles of the normal distribution."""


def wilson_interval(count: int, n: int, z: float) -> tuple[float, float] | None:
    """Lowest and highest ratio that `count` out of `n` go with; None for n = 0.

    Raises ValueError unless 0 ≤ count ≤ n.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} out of {n} is no ratio")
    if n == 0:
        return None
    ratio, zz = count / n, z * z
    centre = (ratio + zz / (2 * n)) / (1 + zz / n)
    half = z / (1 + zz / n) * math.sqrt(ratio * (1 - ratio) / n + zz / (4 * n * n))
    # The ends are exact in theory; rounding must not leave out the ratio itself.
    low = 0.0 if count == 0 else max(0.0, centre - half)
    high = 1.0 if count == n else min(1.0, centre + half)
    return low, high
