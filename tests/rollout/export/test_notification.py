"""Notifications: what is sent, and that nothing in it calls or colours."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from canary.rollout.change.change import Outcome
from canary.rollout.change.moves import promote, rollback_all
from canary.rollout.decision.tree import SEVERITY, Verdict
from canary.rollout.evidence.tally import Part, Toll
from canary.rollout.evidence.view import Advice
from canary.rollout.export.notification import (
    change_notice,
    evidence_notice,
    judged_verdict,
    outcome_notice,
    place_of,
    slack_document,
    verdict_notice,
)
from canary.rollout.permit.approval import evidence_of
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.snapshot import SourceView, TrafficView
from tests.rollout.build import EMPTY, NOW, PLAN, decision, request, snapshot, standing, window
from tests.widgets.evidence_scenes import ADVICE, VIEW

PLACE = place_of(PLAN.name, "naeda-genesis", "gcp")
BAD = window(error_ratio=0.08)


def test_a_change_says_what_who_why_and_on_which_numbers() -> None:
    asked = request(reason="soaked", evidence=evidence_of(snapshot(), NOW))
    notification = change_notice(promote(PLAN, standing(2), asked), PLACE)
    assert notification.text == (
        "ion-api → ion-api-canary (naeda-genesis): promote, Canary 10 % → 25 %, stage 2 → 3"
    )
    facts = dict(notification.facts)
    assert (facts["by"], facts["why"]) == ("oncall@bastion-2", "soaked")
    assert facts["on"] == "continue: error 0.30 %, p95 610 ms, 1 000 requests"


def test_a_forced_change_names_the_gates() -> None:
    asked = request(reason="x", forced=True, evidence=evidence_of(snapshot(), NOW))
    notification = change_notice(promote(PLAN, standing(2), asked), PLACE)
    assert notification.text.endswith("(forced)")
    assert dict(notification.facts)["gates not met"] == "soak_hours"


def test_leaving_production_names_the_scale_too() -> None:
    change = rollback_all(PLAN, standing(5, scale_legacy=ScalePreset(0, 1)), request())
    assert change_notice(change, PLACE).text.endswith("ion-api 1 to 10 instances")


def test_the_embedded_cloud_says_that_it_is_one() -> None:
    assert place_of(PLAN.name, "naeda-genesis", "local").endswith("(LOCAL CLOUD)")


@pytest.mark.parametrize(
    ("state", "tone", "always"),
    [
        ("done", "good", True),
        ("unknown", "critical", True),
        ("failed", "critical", False),
        ("refused", "warning", False),
        ("not_begun", "warning", False),
        ("abandoned", "warning", False),
    ],
)
def test_an_outcome_says_how_it_ended_and_the_same_failure_is_not_always_news(
    state: Any, tone: str, always: bool
) -> None:
    change = promote(PLAN, standing(2), request())
    notification = outcome_notice(change, Outcome(state, "So it was.", NOW, remedy="Look."), PLACE)
    assert (notification.tone, notification.key == "") == (tone, always)
    assert state.replace("_", " ") in notification.text
    assert dict(notification.facts)["outcome"] == "So it was. Look."


@pytest.mark.parametrize("before", list(SEVERITY))
def test_only_a_turn_for_the_worse_is_told(before: Verdict) -> None:
    now = snapshot(BAD)
    notification = verdict_notice(before, now, PLAN, PLACE)
    assert (notification is not None) == (SEVERITY[before] < SEVERITY["rollback_all"])


def test_a_turn_says_verdict_stage_share_reason_and_numbers() -> None:
    notification = verdict_notice("continue", snapshot(BAD), PLAN, PLACE)
    assert notification is not None
    assert (notification.key, notification.tone) == ("verdict rollback_all", "critical")
    assert (
        "✗ ROLL BACK ALL (was HEALTHY), stage 2, 10 % Canary: error ratio 8.00 % > 5 %"
        in notification.text
    )
    assert "NEXT roll back all. YOU: canary rollback --all" in notification.text
    facts = dict(notification.facts)
    assert facts["error ratio"] == "8.00 %"
    assert facts["decision tree"].startswith("error ratio beyond")


def test_a_verdict_is_told_of_only_where_there_is_something_to_judge() -> None:
    never = (SourceView("Cloud Monitoring", "never"),)
    assert judged_verdict(snapshot()) == "continue"
    assert judged_verdict(snapshot(EMPTY, "missing")) == "no_data"
    assert judged_verdict(snapshot(EMPTY, "masked")) is None
    assert judged_verdict(snapshot(EMPTY, "missing", sources=never)) is None
    for percent in (0, None):
        assert judged_verdict(snapshot(EMPTY, "missing", traffic=TrafficView(percent))) is None


def test_slacks_document_has_text_colour_and_fields() -> None:
    document = slack_document(change_notice(promote(PLAN, standing(2), request()), PLACE))
    (attachment,) = document["attachments"]
    assert document["text"] == attachment["fallback"]
    assert attachment["color"].startswith("#")
    assert attachment["fields"][0] == {
        "title": "by",
        "value": "oncall@bastion-2",
        "short": True,
    }


def test_text_from_outside_calls_nobody() -> None:
    change = promote(PLAN, standing(2), request(reason="<!channel> & \x1b[31mred"))
    document = slack_document(change_notice(change, PLACE))
    values = {f["title"]: f["value"] for f in document["attachments"][0]["fields"]}
    assert values["why"] == "&lt;!channel&gt; &amp; red"


def test_a_missing_number_is_no_zero() -> None:
    unknown = msgspec.structs.replace(snapshot(EMPTY, "missing"), decision=decision(BAD))
    notification = verdict_notice("continue", unknown, PLAN, PLACE)
    assert notification is not None
    assert dict(notification.facts)["p95"] == "no data"


def test_a_proof_is_told_apart_from_worse_now() -> None:
    base = snapshot()
    proven = msgspec.structs.replace(base, evidence=VIEW, advice=ADVICE)
    told = evidence_notice(proven, "here")
    assert told is not None
    assert (told.key, told.tone) == ("proven 5xx", "critical")
    assert "Canary is proven to be worse: 5xx at 14:18:00Z" in told.text
    assert "until the split changes or somebody dismisses it" in told.text
    metric = msgspec.structs.replace(
        VIEW.metrics[0], verdict="worse_now", detected_at=None, worse_at=NOW - 60
    )
    view = msgspec.structs.replace(VIEW, metrics=(metric,))
    advice = Advice("advise", "Canary is worse now: 5xx", ("5xx",), NOW - 60, "worse_now")
    told = evidence_notice(msgspec.structs.replace(base, evidence=view, advice=advice), "here")
    assert told is not None
    assert (told.key, told.tone) == ("worse now 5xx", "warning")
    assert "bursts of errors can fool" in told.text
    assert "proven" not in told.text
    assert evidence_notice(base, "here") is None


def test_a_worse_verdict_and_worse_evidence_say_what_it_has_cost() -> None:
    toll = Toll(Part(NOW - 600, NOW, 600, 20_000, 1_842, 100, 55))
    view = msgspec.structs.replace(VIEW, began_at=NOW - 600, failed=toll)
    worse = snapshot(BAD, evidence=view, advice=ADVICE)
    for notification in (
        verdict_notice("continue", worse, PLAN, PLACE),
        evidence_notice(worse, PLACE, PLAN),
    ):
        assert notification is not None
        said = dict(notification.facts)["impact"]
        assert "55 failed, 46 more than Legacy would have" in said
