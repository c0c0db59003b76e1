"""The evidence as a document for programs (`canary evidence --json`), and as lines for people."""

from __future__ import annotations

import math
from typing import Any, Final

from canary.rollout.evidence.interval import RatioInterval, format_interval
from canary.rollout.evidence.metric_evidence import Metric
from canary.rollout.evidence.onset import Stretch
from canary.rollout.evidence.verdict import MetricVerdict, Word
from canary.rollout.evidence.view import EvidenceView
from canary.rollout.evidence.words import WORDS, format_needed, percent_complete
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import (
    fields_of,
    format_clock,
    format_count,
    format_iso_time,
    format_ratio,
    format_score,
)

SCHEMA: Final = 1
NAMES: Final[dict[Metric, str]] = {
    "errors": "5xx",
    "slow": "slow requests",
    "score": "confidence",
}
PROVEN: Final = "a regression of Canary is proven"
"""How the event log says it."""

EXIT_CODES: Final[dict[Word, int]] = {
    "pass": 0,
    "undecided": 10,
    "worse_now": 15,
    "rollback": 20,
    "inconclusive": 30,
}


def evidence_document(snapshot: Snapshot) -> dict[str, Any]:
    """Everything that the comparison says. Ratios are 0…1, times ISO 8601 in UTC.

    Without evidence (Cloud Run has not answered) `verdict` is "inconclusive" and `metrics` empty.
    """
    view, advice = snapshot.evidence, snapshot.advice
    head: dict[str, Any] = {
        "schema": SCHEMA,
        "as_of": format_iso_time(snapshot.as_of),
        "rollout": snapshot.rollout,
        "stage": snapshot.stage.index,
        "verdict": "inconclusive" if view is None else view.verdict,
        "advice": None,
        "metrics": [],
    }
    if advice is not None:
        detected_at = format_iso_time(advice.detected_at)
        head["advice"] = {
            "action": advice.action,
            "tier": advice.tier,
            "text": advice.text,
            "detected_at": detected_at,
        }
    if view is None:
        return head
    return {**head, "metrics": [_metric(m) for m in view.metrics], **_about(view)}


def _about(view: EvidenceView) -> dict[str, Any]:
    tail, split = view.tail, view.split
    return {
        "source": view.source,
        "rebuilding": view.rebuilding,
        "since": format_iso_time(view.began_at),
        "set_apart_until": format_iso_time(view.set_apart_until),
        "judged_s": view.judged_s,
        "judged_until": format_iso_time(view.judged_until),
        "slow_bound_ms": view.slow_bound_ms,
        "split": {
            "intended": split.intended,
            "reported": split.reported,
            "measured": split.measured,
            "mismatch": split.is_mismatch,
        },
        "left_out": [
            fields_of(entry, "reason", "windows", "seconds", "requests") for entry in view.left_out
        ],
        "earlier": [{"metric": one.metric, "at": format_iso_time(one.at)} for one in view.earlier],
        "away_since": format_iso_time(view.away_since),
        "tail": {
            "off": tail.off or None,
            "incomplete": tail.incomplete or None,
            "trouble": tail.trouble or None,
            "limit_per_s": tail.limit_per_s or None,
            **fields_of(tail, "rate_per_s", "sampled", "suppressed", "late", "waits_s"),
        },
    }


def _metric(metric: MetricVerdict) -> dict[str, Any]:
    return {
        "metric": metric.metric,
        "verdict": metric.verdict,
        "why": metric.why or None,
        "strength": round(metric.strength, 4),
        "now_strength": round(metric.now_strength, 4),
        "pass_strength": round(metric.pass_strength, 4),
        "requests_needed": _whole(metric.requests_needed),
        "minutes_needed": _whole(metric.minutes_needed),
        "detected_at": format_iso_time(metric.detected_at),
        "worse_at": format_iso_time(metric.worse_at),
        "worse_on": None if metric.worse_on is None else _stretch(metric.worse_on),
        "holds_for_bursts_s": metric.holds_for_s,
        "passed_at": format_iso_time(metric.passed_at),
        "passed_on": None if metric.passed_on is None else _stretch(metric.passed_on),
        "ratio": None if metric.interval is None else _interval(metric.interval),
        "proven_on": None if metric.proven_on is None else _stretch(metric.proven_on),
        "legacy": {"value": metric.legacy_ratio, "count": metric.legacy_count},
        "canary": {"value": metric.canary_ratio, "count": metric.canary_count},
    }


