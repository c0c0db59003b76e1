"""The gates: exactly on the limit passes, and what is not known opens nothing."""

from __future__ import annotations

import math
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.gates import (
    NO_EVIDENCE,
    AbTestResult,
    Gate,
    GateState,
    LoadTestResult,
    StageEvidence,
    check_criteria,
    check_gates,
    gate_glyph,
    gate_word,
    regression_gates,
    unmet,
)
from canary.rollout.decision.tree import DataState, Verdict
from canary.rollout.evidence.verdict import MetricVerdict
from canary.rollout.evidence.view import EvidenceView, SplitView, TailView
from canary.rollout.measure.samples import MIN_COUNT_FOR_TAIL, Window
from canary.rollout.plan.plan import Criteria
from canary.rollout.plan.tables import OnRegression
from tests.rollout.build import EMPTY, NOW, PLAN, window

LIMITS = {  # leaving stage: error ratio, p95, success ratio, confidence, soak
    1: (0.010, 15_000.0, 0.95, 0.75, 24.0),
    2: (0.015, 18_000.0, 0.93, 0.73, 24.0),
    3: (0.020, 20_000.0, 0.91, 0.71, 48.0),
    4: (0.025, 22_000.0, 0.89, 0.69, 72.0),
}
FIELDS = ("error_ratio", "p95_ms", "success_ratio", "confidence")


def gates(
    stage: int = 2,
    judged: Window | None = None,
    data: DataState = "ok",
    soaked: float | None = 1000.0,
    evidence: StageEvidence = NO_EVIDENCE,
    verdict: Verdict = "continue",
    entered_at: float | None = None,
) -> dict[str, Gate]:
    found = check_gates(
        PLAN, stage, judged or window(), data, soaked, evidence, verdict, entered_at
    )
    return {gate.id: gate for gate in found}


@pytest.mark.parametrize("stage", LIMITS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_criterion_passes_exactly_on_its_limit_and_not_beyond(stage: int, field: str) -> None:
    limit = LIMITS[stage][FIELDS.index(field)]
    bad = math.inf if field in ("error_ratio", "p95_ms") else -math.inf
    rows: list[tuple[float | None, GateState]] = [
        (math.nextafter(limit, -bad), "met"),
        (limit, "met"),
        (math.nextafter(limit, bad), "not_met"),
        (None, "no_data"),
    ]
    for value, state in rows:
        assert gates(stage, window(**{field: value}))[field].state == state


@pytest.mark.parametrize("stage", LIMITS)
def test_the_soak_is_over_exactly_at_its_hours(stage: int) -> None:
    limit = LIMITS[stage][4]
    rows: list[tuple[float | None, GateState]] = [
        (math.nextafter(limit, 0), "not_met"),
        (limit, "met"),
        (limit + 1, "met"),
        (None, "no_data"),
    ]
    for soaked, state in rows:
        assert gates(stage, soaked=soaked)["soak_hours"].state == state


@pytest.mark.parametrize("data", [d for d in get_args(DataState) if d != "ok"])
def test_no_criterion_is_met_on_data_that_may_not_be_judged(data: DataState) -> None:
    found = gates(data=data)
    assert {found[field].state for field in FIELDS} == {"no_data"}
    assert all(found[field].observed is None for field in FIELDS)


@pytest.mark.parametrize(
    ("field", "count_field"),
    [("p95_ms", "latency_count"), ("confidence", "confidence_count")],
)
def test_a_figure_that_rests_on_too_few_values_is_no_data(field: str, count_field: str) -> None:
    enough = gates(judged=window(**{count_field: MIN_COUNT_FOR_TAIL}))
    few = gates(judged=window(**{count_field: MIN_COUNT_FOR_TAIL - 1}))
    assert (enough[field].state, few[field].state) == ("met", "no_data")


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (None, "no_data"),
        (LoadTestResult("PASSED", NOW), "met"),
        (LoadTestResult("FAILED", NOW), "not_met"),
    ],
)
def test_leaving_stage_3_takes_a_load_test_that_passed(
    result: LoadTestResult | None, state: GateState
) -> None:
    assert gates(3, evidence=StageEvidence(load_test=result))["load_test"].state == state
    assert "load_test" not in gates(2)


@pytest.mark.parametrize(
    ("improvement", "state"),
    [
        (math.nextafter(0.10, 0), "not_met"),
        (0.10, "not_met"),  # "better by more than 10 %"
        (math.nextafter(0.10, 1), "met"),
        (-0.5, "not_met"),
        (None, "no_data"),
    ],
)
def test_leaving_stage_4_takes_an_improvement_of_more_than_a_tenth(
    improvement: float | None, state: GateState
) -> None:
    result = None if improvement is None else AbTestResult(improvement, NOW)
    assert gates(4, evidence=StageEvidence(ab_test=result))["ab_test"].state == state


