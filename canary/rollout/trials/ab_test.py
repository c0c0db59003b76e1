"""The A/B test: how much better Canary's group did than Legacy's, and how sure that is.

An average alone misleads: 12 % better from a few hundred slow requests may be nothing. So each
improvement has an interval. With R the ratio of two means, the delta method gives for independent
groups

    Var(ln R) ≈ s²_legacy ∕ (n_legacy · mean²_legacy) + s²_canary ∕ (n_canary · mean²_canary)

and the interval is taken on ln R, where it is symmetric and cannot cross zero: for a quantity that
should fall the improvement is 1 − R, for one that should rise R − 1. A success ratio is a mean of
zeros and ones with s² = p(1 − p). A percentile gets none: its variance needs the density, which the
query does not return. Requests of one user resemble each other, so the true interval is wider
than this one.

Whether the test approves is decided by the mean response time alone, strictly beyond the limit, as
the procedure says; that the interval reaches below the limit is said beside it.
Source: Casella & Berger, Statistical Inference, 2nd ed., 5.5.4; for the logarithm Katz et al.,
Biometrics 34 (1978).
"""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from canary.rollout.text import format_count, format_iso_time, format_ratio

DEFAULT_LEAST_IMPROVEMENT = 0.10
"""Where no stage of the plan names one."""

CONFIDENCE_LEVEL = 0.95
NORMAL_QUANTILE = 1.959963984540054
"""Of the standard normal, at (1 + CONFIDENCE_LEVEL) / 2. Written down, and held by a test, because
the console opens with this module: `statistics` brings `decimal` and `random` for the one number.
"""

AbStatus = Literal["APPROVED", "NOT_APPROVED", "NO_DATA"]
AbMetric = Literal["response_time", "p95_response_time", "confidence", "success"]


class Mean(msgspec.Struct, frozen=True):
    """A mean over `count` values; `stddev` is the sample's (n − 1), None when not known."""

    mean: float
    stddev: float | None = None
    count: int = 0


class GroupFigures(msgspec.Struct, frozen=True):
    """One group of the test. None: no value at all. `success` is a mean of zeros and ones."""

    requests: int
    response_ms: Mean | None = None
    p95_ms: float | None = None
    confidence: Mean | None = None
    success: Mean | None = None


class Improvement(msgspec.Struct, frozen=True):
    """A quantity of both groups, and the relative gain of Canary: above 0 is better.

    `low` and `high` bound the gain at CONFIDENCE_LEVEL. None: no data, or (the bounds) not known.
    """

    metric: AbMetric
    legacy: float | None
    canary: float | None
    gain: float | None
    low: float | None = None
    high: float | None = None


class AbAnalysis(msgspec.Struct, frozen=True):
    """What the test shows. `improvements` in the order they are told, the deciding one first.

    `reasons` say why there is no data (empty otherwise); `cautions` what to know about a result.
    """

    status: AbStatus
    least: float
    legacy: GroupFigures | None
    canary: GroupFigures | None
    improvements: tuple[Improvement, ...]
    reasons: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def deciding(self) -> Improvement:
        """The improvement of the mean response time."""
        return self.improvements[0]


def analyse(
    legacy: GroupFigures | None,
    canary: GroupFigures | None,
    *,
    least: float = DEFAULT_LEAST_IMPROVEMENT,
    min_requests: int = 1,
) -> AbAnalysis:
    """Compare the groups. Approved when the mean response time is better by more than `least`.

    A group that is missing, has fewer than `min_requests` measured response times, or whose mean
    is no positive number, is no data: then nothing is approved, whatever the rest shows.
    """
    improvements = (
        _compare("response_time", _mean(legacy, "response_ms"), _mean(canary, "response_ms")),
        _compare("p95_response_time", _p95(legacy), _p95(canary)),
        _compare("confidence", _mean(legacy, "confidence"), _mean(canary, "confidence")),
        _compare("success", _mean(legacy, "success"), _mean(canary, "success")),
    )
    reasons = (
        *_find_gaps("Legacy", legacy, min_requests),
        *_find_gaps("Canary", canary, min_requests),
    )
    gain = improvements[0].gain
    if reasons or gain is None:
        return AbAnalysis("NO_DATA", least, legacy, canary, improvements, reasons)
    status: AbStatus = "APPROVED" if gain > least else "NOT_APPROVED"
    cautions = tuple(_find_cautions(improvements, least))
    return AbAnalysis(status, least, legacy, canary, improvements, (), cautions)


def _compare(metric: AbMetric, legacy: Mean | None, canary: Mean | None) -> Improvement:
    before = legacy.mean if legacy is not None else None
    after = canary.mean if canary is not None else None
    if before is None or after is None or before <= 0 or after < 0:
        return Improvement(metric, before, after, None)
    falls = metric in ("response_time", "p95_response_time")
    sign = -1.0 if falls else 1.0
    # As the procedure writes it; 1 − C ∕ L would differ from it in the last bit.
    gain = sign * (after - before) / before
    assert legacy is not None  # noqa: S101 - `before` is its mean
    assert canary is not None  # noqa: S101
    error = _log_ratio_error(legacy, canary)
    if error is None:
        return Improvement(metric, before, after, gain)
    reach = math.exp(NORMAL_QUANTILE * error)
    ratio = after / before
    ends = sorted((sign * (ratio / reach - 1), sign * (ratio * reach - 1)))
    return Improvement(metric, before, after, gain, ends[0], ends[1])