def _interval(interval: RatioInterval) -> dict[str, float | None]:
    """How many times as bad Canary is; `high` null: no upper bound yet."""
    high = None if interval.high is None else round(interval.high, 4)
    return {"estimate": round(interval.estimate, 4), "low": round(interval.low, 4), "high": high}


def _stretch(on: Stretch) -> dict[str, Any]:
    return {
        "since": format_iso_time(on.since),
        "until": format_iso_time(on.until),
        "legacy": {"value": on.legacy_ratio, "count": on.legacy},
        "canary": {"value": on.canary_ratio, "count": on.canary},
    }


def metric_line(metric: MetricVerdict) -> str:
    """One metric in words: verdict, both sides, and what is missing or since when."""
    shown = format_score if metric.metric == "score" else format_ratio
    word = WORDS[metric.verdict]
    if metric.verdict == "rollback":
        return (
            f"{NAMES[metric.metric]}: {word} at {format_clock(metric.detected_at)}, {proof(metric)}"
            f"{_times(metric)}{_holds(metric)}{f'; {metric.why}' if metric.why else ''}"
        )
    if metric.verdict == "worse_now":
        return (
            f"{NAMES[metric.metric]}: {word} since {format_clock(metric.worse_at)}, {proof(metric)}"
            f"{_times(metric)}; the quick test, which bursts can fool: proof"
            f" {percent_complete(metric.strength)} % complete"
        )
    if metric.verdict == "pass":
        word = "no worse, proven" if metric.metric == "score" else f"{word}{_passed(metric)}"
    said = f"{NAMES[metric.metric]}: {word}"
    if metric.legacy_count or metric.canary_count:
        both = f"Canary {shown(metric.canary_ratio)}, Legacy {shown(metric.legacy_ratio)}"
        said = f"{said} ({both}; {format_count(metric.canary_count)} Canary requests)"
    if metric.why:
        return f"{said}: {metric.why}"
    if metric.verdict == "undecided":
        return f"{said}: {format_needed(metric, is_long=True)}"
    return said


def _times(metric: MetricVerdict) -> str:
    """How many times as bad Canary is: ", ×4.2 (2.1 to 8.0) of Legacy's"."""
    return "" if metric.interval is None else f", {format_interval(metric.interval)} of Legacy's"


def _holds(metric: MetricVerdict) -> str:
    """Up to which length of bursts a proof holds."""
    if metric.holds_for_s is None:
        return ""
    return f"; holds for bursts of errors up to {metric.holds_for_s:.0f} s"


def _passed(metric: MetricVerdict) -> str:
    """The stretch that a pass is of: ", 14:02:00Z to 14:41:00Z"."""
    on = metric.passed_on
    return "" if on is None else f", {format_clock(on.since)} to {format_clock(on.until)}"


def proof(metric: MetricVerdict) -> str:
    """What a proof rests on: "5xx 3.1 % against Legacy's 0.5 % since 14:10:00Z, of 412 requests".

    Since Canary looks worse, where that is known: after a healthy day the ratio of all of it would
    still look well.
    """
    shown = format_score if metric.metric == "score" else format_ratio
    on = metric.worse_on if metric.verdict == "worse_now" else metric.proven_on
    if on is None:
        both = f"{shown(metric.canary_ratio)} against Legacy's {shown(metric.legacy_ratio)}"
        return f"{both} since the change"
    both = f"{shown(on.canary_ratio)} against Legacy's {shown(on.legacy_ratio)}"
    return f"{both} from {format_clock(on.since)} on ({format_count(on.canary)} Canary requests)"


def _whole(value: float | None) -> int | None:
    return None if value is None or not math.isfinite(value) else math.ceil(value)
