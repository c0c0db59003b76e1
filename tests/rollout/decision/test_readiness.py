"""Whether all traffic could be taken off Canary now: each drawback, each impossibility."""

from typing import Any

import msgspec
import pytest

from canary.rollout.decision.readiness import AWAY_S, RollbackFacts, judge_readiness
from canary.rollout.plan.plan import ScalePreset

GOOD = RollbackFacts(
    target="ion-api",
    revision="ion-api-00001-leg",
    revision_ready=True,
    missing_rights=(),
    scale=ScalePreset(1, 10),
    needed=4.0,
    read_age_s=5.0,
)


def judged(**changes: Any):
    return judge_readiness(msgspec.structs.replace(GOOD, **changes))


def test_all_is_well():
    readiness = judge_readiness(msgspec.structs.replace(GOOD, expected_s=8.0))
    assert (readiness.state, readiness.reasons, readiness.expected_s) == ("ok", (), 8.0)
    assert len(readiness.checks) == 6


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        ({"exists": False}, "impossible", "does not exist"),
        ({"revision": ""}, "impossible", "no ready revision"),
        ({"revision_ready": False, "revision_reason": "gone"}, "impossible", "not ready: gone"),
        ({"revision_ready": None}, "degraded", "Checking whether"),
        ({"remakes": True, "template_ready": False}, "impossible", "like the newest one"),
        (
            {"remakes": True, "template_ready": False, "base": "ion-api-00003-x"},
            "degraded",
            "built on ion-api-00003-x, which serves",
        ),
        ({"remakes": False, "template_ready": False}, "ok", ""),
        ({"remakes": True, "template_ready": None}, "ok", ""),
        ({"missing_rights": ("run.services.update on ion-api",)}, "impossible", "is missing: run"),
        ({"missing_rights": None}, "degraded", "Checking the right"),
        ({"scale": None}, "degraded", "Checking how many instances"),
        ({"needed": 10.0}, "ok", ""),
        ({"needed": 10.1}, "degraded", "full load needs about 10"),
        ({"needed": None}, "ok", ""),
        ({"scale": ScalePreset(0, 1), "scaled_to": ScalePreset(1, 10)}, "ok", ""),
        ({"scale": ScalePreset(0, 1)}, "degraded", "may run 1 instances"),
        ({"read_age_s": 120.0}, "ok", ""),
        ({"read_age_s": 120.1}, "degraded", "last read 2 m ago"),
        ({"journal_trouble": "The disk is full."}, "impossible", "disk is full"),
        ({"away_since": 1.0, "away_for_s": AWAY_S}, "degraded", "a confirmed rollback waits"),
        ({"away_since": 1.0, "away_for_s": AWAY_S + 1}, "impossible", "does not answer since"),
    ],
)
def test_what_makes_it_worse(changes: dict[str, Any], state: str, said: str):
    readiness = judged(**changes)
    assert readiness.state == state
    assert any(said in reason for reason in readiness.reasons) or not said


def test_the_worst_reason_comes_first():
    reasons = judged(read_age_s=999.0, exists=False).reasons
    assert "does not exist" in reasons[0]
    assert "last read" in reasons[1]


def test_texts_from_outside_are_made_harmless():
    reasons = judged(revision_ready=False, revision_reason="\x1b[31mred\x07").reasons
    assert "\x1b" not in reasons[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"exists": False},
        {"revision": ""},
        {"revision_ready": False},
        {"remakes": True, "template_ready": False},
        {"missing_rights": ("run.services.update on ion-api",)},
        {"journal_trouble": "The disk is full."},
        {"away_since": 0.0, "away_for_s": AWAY_S + 1},
        {"needed": 30.0},
    ],
)
def test_what_is_wrong_says_what_to_do(wrong: dict[str, Any]):
    readiness = judged(**wrong)
    assert readiness.wrong[0].state == readiness.state != "ok"
    assert readiness.wrong[0].remedy.endswith(".")


def test_a_login_that_is_not_accepted_is_not_a_cloud_that_is_away():
    readiness = judged(away_since=0.0, away_for_s=AWAY_S + 1, login=True)
    assert readiness.state == "impossible"
    assert readiness.reasons[0].startswith("Your login is not accepted since")
    assert "gcloud auth application-default login" in readiness.wrong[0].remedy
