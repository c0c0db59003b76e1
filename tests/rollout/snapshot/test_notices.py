"""Going back, drift and evidence beside the verdict: the same in status, line, JSON, summary."""

import msgspec
import pytest

from canary.rollout.change.change import Guard, Portion
from canary.rollout.decision.readiness import RollbackFacts, judge_readiness
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.notices import (
    NOT_POSSIBLE,
    brief_going_back,
    format_drift,
    format_drift_remedy,
    format_going_back,
)
from canary.rollout.snapshot.snapshot import ChangeView, Drift, TrafficView
from canary.rollout.snapshot.status import status_document, status_line
from tests.rollout.build import NOW, PLAN, record, snapshot
from tests.widgets.evidence_scenes import VIEW
from tui.pages.summary import summarize

WAY = RollbackFacts(
    target="ion-api",
    revision="ion-api-00001-leg",
    revision_ready=True,
    missing_rights=(),
    scale=ScalePreset(1, 10),
)
DENIED = judge_readiness(
    msgspec.structs.replace(WAY, missing_rights=("run.services.update on ion-api",))
)
DRIFT = Drift(10, 30, "terraform@ci")


def drifted(**changes: object) -> TrafficView:
    base = TrafficView(30, record(), drift=DRIFT, guard=Guard("ion-api", "e", 30))
    return msgspec.structs.replace(base, **changes)


def test_every_surface_says_that_a_rollback_is_not_possible_and_why() -> None:
    moment = snapshot(readiness=DENIED)
    brief = "✗ rollback not possible: permission missing"
    assert brief in status_line(moment, PLAN)
    assert brief in summarize(moment, PLAN, NOW)
    assert "roles/run.developer" in summarize(moment, PLAN, NOW)
    assert format_going_back(DENIED).startswith(f"{brief}. The right to change it is missing: run.")
    assert status_document(moment)["readiness"]["state"] == "impossible"


def test_a_rollback_that_is_possible_is_said_and_what_nobody_asked_is_not() -> None:
    assert format_going_back(judge_readiness(WAY)) == "✓ rollback ready"
    assert format_going_back(None) == brief_going_back(None) == ""
    unknown = judge_readiness(msgspec.structs.replace(WAY, missing_rights=None))
    assert format_going_back(unknown).startswith("? rollback: ")


@pytest.mark.parametrize("check", judge_readiness(WAY).checks, ids=lambda check: check.id)
def test_each_check_has_its_few_words(check) -> None:
    assert NOT_POSSIBLE[check.id]


@pytest.mark.parametrize(
    ("traffic", "remedy"),
    [
        (drifted(), "`canary adopt` or `canary revert`"),
        (drifted(served_percent=30), "`canary adopt` or `canary revert`"),
        (drifted(drift=Drift(10, 10, plan_has="15 % at stage 2")), "`canary adopt`"),
        (drifted(reconciling=True), "wait until what was changed has settled, then look again"),
        (
            drifted(served_percent=30, pinned=("ion-api-00001-leg",)),
            "`canary adopt` or `canary revert`; ",
        ),
        # What is set and does not serve is nothing to take over.
        (drifted(served_percent=10, pinned=("ion-api-00001-leg",)), "`canary revert`; "),
        (drifted(others=(Portion("ion-api-00009-x", 5),)), "`canary revert`; Roll back all leaves"),
    ],
)
def test_the_remedy_of_a_drift_is_one_that_works(traffic: TrafficView, remedy: str) -> None:
    moment = snapshot(traffic=traffic)
    said = format_drift_remedy(moment)
    assert said.startswith(remedy)
    assert said == remedy or remedy.endswith(("; ", "leaves"))
    assert status_document(moment)["drift"]["remedy"] == said
    assert said in format_drift(moment)
    assert said in summarize(moment, PLAN, NOW)


def test_a_drift_waits_for_the_change_that_is_in_flight() -> None:
    going = ChangeView("c", "promote", "promote to 25 %", "oncall@bastion", NOW)
    moment = snapshot(traffic=drifted(), changes=(going,))
    assert format_drift_remedy(moment) == "wait until promote to 25 % by oncall@bastion has ended"
    assert "DRIFT" in status_line(moment, PLAN)
    assert "adopt" not in status_line(moment, PLAN)


def test_the_line_names_the_commands_of_a_drift() -> None:
    assert "DRIFT: adopt or revert" in status_line(snapshot(traffic=drifted()), PLAN)
    assert "DRIFT" not in status_line(snapshot(), PLAN)
    assert status_document(snapshot())["drift"] is None


def test_the_summary_has_the_comparison() -> None:
    text = summarize(snapshot(evidence=VIEW), PLAN, NOW)
    assert "evidence: 5xx: proven worse at 14:18:00Z" in text
    assert "evidence" not in summarize(snapshot(), PLAN, NOW)
