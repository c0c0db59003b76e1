"""Verification after a change of the split: is what is served what was intended? Pure.

Five checks, each with its own answer. One that is not passed makes the verification not passed;
one that could not be made, "unverified": that is never passed. What is only "noted" is shown and
does not count: the health of a side that is to take no traffic.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from canary.rollout.change.change import Side
from canary.rollout.plan.plan import Plan
from canary.rollout.text import (
    fields_of,
    format_count,
    format_iso_time,
    format_percent,
    format_ratio,
    sanitize,
)
from canary.rollout.trials.comparison import (
    Z_99,
    Comparison,
    SideFigures,
    SplitCheck,
    check_split,
    wilson_interval,
)

CheckState = Literal["passed", "not_passed", "unknown", "noted"]
VerificationVerdict = Literal["passed", "not_passed", "unverified"]

MOST_UNANSWERED = 0.05
MOST_UNNAMED = 0.20
"""Of all requests: beyond the first the router does not serve; beyond the second the split of the
rest may be another one than of all, since a failing side often answers through its front."""


class Check(msgspec.Struct, frozen=True):
    """One question of the verification and its answer; `said` is for a person."""

    id: str
    label: str
    state: CheckState
    said: str


class HealthAnswer(msgspec.Struct, frozen=True):
    """How a side answered its health check. `ok` None: it could not be asked."""

    side: Side
    service: str
    ok: bool | None
    said: str = ""


class VerifyProgress(msgspec.Struct, frozen=True):
    """How far a verification is. `done` of `total` requests have ended, `failed` without answer."""

    step: Literal["health", "requests", "done"]
    done: int = 0
    total: int = 0
    legacy: int = 0
    canary: int = 0
    failed: int = 0


class Reported(msgspec.Struct, frozen=True):
    """What Cloud Run says of the split. `percent` None: not known, and `trouble` says why."""

    percent: int | None
    reconciling: bool = False
    trouble: str = ""


class Verification(msgspec.Struct, frozen=True):
    """One verification. `intended_percent` None: nobody has said what is intended.

    `stage` is the one of that share (0: all on Legacy), None if not known; `at` cloud time;
    `change` the id of the change that is verified, "" for none. `comparison` None: no request was
    made, and a check says why. `split` is against what is intended.
    """

    at: float
    verdict: VerificationVerdict
    checks: tuple[Check, ...]
    stage: int | None = None
    intended_percent: int | None = None
    reported_percent: int | None = None
    change: str = ""
    comparison: Comparison | None = None
    split: SplitCheck | None = None

    @property
    def reason(self) -> str:
        """Why it is not passed, or what could not be verified; one sentence, "" when passed."""
        wanted = "unknown" if self.verdict == "unverified" else "not_passed"
        found = (f"{c.label}: {c.said}" for c in self.checks if c.state == wanted)
        return "; ".join(found)


def judge_verification(
    plan: Plan,
    at: float,
    intended_percent: int | None,
    reported: Reported,
    health: tuple[HealthAnswer, ...],
    comparison: Comparison | None,
    *,
    stage: int | None = None,
    change: str = "",
    trouble: str = "",
) -> Verification:
    """Make the checks. `trouble` says why no request could be made (`comparison` None)."""
    wanted = intended_percent if intended_percent is not None else reported.percent
    checks = [_check_health(answer, wanted) for answer in health]
    checks.append(_check_reported(intended_percent, reported))
    split: SplitCheck | None = None
    if comparison is None:
        checks.append(Check("split", "split", "unknown", trouble or "no request was made"))
    else:
        split = check_split(comparison, wanted) if wanted is not None else None
        checks.append(_check_answers(comparison))
        checks.append(_check_measured(split, comparison))
        checks.append(_check_errors(plan, comparison.canary))
    return Verification(
        at=at,
        verdict=_sum_up(checks),
        checks=tuple(checks),
        stage=stage,
        intended_percent=intended_percent,
        reported_percent=reported.percent,
        change=change,
        comparison=comparison,
        split=split,
    )


def format_split(split: SplitCheck) -> str:
    """The measured share in words: "10.3 % (99 %: 4.6 to 21.2 %) of 97 answers"."""
    if split.share is None or split.low is None or split.high is None:
        return "nothing measured"
    span = f"{split.low * 100:.1f} to {split.high * 100:.1f} %"
    return f"{format_ratio(split.share)} (99 %: {span}) of {format_count(split.attributed)} answers"


def _sum_up(checks: list[Check]) -> VerificationVerdict:
    states = {check.state for check in checks}
    if "not_passed" in states:
        return "not_passed"
    return "unverified" if "unknown" in states else "passed"


def _check_health(answer: HealthAnswer, wanted: int | None) -> Check:
    """A side that is to take no traffic may be ill, or scaled down: that may be why."""
    label = f"health of {sanitize(answer.service, 60)}"
    said = sanitize(answer.said)
    idle = wanted == (0 if answer.side == "canary" else 100)
    if answer.ok:
        return Check(f"health_{answer.side}", label, "passed", said or "well")
    if idle:
        note = "it is to take no traffic"
        return Check(f"health_{answer.side}", label, "noted", f"{said}; {note}" if said else note)
    state: CheckState = "unknown" if answer.ok is None else "not_passed"
    return Check(f"health_{answer.side}", label, state, said or "not well")


def _check_reported(intended: int | None, reported: Reported) -> Check:
    label = "share that Cloud Run reports"
    if reported.percent is None:
        return Check("reported", label, "unknown", sanitize(reported.trouble) or "not known")
    shown = format_percent(reported.percent)
    if intended is None:
        return Check("reported", label, "noted", f"{shown}; no stage record says what is intended")
    if reported.percent != intended:
        said = f"{shown}, intended {format_percent(intended)}"
        return Check("reported", label, "not_passed", said)
    if reported.reconciling:
        return Check("reported", label, "unknown", f"{shown}, but it has not settled yet")
    return Check("reported", label, "passed", shown)


def _check_answers(comparison: Comparison) -> Check:
    asked, missing = comparison.requests, comparison.unanswered
    answered = f"{format_count(asked - missing)} of {format_count(asked)} requests answered"
    if comparison.barred > MOST_UNANSWERED * asked:
        # Whoever may reach the router may find it well: this is no reason to go back.
        return Check("answers", "router", "unknown", sanitize(comparison.first_error))
    if missing > MOST_UNANSWERED * asked:
        why = f": {sanitize(comparison.first_error)}" if comparison.first_error else ""
        return Check("answers", "router", "not_passed", answered + why)
    if comparison.unnamed > MOST_UNNAMED * asked:
        said = f"{format_count(comparison.unnamed)} answers do not say which side they are from"
        return Check("answers", "router", "unknown", f"{said}; see verify.side_header in the plan")
    return Check("answers", "router", "passed", answered)


def _check_measured(split: SplitCheck | None, comparison: Comparison) -> Check:
    if split is None:
        return Check("split", "measured split", "unknown", "no share to compare it with")
    said = f"{format_split(split)}, intended {format_percent(split.wanted_percent)}"
    if split.state == "too_few":
        few = f"only {format_count(comparison.attributed)} answers name their side"
        return Check("split", "measured split", "unknown", few)
    state: CheckState = "passed" if split.state == "as_intended" else "not_passed"
    return Check("split", "measured split", state, said)


def _check_errors(plan: Plan, canary: SideFigures) -> Check:
    """Canary's errors count against it only when they are proven beyond the critical limit.

    Ten answers prove little: one 5xx among them is 10 %, and chance.
    """
    label, limit = "errors of Canary", plan.alerts.critical.error_ratio
    if canary.error_ratio is None or limit is None:
        return Check("errors", label, "noted", "no answers of Canary")
    errors = round(canary.error_ratio * canary.requests)
    interval = wilson_interval(errors, canary.requests, Z_99)
    said = f"{format_count(errors)} of {format_count(canary.requests)}"
    if interval is not None and interval[0] > limit:
        beyond = f"{said}: proven beyond {format_ratio(limit)}"
        return Check("errors", label, "not_passed", beyond)
    return Check("errors", label, "passed", said)


# A verification or a comparison as `outputs/compare_stageN.json` has it, and in one line.
#
# Ratios are 0…1, null is "no data", times are RFC 3339 in UTC of the cloud's clock. Latencies are
# as
# measured from here: with the way there, and in real time whatever the speed of the cloud's clock.

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
        "timestamp": format_iso_time(verification.at),
        "stage": verification.stage,
        "verdict": verification.verdict,
        "reason": verification.reason or None,
        "change": verification.change or None,
        "intended_percent": verification.intended_percent,
        "reported_percent": verification.reported_percent,
        "checks": [
            {
                "id": c.id,
                "label": sanitize(c.label),
                "state": c.state,
                "said": sanitize(c.said, 500),
            }
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
        "url": sanitize(comparison.url, 500),
        **fields_of(comparison, "requests", "unnamed", "unanswered"),
        "legacy": _side(comparison.legacy),
        "canary": _side(comparison.canary),
    }


def split_document(split: SplitCheck) -> dict[str, Any]:
    """The measured share of Canary, its 99 % interval, and whether it is the wanted one."""
    return {**fields_of(split, *split.__struct_fields__), "confidence_level": 0.99}


def verification_line(verification: Verification) -> str:
    """One line for the event log and the shell, as loud as the outcome of a change."""
    head = VERDICT_LINES[verification.verdict]
    if verification.verdict != "passed":
        return f"{head}: {verification.reason}"
    split = verification.split
    measured = f": split {format_split(split)}" if split is not None else ""
    return f"{head}{measured}, intended {format_percent(verification.intended_percent)}"


def _side(side: SideFigures) -> dict[str, Any]:
    return {
        "service": sanitize(side.service),
        "requests": side.requests,
        "error_rate": side.error_ratio,
        "success_rate": side.success_ratio,
        "p50_response_time_ms": side.p50_ms,
        "p95_response_time_ms": side.p95_ms,
        "p99_response_time_ms": side.p99_ms,
        "avg_confidence_score": side.confidence,
        "confidence_count": side.confidence_count,
    }
