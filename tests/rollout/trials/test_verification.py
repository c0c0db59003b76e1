"""The checks of a verification: what passes, what does not, and what is never a pass."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from canary.rollout.trials.comparison import Comparison, SideFigures
from canary.rollout.trials.verification import (
    HealthAnswer,
    Reported,
    Verification,
    judge_verification,
    output_name,
    verification_document,
    verification_line,
)
from tests.rollout.build import NOW, PLAN

AS_SET = Reported(10)
WELL = (HealthAnswer("legacy", "ion-api", True), HealthAnswer("canary", "ion-api-canary", True))


def comparison(legacy: int = 90, canary: int = 10, errors: int = 0, **changes: Any) -> Comparison:
    figures = SideFigures("ion-api-canary", canary, errors / canary if canary else None)
    base = Comparison(
        NOW, "https://api.example/x", legacy + canary, SideFigures("ion-api", legacy), figures
    )
    return msgspec.structs.replace(base, **changes)


def judged(
    intended: int | None = 10,
    reported: Reported = AS_SET,
    health: tuple[HealthAnswer, ...] = WELL,
    found: Comparison | None = None,
    **more: Any,
) -> Verification:
    found = comparison() if found is None and "trouble" not in more else found
    return judge_verification(PLAN, NOW, intended, reported, health, found, stage=2, **more)


def states(verification: Verification) -> dict[str, str]:
    return {check.id: check.state for check in verification.checks}


def test_everything_as_intended_is_passed() -> None:
    verification = judged()
    assert set(states(verification).values()) == {"passed"}
    assert (verification.verdict, verification.reason) == ("passed", "")
    assert verification_line(verification).startswith("✓ VERIFIED: split 10.0 %")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"reported": Reported(25)}, "reported"),
        ({"found": comparison(75, 25)}, "split"),
        ({"found": comparison(unanswered=10, requests=110)}, "answers"),
        ({"found": comparison(errors=5)}, "errors"),
        ({"health": (WELL[0], HealthAnswer("canary", "c", False, "503"))}, "health_canary"),
        ({"health": (HealthAnswer("legacy", "l", False, "503"), WELL[1])}, "health_legacy"),
    ],
)
def test_one_check_that_is_not_passed_makes_it_not_passed(
    change: dict[str, Any], check: str
) -> None:
    verification = judged(**change)
    assert (verification.verdict, states(verification)[check]) == ("not_passed", "not_passed")
    assert verification_line(verification).startswith("✗ VERIFICATION NOT PASSED: ")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"trouble": "target.router.url is not set"}, "split"),
        ({"reported": Reported(None, trouble="no answer")}, "reported"),
        ({"reported": Reported(10, reconciling=True)}, "reported"),
        ({"found": comparison(10, 1)}, "split"),
        ({"found": comparison(unnamed=26, requests=126)}, "answers"),
        ({"health": (WELL[0], HealthAnswer("canary", "c", None, "no address"))}, "health_canary"),
    ],
)
def test_what_could_not_be_checked_is_never_passed(change: dict[str, Any], check: str) -> None:
    verification = judged(**change)
    assert (verification.verdict, states(verification)[check]) == ("unverified", "unknown")
    assert verification_line(verification).startswith("? COULD NOT VERIFY: ")


@pytest.mark.parametrize(
    ("unanswered", "state"), [(5, "passed"), (6, "not_passed")], ids=["on the limit", "beyond"]
)
def test_a_router_that_does_not_answer_is_not_passed(unanswered: int, state: str) -> None:
    found = comparison(90 - unanswered, 10, unanswered=unanswered, requests=100)
    assert states(judged(found=found))["answers"] == state


@pytest.mark.parametrize(("side", "percent"), [("canary", 0), ("legacy", 100)])
def test_the_health_of_a_side_that_takes_no_traffic_is_only_noted(side: Any, percent: int) -> None:
    ill = HealthAnswer(side, "x", False, "503")
    health = tuple(ill if a.side == side else a for a in WELL)
    found = comparison(100, 0) if percent == 0 else comparison(0, 100)
    verification = judged(percent, Reported(percent), health, found)
    assert (verification.verdict, states(verification)[f"health_{side}"]) == ("passed", "noted")


def test_few_errors_of_few_answers_are_no_proof() -> None:
    assert states(judged(found=comparison(errors=2)))["errors"] == "passed"
    assert states(judged(found=comparison(errors=3)))["errors"] == "not_passed"


def test_without_a_record_the_reported_share_is_what_is_measured_against() -> None:
    verification = judged(None)
    assert states(verification)["reported"] == "noted"
    assert verification.split is not None
    assert (verification.split.wanted_percent, verification.verdict) == (10, "passed")


def test_the_document_is_json_and_says_verdict_sides_and_split() -> None:
    document = json.loads(json.dumps(verification_document(judged(change="c-1")), allow_nan=False))
    assert (document["verdict"], document["change"], document["stage"]) == ("passed", "c-1", 2)
    assert (document["legacy"]["requests"], document["canary"]["requests"]) == (90, 10)
    assert document["split"]["state"] == "as_intended"
    assert document["split"]["low"] < 0.10 < document["split"]["high"]


def test_a_document_without_requests_has_no_sides() -> None:
    document = verification_document(judged(trouble="no address"))
    assert (document["legacy"], document["canary"], document["split"]) == (None, None, None)
    assert "no address" in document["reason"]


@pytest.mark.parametrize(
    ("stage", "name"),
    [(2, "compare_stage2.json"), (0, "compare_stage0.json"), (None, "compare.json")],
)
def test_the_file_is_named_after_the_stage(stage: int | None, name: str) -> None:
    assert output_name(stage) == name


def test_text_from_outside_is_plain() -> None:
    ill = HealthAnswer("canary", "c", False, "\x1b[2Jboom")
    said = [c.said for c in judged(health=(WELL[0], ill)).checks]
    assert all(text.isprintable() for text in said)