@pytest.mark.parametrize(
    ("finished_at", "state"),
    [
        (math.nextafter(NOW, 0), "no_data"),
        (NOW, "met"),  # ended in the moment in which the stage was entered
        (math.nextafter(NOW, math.inf), "met"),
    ],
)
def test_a_test_from_before_the_stage_opens_nothing(finished_at: float, state: GateState) -> None:
    evidence = StageEvidence(
        LoadTestResult("PASSED", finished_at), AbTestResult(0.5, finished_at, "50 % faster")
    )
    load_test = gates(3, evidence=evidence, entered_at=NOW)["load_test"]
    ab_test = gates(4, evidence=evidence, entered_at=NOW)["ab_test"]
    assert (load_test.state, ab_test.state) == (state, state)
    if state == "no_data":
        said = "result is from before this stage"
        assert (load_test.observed, load_test.evidence) == (None, said)
        assert (ab_test.observed, ab_test.evidence) == (None, said)


def test_a_failed_test_from_before_the_stage_is_no_data_too() -> None:
    evidence = StageEvidence(LoadTestResult("FAILED", NOW - 1))
    assert gates(3, evidence=evidence, entered_at=NOW)["load_test"].state == "no_data"


def test_where_nobody_knows_when_the_stage_was_entered_the_soak_keeps_it() -> None:
    evidence = StageEvidence(LoadTestResult("PASSED", NOW - 1e6))
    found = gates(3, soaked=None, evidence=evidence, entered_at=None)
    assert (found["load_test"].state, found["soak_hours"].state) == ("met", "no_data")


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        ("continue", "met"),
        ("watch", "not_met"),
        ("rollback_stage", "not_met"),
        ("rollback_all", "not_met"),
        ("no_data", "no_data"),
    ],
)
def test_only_go_on_opens_the_gate_of_the_tree(verdict: Verdict, state: GateState) -> None:
    assert gates(verdict=verdict)["verdict"].state == state


@pytest.mark.parametrize("stage", [0, 5, 6, -1])
def test_nothing_gates_entering_stage_1_or_leaving_the_last(stage: int) -> None:
    assert gates(stage) == {}


def test_the_order_is_criteria_soak_tests_tree() -> None:
    assert list(gates(3)) == [*FIELDS, "soak_hours", "load_test", "verdict"]
    assert list(gates(4)) == [*FIELDS, "soak_hours", "ab_test", "verdict"]


def test_the_tree_is_not_among_the_criteria_of_a_validation() -> None:
    assert [g.id for g in gates(4).values() if not g.is_criterion] == ["verdict"]


def test_unmet_names_what_is_not_known_too() -> None:
    found = check_gates(PLAN, 2, EMPTY, "missing", None, NO_EVIDENCE, "no_data")
    assert unmet(found) == found


@given(
    stage=st.sampled_from([1, 2, 3, 4]),
    data=st.sampled_from([d for d in get_args(DataState) if d != "ok"]),
    soaked=st.none() | st.floats(0, 1000),
    verdict=st.sampled_from(get_args(Verdict)),
)
def test_no_stage_can_be_left_without_fresh_data(
    stage: int, data: DataState, soaked: float | None, verdict: Verdict
) -> None:
    found = check_gates(PLAN, stage, window(), data, soaked, NO_EVIDENCE, verdict)
    assert unmet(found)


def test_a_gate_is_a_frozen_value() -> None:
    with pytest.raises(AttributeError):
        gates()["error_ratio"].state = "met"  # type: ignore[misc]
    assert msgspec.structs.asdict(gates()["error_ratio"])["label"] == "error ratio"


def proven_view(verdict: str, rebuilding: float | None = None) -> EvidenceView:
    found = MetricVerdict("errors", verdict, detected_at=NOW if verdict == "rollback" else None)
    metrics = (found,) if rebuilding is None else ()
    tail, split = TailView(), SplitView(0.05, 0.05, 0.05)
    return EvidenceView(metrics, "tail", tail, split, rebuilding=rebuilding)


@pytest.mark.parametrize("verdict", ["worse_now", "pass", "undecided", "inconclusive"])
def test_only_a_proof_closes_the_gate_of_the_evidence(verdict: str) -> None:
    assert regression_gates(proven_view(verdict), "advise") == ()
    assert regression_gates(None, "advise") == ()


@pytest.mark.parametrize("on_regression", ["advise", "rollback"])
def test_a_proven_regression_closes_it_and_says_which(on_regression: OnRegression) -> None:
    (gate,) = regression_gates(proven_view("rollback"), on_regression)
    assert (gate.id, gate.state) == ("regression", "not_met")
    assert gate.evidence.startswith("Canary is proven to be worse: 5xx at ")
    assert not gate.is_criterion


def test_a_plan_that_ignores_regressions_is_not_held_up_by_one() -> None:
    assert regression_gates(proven_view("rollback"), "ignore") == ()


