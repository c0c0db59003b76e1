"""A verification or a comparison as `outputs/compare_stageN.json` has it, and in one line.

Ratios are 0…1, null is "no data", times are RFC 3339 in UTC of the cloud's clock. Latencies are as
measured from here: with the way there, and in real time whatever the speed of the cloud's clock.
"""

from __future__ import annotations

from typing import Any, Final

from canary.rollout.comparison import Comparison, SideFigures, SplitCheck
from canary.rollout.verification import CheckState, Verification, VerificationVerdict, say_split
from canary.rollout.words import iso_time, percent, plain

VERDICT_LINES: Final[dict[VerificationVerdict, str]] = {
    "passed": "✓ VERIFIED",
    "not_passed": "✗ VERIFICATION NOT PASSED",
    "unverified": "? COULD NOT VERIFY",
}
CHECK_GLYPHS: Final[dict[CheckState, str]] = {
    "passed": "✓",
    "not_passed": "✗",
    "unknown": "?",
    "noted": "·",
}
CHECK_WORDS: Final[dict[CheckState, str]] = {
    "passed": "passed",
    "not_passed": "not passed",
    "unknown": "not known",
    "noted": "noted",
}


def output_name(stage: int | None) -> str:
    """The file's name for a stage: "compare_stage2.json"; "compare.json" when it is not known."""
    return "compare.json" if stage is None else f"compare_stage{stage}.json"


def verification_document(verification: Verification) -> dict[str, Any]:
    """The whole verification; the comparison's own fields are beside the verdict."""
    split = verification.split
    return {
        "timestamp": iso_time(verification.at),
        "stage": verification.stage,
        "verdict": verification.verdict,
        "reason": verification.reason or None,
        "change": verification.change or None,
        "intended_percent": verification.intended_percent,
        "reported_percent": verification.reported_percent,
        "checks": [
            {"id": c.id, "label": plain(c.label), "state": c.state, "said": plain(c.said, 500)}
            for c in verification.checks
        ],
        **comparison_document(verification.comparison),
        "split": None if split is None else split_document(split),
    }


def comparison_document(comparison: Comparison | None) -> dict[str, Any]:
    """Both sides; every field null when no request was made."""
    if comparison is None:
        absent = ("url", "requests", "unnamed", "unanswered", "legacy", "canary")
        return dict.fromkeys(absent)
    return {
        "url": plain(comparison.url, 500),
        "requests": comparison.requests,
        "unnamed": comparison.unnamed,
        "unanswered": comparison.unanswered,
        "legacy": _side(comparison.legacy),
        "canary": _side(comparison.canary),
    }


def split_document(split: SplitCheck) -> dict[str, Any]:
    """The measured share of Canary, its 99 % interval, and whether it is the wanted one."""
    return {
        "wanted_percent": split.wanted_percent,
        "state": split.state,
        "canary": split.canary,
        "attributed": split.attributed,
        "share": split.share,
        "low": split.low,
        "high": split.high,
        "confidence_level": 0.99,
    }


def verification_line(verification: Verification) -> str:
    """One line for the event log and the shell, as loud as the outcome of a change."""
    head = VERDICT_LINES[verification.verdict]
    if verification.verdict != "passed":
        return f"{head}: {verification.reason}"
    split = verification.split
    measured = f": split {say_split(split)}" if split is not None else ""
    return f"{head}{measured}, intended {percent(verification.intended_percent)}"


def _side(side: SideFigures) -> dict[str, Any]:
    return {
        "service": plain(side.service),
        "requests": side.requests,
        "error_rate": side.error_ratio,
        "success_rate": side.success_ratio,
        "p50_response_time_ms": side.p50_ms,
        "p95_response_time_ms": side.p95_ms,
        "p99_response_time_ms": side.p99_ms,
        "avg_confidence_score": side.confidence,
        "confidence_count": side.confidence_count,
    }
