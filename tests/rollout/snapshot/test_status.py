"""The contract of `canary status --json`, its schema in docs/, the one line and the exit code."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from canary.rollout.decision.readiness import RollbackFacts, judge_readiness
from canary.rollout.decision.tree import Alert, DataState, Verdict, Watch
from canary.rollout.evidence.view import Advice, Tier
from canary.rollout.measure.samples import Window
from canary.rollout.snapshot.snapshot import (
    ChangeView,
    Drift,
    OperatorSession,
    Presence,
    Snapshot,
    SourceView,
    StageView,
    TrafficView,
)
from canary.rollout.snapshot.status import exit_code, status_document, status_line
from tests.rollout.build import EMPTY, NOW, PLAN, record, snapshot, window
from tests.widgets.evidence_scenes import VIEW

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "docs" / "status.schema.json").read_text()
)


def closed(schema: Any) -> Any:
    """The schema without room for keys it does not name: a typo must not pass as an addition."""
    if isinstance(schema, dict):
        inner = {key: closed(value) for key, value in schema.items()}
        return {**inner, "additionalProperties": False} if "properties" in inner else inner
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


VALIDATOR = Draft202012Validator(closed(SCHEMA))
OVERDUE = Watch(since=NOW - 4000, warning=True, overdue=True)

SCENES: dict[str, Snapshot] = {
    "healthy": snapshot(),
    "watch": snapshot(window(error_ratio=0.03), watch=Watch(since=NOW - 600, warning=True)),
    "overdue": snapshot(window(error_ratio=0.03), watch=OVERDUE),
    "critical": snapshot(window(error_ratio=0.08)),
    "thin": snapshot(window(requests=5), "thin"),
    "stale": snapshot(window(newest_at=NOW - 900), "stale"),
    "nothing measured": snapshot(EMPTY, "missing"),
    "nothing known": msgspec.structs.replace(
        snapshot(EMPTY, "missing"),
        stage=StageView(None, "not known", None),
        traffic=TrafficView(canary_percent=None),
        gates=(),
        sources=(SourceView("Cloud Run", "failing", "not reachable", NOW - 60),),
    ),
    "drift": snapshot(traffic=TrafficView(30, record(2), drift=Drift(10, 30, "someone", NOW))),
    "no record": snapshot(traffic=TrafficView(10)),
    "roll back all": snapshot(stage=0, traffic=TrafficView(0, record(0))),
    "last stage": snapshot(stage=5, traffic=TrafficView(100, record(5), reconciling=True)),
    "rollback not possible": msgspec.structs.replace(
        snapshot(),
        readiness=judge_readiness(RollbackFacts("ion-api", exists=False, expected_s=12.0)),
        presence=Presence((OperatorSession(99, "oncall", "bastion-2", NOW, "guard", armed=True),)),
    ),
    "not a number": snapshot(window(cpu=math.nan, p99_ms=math.inf)),
}


@pytest.mark.parametrize("scene", SCENES)
def test_every_moment_fits_the_schema(scene: str) -> None:
    document = json.loads(json.dumps(status_document(SCENES[scene]), allow_nan=False))
    VALIDATOR.validate(document)


def test_the_way_back_and_who_would_act_are_told() -> None:
    document = status_document(SCENES["rollback not possible"])
    assert document["readiness"]["state"] == "impossible"
    assert document["readiness"]["checks"][2]["remedy"].startswith("Deploy a revision")
    by = [{"user": "oncall", "kind": "guard", "pid": 99}]
    assert document["guard"] == {"armed": True, "by": by}


def test_what_was_not_asked_is_not_known() -> None:
    document = status_document(SCENES["healthy"])
    assert document["readiness"] is None
    assert document["guard"] == {"armed": False, "by": []}


maybe_ratio = st.none() | st.floats(0, 1)
maybe_ms = st.none() | st.floats(0, 1e6)


@given(
    st.builds(
        window,
        requests=st.none() | st.integers(0, 10**6),
        error_ratio=maybe_ratio,
        success_ratio=maybe_ratio,
        p50_ms=maybe_ms,
        p95_ms=maybe_ms,
        p99_ms=maybe_ms,
        confidence=maybe_ratio,
        cpu=maybe_ratio,
        instances=st.none() | st.floats(0, 100),
        newest_at=st.none() | st.floats(NOW - 9000, NOW),
    ),
    st.sampled_from(get_args(DataState)),
    st.integers(0, 5),
    st.none() | st.integers(0, 100),
)
def test_any_moment_fits_the_schema(
    judged: Window, data: DataState, stage: int, share: int | None
) -> None:
    moment = snapshot(judged, data, stage=stage, traffic=TrafficView(share, record(stage)))
    VALIDATOR.validate(json.loads(json.dumps(status_document(moment), allow_nan=False)))


AGREED = {
    "": "rollout provider as_of window_s stage traffic sides decision gates alerts",
    "stage": "index name percent entered_at soak_hours soaked_hours",
    "traffic": "legacy canary recorded drift",
    "sides.canary": "requests error_ratio success_ratio latency_ms confidence cpu memory"
    " instances data_age_s",
    "sides.canary.latency_ms": "p50 p95 p99",
    "decision": "verdict path",
    "decision.path.0": "node observed limit outcome",
    "gates.0": "id observed limit state",
}


@pytest.mark.parametrize("path", AGREED)
def test_the_contract_has_the_keys_that_were_agreed(path: str) -> None:
    part: Any = status_document(SCENES["healthy"])
    for key in path.split(".") if path else ():
        part = part[int(key) if key.isdigit() else key]
    assert set(AGREED[path].split()) <= set(part)


def test_the_numbers_are_those_of_the_moment() -> None:
    document = status_document(SCENES["healthy"])
    assert document["as_of"] == "2026-03-01T14:03:22Z"
    assert document["window_s"] == 300.0
    assert document["traffic"] == {
        "legacy": 90,
        "canary": 10,
        "recorded": 10,
        "drift": False,
        "reconciling": False,
        "ready": None,
    }
    assert document["sides"]["canary"]["latency_ms"] == {"p50": 180.0, "p95": 610.0, "p99": 900.0}
    assert document["sides"]["legacy"]["requests"] == 9000
    assert document["decision"]["verdict"] == "continue"


def test_what_is_not_known_is_null_and_never_zero() -> None:
    document = status_document(SCENES["nothing known"])
    canary = document["sides"]["canary"]
    assert canary["requests"] is canary["error_ratio"] is canary["data_age_s"] is None
    assert canary["latency_ms"] == {"p50": None, "p95": None, "p99": None}
    assert document["stage"]["index"] is None
    assert document["traffic"]["legacy"] is document["traffic"]["drift"] is None


def test_drift_is_told_beside_what_is_recorded() -> None:
    traffic = status_document(SCENES["drift"])["traffic"]
    assert (traffic["canary"], traffic["recorded"], traffic["drift"]) == (30, 10, True)


def test_text_from_outside_is_plain() -> None:
    moment = snapshot(sources=(SourceView("Cloud Run", "failing", "\x1b[31mno\nway"),))
    assert status_document(moment)["sources"][0]["message"] == "no way"
    assert "\x1b" not in status_line(moment, PLAN)


FAILING = (SourceView("Cloud Monitoring", "failing", "quota", NOW),)


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (SCENES["healthy"], 0),
        (SCENES["watch"], 10),
        (SCENES["overdue"], 20),
        (SCENES["critical"], 20),
        (SCENES["thin"], 30),
        (SCENES["nothing measured"], 30),
        (SCENES["nothing known"], 3),
        (msgspec.structs.replace(SCENES["nothing measured"], sources=FAILING), 3),
        (msgspec.structs.replace(SCENES["critical"], sources=FAILING), 20),
        (msgspec.structs.replace(SCENES["healthy"], sources=FAILING), 0),  # still fresh
        (msgspec.structs.replace(SCENES["healthy"], traffic=TrafficView(None)), 3),
    ],
)
def test_the_exit_code_is_the_verdict_unless_the_cloud_failed(moment: Snapshot, code: int) -> None:
    assert exit_code(moment, PLAN) == code


@pytest.mark.parametrize(
    ("scene", "tier", "word", "code"),
    [
        ("healthy", "proven", "PROVEN WORSE", 20),
        ("nothing measured", "proven", "PROVEN WORSE", 20),
        ("healthy", "worse_now", "WATCH", 10),
        ("watch", "worse_now", "WATCH", 10),
    ],
)
def test_what_the_evidence_says_is_no_go_on(scene: str, tier: Tier, word: str, code: int) -> None:
    advice = Advice("advise", "5xx are worse", ("5xx",), NOW - 60, tier=tier)
    moment = msgspec.structs.replace(SCENES[scene], advice=advice)
    assert word in status_line(moment, PLAN)
    assert exit_code(moment, PLAN) == code


def test_a_limit_of_the_stage_alone_is_no_go_on() -> None:
    alert = Alert("error_ratio", "stage", 0.03, 0.02)
    moment = msgspec.structs.replace(SCENES["healthy"], alerts=(alert,))
    assert exit_code(moment, PLAN) == 10


def test_every_verdict_has_an_exit_code() -> None:
    codes = {verdict: _code_of(verdict) for verdict in get_args(Verdict)}
    assert codes == {
        "continue": 0,
        "watch": 10,
        "rollback_stage": 20,
        "rollback_all": 20,
        "no_data": 30,
    }


def _code_of(verdict: Verdict) -> int:
    moment = SCENES["healthy"]
    decided = msgspec.structs.replace(moment.decision, verdict=verdict)
    return exit_code(msgspec.structs.replace(moment, decision=decided), PLAN)


def test_the_line_tells_verdict_stage_share_figures_soak_and_age() -> None:
    assert status_line(SCENES["healthy"], PLAN) == (
        "✓ HEALTHY  stage 2  10 % ion-api-canary  err 0.30 %  p95 610 ms  soak 17 h / 24 h"
        "  120 s old  LOCAL CLOUD"
    )


@pytest.mark.parametrize(
    ("scene", "word"),
    [
        ("thin", "? TOO FEW REQUESTS"),
        ("stale", "? STALE"),
        ("nothing measured", "? SILENT"),
        ("nothing known", "? CANNOT SEE CLOUD RUN"),
    ],
)
def test_the_line_shows_no_figure_that_may_not_be_judged(scene: str, word: str) -> None:
    line = status_line(SCENES[scene], PLAN)
    assert line.startswith(word)
    assert "err no data  p95 no data" in line


def test_the_line_tells_drift_failing_sources_and_what_is_in_flight() -> None:
    moment = msgspec.structs.replace(
        SCENES["drift"],
        sources=FAILING,
        changes=(ChangeView("c", "rollback_all", "roll back all", "oncall@bastion", NOW),),
    )
    line = status_line(moment, PLAN)
    assert "30 % (recorded 10 %)" in line
    assert "Cloud Monitoring failing" in line
    assert "rollback all in flight" in line
    assert "\n" not in line


def test_the_line_doubts_a_share_that_may_not_be_served() -> None:
    failed = snapshot(traffic=TrafficView(0, record(0), ready=False))
    assert "0 % (may not be served)" in status_line(failed, PLAN)


def test_both_tiers_are_in_the_document_and_on_the_line() -> None:
    base = snapshot()
    proven = msgspec.structs.replace(base, evidence=VIEW)
    document = status_document(proven)
    VALIDATOR.validate(document)
    errors = document["evidence"]["metrics"][0]
    assert (document["evidence"]["verdict"], errors["verdict"]) == ("rollback", "rollback")
    assert errors["proven_at"].endswith("14:18:00Z")
    assert "✗ 5xx proven worse 14:18:00Z" in status_line(proven, PLAN)
    metric = msgspec.structs.replace(
        VIEW.metrics[0], verdict="worse_now", detected_at=None, worse_at=VIEW.began_at
    )
    worse = msgspec.structs.replace(VIEW, metrics=(metric,))
    line = status_line(msgspec.structs.replace(base, evidence=worse), PLAN)
    assert "◐ 5xx worse now" in line
    assert "proven" not in line
    assert "worse" not in status_line(base, PLAN)
    away = msgspec.structs.replace(VIEW, away_since=VIEW.began_at)
    assert ", not compared since " in status_line(
        msgspec.structs.replace(base, evidence=away), PLAN
    )
