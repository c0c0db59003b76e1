"""What a change of several steps says of itself."""

from __future__ import annotations

import pytest

from canary.rollout.change.change import is_final_approval
from canary.rollout.change.moves import promote, rollback_all, step_back
from canary.rollout.change.text import format_order
from canary.rollout.decision.gates import AbTestResult, StageEvidence, check_gates
from canary.rollout.permit.approval import (
    describe_consequences,
    evidence_of,
    format_evidence,
    name_to_type,
)
from canary.rollout.plan.plan import ScalePreset
from tests.rollout.build import NOW, PLAN, request, snapshot, standing, window

BACKUP = ScalePreset(0, 1)
FINAL = promote(PLAN, standing(4), request())
TESTED = StageEvidence(ab_test=AbTestResult(0.511, NOW, "240 000 requests"))
GATES = check_gates(PLAN, 4, window(), "ok", 80.0, TESTED, "continue")


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_an_ordinary_promotion_is_no_final_approval(stage: int) -> None:
    change = promote(PLAN, standing(stage), request())
    assert not is_final_approval(change)
    assert describe_consequences(change, PLAN) == ()
    assert format_order(change) == ""


def test_final_approval_says_what_becomes_true() -> None:
    assert is_final_approval(FINAL)
    assert describe_consequences(FINAL, PLAN) == (
        "Canary (ion-api-canary) is production and takes 100 %",
        "Legacy (ion-api) is the backup: ready for an emergency, it takes nothing",
        "the canary mode is recorded as ended: enabled = false, stage = 5, percent = 100,"
        " production_service = ion-api-canary",
    )


def test_final_approval_says_why_legacy_comes_last() -> None:
    assert "Legacy keeps its own until nothing does" in format_order(FINAL)


@pytest.mark.parametrize("back", [rollback_all, step_back])
def test_going_back_from_production_says_why_legacy_comes_first(back) -> None:  # type: ignore[no-untyped-def]
    change = back(PLAN, standing(5, scale_legacy=BACKUP), request())
    assert "ion-api is in backup size" in format_order(change)
    assert format_order(back(PLAN, standing(5), request())) == ""


def test_final_approval_takes_the_name_of_canary() -> None:
    assert name_to_type(PLAN, FINAL, 50) == "ion-api-canary"


def test_the_ab_test_leads_the_evidence() -> None:
    said = format_evidence(GATES)
    assert said[0] == "✓ A/B improvement 51.1 % > 10 %: 240 000 requests"
    assert len(said) == len(GATES)


def test_the_evidence_of_a_change_keeps_what_the_trials_said() -> None:
    kept = evidence_of(snapshot(stage=4, gates=GATES), NOW)
    assert (kept.ab_improvement, kept.load_test) == (0.511, "")
    at_three = check_gates(PLAN, 3, window(), "ok", 80.0, StageEvidence(), "continue")
    assert evidence_of(snapshot(stage=3, gates=at_three), NOW).load_test == ""
