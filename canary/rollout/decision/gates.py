"""The gates to the next stage: met, not met, or no data, each with its evidence.

A gate without fresh and sufficient data is "no data", and that does not open it. Values equal to
their limit pass. Sources: the success criteria and the procedure of the rollout plan.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from canary.rollout.decision.tree import DataState, NodeOutcome, Verdict
from canary.rollout.evidence.view import EvidenceView, proven_text
from canary.rollout.measure.samples import MIN_COUNT_FOR_TAIL, Window
from canary.rollout.measure.times import find_trouble
from canary.rollout.plan.plan import Criteria, Plan
from canary.rollout.plan.tables import LoadTest, OnRegression
from canary.rollout.text import NO_DATA, AtLeast, format_count, format_duration, format_value

GateState = Literal["met", "not_met", "no_data"]
Comparison = Literal["≤", "≥", ">", "="]


class Gate(msgspec.Struct, frozen=True):
    """One condition for leaving a stage.

    `observed`/`limit` are in the unit of `id` (ratio, ms, hours); None when not a number.
    `is_criterion` marks the success criteria that a validation reports; the rest belong to the
    procedure. `waits`: it is open by time alone, and nobody has anything to do for it.
    """

    id: str
    label: str
    observed: float | None
    comparison: Comparison
    limit: float | None
    state: GateState
    evidence: str = ""
    is_criterion: bool = True
    waits: bool = False


class LoadTestResult(msgspec.Struct, frozen=True):
    """What outputs/load_test_summary.json says of the load test for a stage.

    `users` and `lasted_s` are of the test as it was. `started_at` and `percent`, Canary's share
    meanwhile; all None where it does not say.
    """

    status: Literal["PASSED", "FAILED"]
    finished_at: float
    summary: str = ""
    started_at: float | None = None
    percent: int | None = None
    users: int | None = None
    lasted_s: float | None = None


class AbTestResult(msgspec.Struct, frozen=True):
    """What outputs/ab_test_analysis.json says: relative gain in mean response time.

    `since` is the begin of the time that was analysed; None: it does not say.
    """

    improvement: float
    finished_at: float
    summary: str = ""
    since: float | None = None


class StageEvidence(msgspec.Struct, frozen=True):
    """Results of tests that a stage asks for; None when there is no result."""

    load_test: LoadTestResult | None = None
    ab_test: AbTestResult | None = None


NO_EVIDENCE = StageEvidence()


def check_gates(
    plan: Plan,
    stage: int,
    window: Window,
    data: DataState,
    soaked_hours: float | None,
    evidence: StageEvidence,
    verdict: Verdict,
    entered_at: float | None = None,
    now: float | None = None,
) -> tuple[Gate, ...]:
    """The gates for leaving `stage`, in the order they are shown.

    `window` is Canary's criteria window with its `data` state; `soaked_hours` None when nobody
    knows when the stage was entered. A test that ended before `entered_at` (unix seconds; None: not
    known, then the soak keeps the stage) says nothing about this stage, nor does a load test that
    began before it, or at another share; nor a test that ends after `now` (None: not checked).
    Empty for stage 0 (entering stage 1 asks nothing) and for the last stage (nothing follows).
    """
    if not 1 <= stage < len(plan.stages):
        return ()
    spec = plan.stage(stage)
    gates: list[Gate] = []
    if spec.criteria is not None:
        gates += check_criteria(spec.criteria, window, data)
    if spec.soak_hours is not None:
        gates.append(_soak_gate(spec.soak_hours, soaked_hours))
    if spec.load_test:
        gates.append(_load_test_gate(evidence.load_test, spec.percent, entered_at, now, plan))
    if spec.min_ab_improvement is not None:
        gates.append(_ab_gate(spec.min_ab_improvement, evidence.ab_test, entered_at, now))
    gates.append(verdict_gate(verdict))
    return tuple(gates)


def check_criteria(criteria: Criteria, window: Window, data: DataState) -> list[Gate]:
    """The success criteria over `window`, those that the plan asks for: error ratio, p95, success
    ratio, confidence.
    """
    usable = data == "ok"
    tail = window.latency_count >= MIN_COUNT_FOR_TAIL
    scored = window.confidence_count >= MIN_COUNT_FOR_TAIL
    behind = "no requests seen"
    if window.requests is not None:
        behind = f"{format_count(window.requests)} requests"
    if window.refused:
        behind += f", {format_count(window.refused)} of them refused for want of an instance"
    why = behind if usable else f"{data}: {behind}"
    gates = (
        _limit_gate(
            "error_ratio",
            "error ratio",
            window.error_ratio if usable else None,
            "≤",
            criteria.max_error_ratio,
            why,
        ),
        _limit_gate(
            "p95_ms",
            "p95",
            window.p95_ms if usable and tail else None,
            "≤",
            criteria.max_p95_ms,
            why,
        ),
        _limit_gate(
            "success_ratio",
            "success ratio",
            window.success_ratio if usable else None,
            "≥",
            criteria.min_success_ratio,
            why,
        ),
        _limit_gate(
            "confidence",
            "confidence",
            window.confidence if usable and scored else None,
            "≥",
            criteria.min_confidence,
            f"{format_count(window.confidence_count)} scores" if usable else why,
        ),
    )
    waits = data == "masked"
    asked = (gate for gate in gates if gate is not None)
    return [msgspec.structs.replace(g, waits=True) if waits else g for g in asked]


def unmet(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """The gates that are not met; "no data" is among them."""
    return tuple(g for g in gates if g.state != "met")


def _limit_gate(
    gate_id: str,
    label: str,
    observed: float | None,
    comparison: Comparison,
    limit: float | None,
    evidence: str,
) -> Gate | None:
    """None: the plan leaves this limit out."""
    if limit is None:
        return None
    if observed is None:
        return Gate(gate_id, label, None, comparison, limit, "no_data", evidence)
    met = observed <= limit if comparison == "≤" else observed >= limit
    if met and isinstance(observed, AtLeast):
        # A lower bound proves that a limit is passed, and never that it is kept.
        known = f"known only as {format_value(gate_id, observed)}: {evidence}"
        return Gate(gate_id, label, observed, comparison, limit, "no_data", known)
    return Gate(gate_id, label, observed, comparison, limit, "met" if met else "not_met", evidence)


def _soak_gate(soak_hours: float, soaked_hours: float | None) -> Gate:
    if soaked_hours is None:
        return Gate("soak_hours", "soak", None, "≥", soak_hours, "no_data", "no stage record", True)
    met = soaked_hours >= soak_hours
    return Gate(
        "soak_hours",
        "soak",
        soaked_hours,
        "≥",
        soak_hours,
        "met" if met else "not_met",
        "" if met else f"{_left(soak_hours - soaked_hours)} to go",
        waits=not met,
    )


def _left(hours: float) -> str:
    """How long still; never nothing, while something is left."""
    return format_duration(max(60.0, hours * 3600))


def _why_no_result(
    result: LoadTestResult | AbTestResult | None, entered_at: float | None, now: float | None
) -> str:
    """Why a test says nothing about the stage; "" when it does."""
    if result is None:
        return "no result found"
    if now is not None and (trouble := find_trouble(result.finished_at, now)):
        return trouble
    if entered_at is not None and result.finished_at < entered_at:
        return "result is from before this stage"
    return ""


OVER = 0.99
"""Of the asked time: the last requests of a test that ran to its end may be a moment early."""


def _why_smaller(result: LoadTestResult, asked: LoadTest) -> str:
    """Why a load test is less than the plan asks for, and shows less; "" when it is not."""
    asked_s = asked.duration_minutes * 60.0
    if result.lasted_s is not None and result.lasted_s < OVER * asked_s:
        lasted, wanted = format_duration(result.lasted_s), format_duration(asked_s)
        return f"it lasted {lasted}, the plan asks for {wanted}"
    if result.users is not None and result.users < asked.users:
        return f"it had {result.users} users, the plan asks for {asked.users}"
    return ""


def _why_not_this_load(
    result: LoadTestResult | None, percent: int, entered_at: float | None, now: float | None
) -> str:
    """The same of a load test, which is of one share from its begin to its end."""
    why_not = _why_no_result(result, entered_at, now)
    if why_not or result is None:
        return why_not
    began = result.started_at
    if began is not None and entered_at is not None and began < entered_at:
        return "it began before this stage was entered"
    if result.percent is not None and result.percent != percent:
        return f"it was at {result.percent} %, this stage is {percent} %"
    return ""


def _load_test_gate(
    result: LoadTestResult | None,
    percent: int,
    entered_at: float | None,
    now: float | None,
    plan: Plan,
) -> Gate:
    why_not = _why_not_this_load(result, percent, entered_at, now)
    if result is not None and not why_not and result.status == "PASSED":
        why_not = _why_smaller(result, plan.load_test)
    if result is None or why_not:
        return Gate("load_test", "load test", None, "=", 1.0, "no_data", why_not)
    passed = result.status == "PASSED"
    return Gate(
        "load_test",
        "load test",
        1.0 if passed else 0.0,
        "=",
        1.0,
        "met" if passed else "not_met",
        result.summary or result.status,
    )


def _ab_gate(
    least: float, result: AbTestResult | None, entered_at: float | None, now: float | None
) -> Gate:
    why_not = _why_no_result(result, entered_at, now)
    if result is None or why_not:
        return Gate("ab_test", "A/B improvement", None, ">", least, "no_data", why_not)
    met = result.improvement > least
    return Gate(
        "ab_test",
        "A/B improvement",
        result.improvement,
        ">",
        least,
        "met" if met else "not_met",
        "; ".join(part for part in (result.summary, _told_before(result, entered_at)) if part),
    )


def _told_before(result: AbTestResult, entered_at: float | None) -> str:
    """How much of what was analysed is from before the stage; "" for nothing, or not known."""
    if result.since is None or entered_at is None or result.since >= entered_at:
        return ""
    whole = format_duration(result.finished_at - result.since)
    return f"{format_duration(entered_at - result.since)} of its {whole} are from before this stage"


def verdict_gate(verdict: Verdict) -> Gate:
    """No promotion while the tree says anything but that all thresholds are kept."""
    state: GateState = "met"
    if verdict == "no_data":
        state = "no_data"
    elif verdict != "continue":
        state = "not_met"
    observed = {"met": 1.0, "not_met": 0.0, "no_data": None}[state]
    words = {
        "continue": "none passed",
        "watch": "a warning is watched",
        "rollback_stage": "calls for a rollback",
        "rollback_all": "calls for a rollback",
        "no_data": NO_DATA,
    }[verdict]
    return Gate("verdict", "thresholds OK", observed, "=", 1.0, state, words, False)


def regression_gates(
    comparison: EvidenceView | None, on_regression: OnRegression
) -> tuple[Gate, ...]:
    """The gate that a proven regression closes, until the split changes or it is dismissed.

    Empty while nothing is proven: that the evidence has proven nothing opens and closes nothing.
    While what is kept of it is judged again nobody knows: no data. Empty too where the plan says
    "ignore".
    """
    if comparison is None or on_regression == "ignore":
        return ()
    state: GateState = "no_data" if comparison.rebuilding is not None else "not_met"
    why = "the evidence is being judged again" if state == "no_data" else proven_text(comparison)
    if not why:
        return ()
    observed = None if state == "no_data" else 0.0
    return (Gate("regression", "no proven regression", observed, "=", 1.0, state, why, False),)


# What a verdict, a gate, a node and the state of the data are called, and their glyphs.

VERDICT_WORDS: Final[dict[Verdict, str]] = {
    "continue": "HEALTHY",
    "watch": "WATCH",
    "rollback_stage": "ROLL BACK ONE STAGE",
    "rollback_all": "ROLL BACK ALL",
    "no_data": "NO DATA",
}
VERDICT_GLYPHS: Final[dict[Verdict, str]] = {
    "continue": "✓",
    "watch": "◐",
    "rollback_stage": "▼",
    "rollback_all": "✗",
    "no_data": "?",
}
GATE_GLYPHS: Final[dict[GateState, str]] = {"met": "✓", "not_met": "✗", "no_data": "?"}
WAITING_GLYPH: Final = "◌"
GATE_WORDS: Final[dict[GateState, str]] = {"met": "met", "not_met": "not met", "no_data": NO_DATA}
NODE_WORDS: Final[dict[NodeOutcome, str]] = {
    "yes": "yes",
    "no": "no",
    "no_data": NO_DATA,
    "not_reached": "not reached",
}
DATA_WORDS: Final[dict[DataState, str]] = {
    "ok": "fresh",
    "thin": "too few requests",
    "stale": "stale",
    "missing": NO_DATA,
    "masked": "from before the change",
}


def gate_glyph(gate: Gate) -> str:
    """✓ met, ✗ not met, ? no data, ◌ open by time alone."""
    return WAITING_GLYPH if gate.waits and gate.state != "met" else GATE_GLYPHS[gate.state]


def gate_word(gate: Gate) -> str:
    """The state in a word: "met", "not met", "no data"; "waiting" for time alone."""
    return "waiting" if gate.waits and gate.state == "not_met" else GATE_WORDS[gate.state]


def format_verdict(value: Verdict) -> str:
    """Glyph and words of a verdict: "✓ HEALTHY"."""
    return f"{VERDICT_GLYPHS[value]} {VERDICT_WORDS[value]}"