def _log_ratio_error(legacy: Mean, canary: Mean) -> float | None:
    """The standard error of ln(canary ∕ legacy); None when it cannot be known."""
    variance = 0.0
    for side in (legacy, canary):
        if side.stddev is None or side.count < 2 or side.mean <= 0:
            return None
        variance += (side.stddev / side.mean) ** 2 / side.count
    # Beyond this the exponential overflows, and the interval says nothing in any case.
    return math.sqrt(variance) if variance < 100 else None


def _find_gaps(name: str, group: GroupFigures | None, min_requests: int) -> list[str]:
    if group is None or group.requests == 0:
        return [f"{name} has no requests in the table"]
    timed = group.response_ms
    if timed is None:
        return [f"{name} has no response times"]
    if timed.count < min_requests:
        counted, least = format_count(timed.count), format_count(min_requests)
        return [f"{name} has {counted} response times, at least {least} are needed"]
    if not timed.mean > 0:
        return [f"{name}'s mean response time is {timed.mean:g} ms, which cannot be"]
    return []


def _find_cautions(improvements: tuple[Improvement, ...], least: float) -> list[str]:
    first = improvements[0]
    cautions = []
    if first.gain is not None and first.gain > least:
        if first.low is None:
            cautions.append("how sure the gain is cannot be said: no standard deviations are known")
        elif first.low <= least:
            cautions.append("the interval reaches below the limit: more requests would tell")
    names = {
        "p95_response_time": "p95 response time",
        "confidence": "confidence",
        "success": "success ratio",
    }
    for one in improvements[1:]:
        if one.gain is None:
            cautions.append(f"no data on {names[one.metric]}")
        elif one.gain < 0:
            cautions.append(f"{names[one.metric]} is worse by {-one.gain:.2%}".replace("%", " %"))
    return cautions


def _mean(group: GroupFigures | None, name: str) -> Mean | None:
    value = getattr(group, name) if group is not None else None
    return value if isinstance(value, Mean) else None


def _p95(group: GroupFigures | None) -> Mean | None:
    return Mean(group.p95_ms) if group is not None and group.p95_ms is not None else None


# The A/B test's analysis as a document: outputs/ab_test_analysis.json and `ab-test --json`.
#
# The names of the fields are those that the rollout's files have always had. Ratios are 0…1, times
# RFC 3339 in UTC; null is "no data". A group's figures can be read again (`canary.store`).


class AbSource(msgspec.Struct, frozen=True):
    """Where the figures are from: a table or a file, and which time they are of (unix seconds)."""

    name: str
    finished_at: float
    since: float | None = None
    until: float | None = None


def ab_document(analysis: AbAnalysis, source: AbSource) -> dict[str, Any]:
    """The document of one analysis. `improvement` is the deciding one, null without data."""
    no_data = analysis.status == "NO_DATA"
    first = analysis.deciding
    return {
        "status": analysis.status,
        "approved": analysis.status == "APPROVED",
        "summary": summarise(analysis),
        "improvement": None if no_data else first.gain,
        "improvement_interval": None if no_data else _interval(first),
        "min_improvement": analysis.least,
        "confidence_level": CONFIDENCE_LEVEL,
        "improvements": {one.metric: one.gain for one in analysis.improvements},
        "intervals": {one.metric: _interval(one) for one in analysis.improvements},
        "legacy": _group(analysis.legacy),
        "canary": _group(analysis.canary),
        "reasons": list(analysis.reasons),
        "cautions": list(analysis.cautions),
        "source": source.name,
        "from": format_iso_time(source.since),
        "to": format_iso_time(source.until),
        "finished_at": format_iso_time(source.finished_at),
    }


def summarise(analysis: AbAnalysis) -> str:
    """One line for a gate's evidence: "51.1 % faster (95 % interval 50.9 % to 51.4 %)"."""
    if analysis.status == "NO_DATA":
        return f"no data: {'; '.join(analysis.reasons) or 'nothing to compare'}"
    first = analysis.deciding
    said = "no data" if first.gain is None else f"{format_ratio(abs(first.gain))} "
    said += "slower" if first.gain is not None and first.gain < 0 else "faster"
    shown = show_interval(first)
    return f"{said} (95 % interval {shown})" if shown else said


def show_interval(improvement: Improvement) -> str:
    """An interval in words: "50.9 % to 51.4 %"; "" when it is not known."""
    if improvement.low is None or improvement.high is None:
        return ""
    return f"{format_ratio(improvement.low)} to {format_ratio(improvement.high)}"


def _interval(one: Improvement) -> list[float] | None:
    return None if one.low is None or one.high is None else [one.low, one.high]


def _group(group: GroupFigures | None) -> dict[str, Any] | None:
    if group is None:
        return None
    return {
        "requests": group.requests,
        **_mean_document("response_time_ms", "response_time_count", group.response_ms),
        "p95_response_time_ms": group.p95_ms,
        **_mean_document("confidence_score", "confidence_count", group.confidence),
        "success_rate": group.success.mean if group.success is not None else None,
        "success_count": group.success.count if group.success is not None else 0,
    }


def _mean_document(name: str, count_name: str, mean: Mean | None) -> dict[str, Any]:
    return {
        f"avg_{name}": mean.mean if mean is not None else None,
        f"stddev_{name}": mean.stddev if mean is not None else None,
        count_name: mean.count if mean is not None else 0,
    }