def test_while_the_evidence_is_judged_again_nobody_knows() -> None:
    (gate,) = regression_gates(proven_view("rollback", rebuilding=0.4), "advise")
    assert (gate.state, gate.observed) == ("no_data", None)


def test_a_test_that_ends_in_the_future_is_no_data_and_says_so() -> None:
    evidence = StageEvidence(
        LoadTestResult("PASSED", NOW + 3600), AbTestResult(0.5, NOW + 3600, "50 % faster")
    )
    rest = (window(), "ok", 80.0, evidence, "continue", NOW - 1e5, NOW)
    found = (*check_gates(PLAN, 3, *rest), *check_gates(PLAN, 4, *rest))
    tests = [g for g in found if g.id in ("load_test", "ab_test")]
    assert [g.state for g in tests] == ["no_data", "no_data"]
    assert all("in the future" in g.evidence for g in tests)


@pytest.mark.parametrize(
    ("changes", "state", "why"),
    [
        ({"started_at": NOW - 60, "percent": 25}, "met", "PASSED"),
        ({"started_at": NOW - 7200}, "no_data", "began before this stage"),
        ({"percent": 5}, "no_data", "it was at 5 %, this stage is 25 %"),
    ],
)
def test_a_load_test_belongs_to_the_stage_from_its_begin_and_at_its_share(
    changes: dict[str, Any], state: GateState, why: str
) -> None:
    evidence = StageEvidence(LoadTestResult("PASSED", NOW, **changes))
    found = gates(3, evidence=evidence, entered_at=NOW - 3600)["load_test"]
    assert found.state == state
    assert why in found.evidence


def test_an_analysis_says_how_much_of_it_is_from_before_the_stage() -> None:
    week = AbTestResult(0.5, NOW, "50 % faster", since=NOW - 7 * 86_400)
    found = gates(4, evidence=StageEvidence(None, week), entered_at=NOW - 86_400)["ab_test"]
    assert "6 d" in found.evidence
    assert "from before this stage" in found.evidence
    inside = gates(4, evidence=StageEvidence(None, week), entered_at=NOW - 8 * 86_400)["ab_test"]
    assert inside.evidence == "50 % faster"


@pytest.mark.parametrize(
    ("users", "lasted_s", "state", "said"),
    [
        (50, 3600.0, "met", ""),
        (80, 7200.0, "met", ""),
        (50, 3590.0, "met", ""),  # its last requests ended a moment early
        (None, None, "met", ""),  # another tool's file, which does not say
        (50, 300.0, "no_data", "it lasted 5 m, the plan asks for 1 h"),
        (10, 3600.0, "no_data", "it had 10 users, the plan asks for 50"),
    ],
)
def test_a_load_test_that_is_less_than_the_plan_asks_opens_nothing(
    users: int | None, lasted_s: float | None, state: GateState, said: str
) -> None:
    result = LoadTestResult("PASSED", NOW, users=users, lasted_s=lasted_s)
    found = gates(3, evidence=StageEvidence(load_test=result))["load_test"]
    assert (found.state, found.evidence) == (state, said or found.evidence)
    failed = LoadTestResult("FAILED", NOW, users=users, lasted_s=lasted_s)
    assert gates(3, evidence=StageEvidence(load_test=failed))["load_test"].state == "not_met"


def test_a_criterion_that_the_plan_leaves_out_is_not_asked() -> None:
    criteria = Criteria(max_error_ratio=0.01, min_success_ratio=0.95)
    blind = window(confidence=None, confidence_count=0)
    assert [g.id for g in check_criteria(criteria, blind, "ok")] == ["error_ratio", "success_ratio"]


@given(stage=st.integers(1, 4), hours=st.floats(0, 200))
def test_the_soak_waits_and_says_how_long_and_never_for_no_time(stage: int, hours: float) -> None:
    soak = gates(stage, soaked=hours)["soak_hours"]
    assert soak.waits == (soak.state == "not_met")
    assert (gate_glyph(soak), gate_word(soak)) == (
        ("✓", "met") if soak.state == "met" else ("◌", "waiting")
    )
    assert soak.evidence == "" or soak.evidence.endswith(" to go")
    assert not soak.evidence.startswith("0")


@pytest.mark.parametrize("data", [d for d in get_args(DataState) if d != "ok"])
def test_a_criterion_waits_only_while_the_change_settles(data: DataState) -> None:
    found = gates(data=data)
    assert {found[f].waits for f in FIELDS} == {data == "masked"}
    assert {gate_glyph(found[f]) for f in FIELDS} == {"◌" if data == "masked" else "?"}
    assert {gate_word(found[f]) for f in FIELDS} == {"no data"}


def test_what_a_person_must_do_does_not_wait() -> None:
    found = {**gates(3), **gates(4), **gates(verdict="rollback_all")}
    assert not any(found[name].waits for name in ("load_test", "ab_test", "verdict"))
