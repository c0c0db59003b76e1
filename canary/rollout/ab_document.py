"""The A/B test's analysis as a document: outputs/ab_test_analysis.json and `ab-test --json`.

The names of the fields are those that the rollout's files have always had. Ratios are 0…1, times
RFC 3339 in UTC; null is "no data". A group's figures can be read again (`canary.record`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from canary.rollout.ab_test import CONFIDENCE_LEVEL, AbAnalysis, GroupFigures, Improvement, Mean
from canary.rollout.words import iso_time, ratio


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
        "from": iso_time(source.since),
        "to": iso_time(source.until),
        "finished_at": iso_time(source.finished_at),
    }


def summarise(analysis: AbAnalysis) -> str:
    """One line for a gate's evidence: "51.1 % faster (95 % interval 50.9 % to 51.4 %)"."""
    if analysis.status == "NO_DATA":
        return f"no data: {'; '.join(analysis.reasons) or 'nothing to compare'}"
    first = analysis.deciding
    said = "no data" if first.gain is None else f"{ratio(abs(first.gain))} "
    said += "slower" if first.gain is not None and first.gain < 0 else "faster"
    shown = show_interval(first)
    return f"{said} (95 % interval {shown})" if shown else said


def show_interval(improvement: Improvement) -> str:
    """An interval in words: "50.9 % to 51.4 %"; "" when it is not known."""
    if improvement.low is None or improvement.high is None:
        return ""
    return f"{ratio(improvement.low)} to {ratio(improvement.high)}"


def _interval(one: Improvement) -> list[float] | None:
    return None if one.low is None or one.high is None else [one.low, one.high]


def _group(group: GroupFigures | None) -> dict[str, Any] | None:
    if group is None:
        return None
    return {
        "requests": group.requests,
        **_mean("response_time_ms", "response_time_count", group.response_ms),
        "p95_response_time_ms": group.p95_ms,
        **_mean("confidence_score", "confidence_count", group.confidence),
        "success_rate": group.success.mean if group.success is not None else None,
        "success_count": group.success.count if group.success is not None else 0,
    }


def _mean(name: str, count_name: str, mean: Mean | None) -> dict[str, Any]:
    return {
        f"avg_{name}": mean.mean if mean is not None else None,
        f"stddev_{name}": mean.stddev if mean is not None else None,
        count_name: mean.count if mean is not None else 0,
    }
