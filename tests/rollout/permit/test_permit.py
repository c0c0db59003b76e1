"""Permits: a promotion needs every gate; going back is never refused for lack of numbers."""

from pathlib import Path

import msgspec
import pytest

from canary.rollout.change import moves
from canary.rollout.change.change import (
    Author,
    Change,
    ChangeEvidence,
    Guard,
    Outcome,
    Request,
    Standing,
)
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.decision.gates import Gate
from canary.rollout.decision.tree import Decision
from canary.rollout.errors import Conflict, GateNotMet, IllegalTransition, ReadOnly, UsageError
from canary.rollout.measure.samples import Window
from canary.rollout.permit.permit import (
    RETIRED,
    authorize,
    authorize_intent,
    promotion_gates,
    why_not,
)
from canary.rollout.plan.file import load_plan
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.snapshot import (
    ChangeView,
    Drift,
    SideView,
    Snapshot,
    StageView,
    TrafficView,
)

PLAN = load_plan(Path(__file__).resolve().parents[3] / "canary.toml")
NOW = 1000.0
GUARD = Guard("ion-api", "e1", 10)
MET = Gate("error_ratio", "error ratio", 0.001, "≤", 0.015, "met")
SOAKING = Gate("soak_hours", "soak", 3.0, "≥", 24.0, "not_met")
BLIND = Gate("p95_ms", "p95", None, "≤", 18_000.0, "no_data")
AUTHOR = Author("oncall", "bastion")


def snapshot(
    *, stage=2, percent=10, gates=(MET,), verdict="continue", data="ok", drift=None, in_flight=()
) -> Snapshot:
    guard = msgspec.structs.replace(GUARD, percent=percent)
    record = StageRecord(stage, percent, 0.0)
    side = SideView("s", Window(0.0, NOW), Window(0.0, NOW), data)
    return Snapshot(
        rollout="r",
        provider="local",
        project="p",
        region="r",
        as_of=NOW,
        window_s=300.0,
        stage=StageView(stage, "2", percent),
        traffic=TrafficView(percent, record, drift=drift, guard=guard),
        legacy=side,
        canary=side,
        decision=Decision(verdict, (), "", data),
        gates=gates,
        changes=in_flight,
        standing=Standing(stage, percent, guard, record),
    )


def ask(kind: str, snap: Snapshot, **fields) -> Change:
    request = Request("c1", AUTHOR, NOW, **fields)
    standing = snap.standing
    if kind == "scale":
        return moves.scale(PLAN, standing, request, "canary", ScalePreset(1, 10))
    return getattr(moves, kind)(PLAN, standing, request)


def test_a_promotion_passes_with_every_gate_met():
    snap = snapshot()
    authorize(ask("promote", snap), snap, read_only=False)
    assert why_not("promote", snap, False) is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"gates": (MET, SOAKING)}, "soak"),
        ({"gates": (BLIND,)}, "p95"),
        ({"gates": (BLIND, SOAKING)}, r"p95 .*soak"),
        ({"verdict": "watch"}, "thresholds OK"),
        ({"verdict": "no_data"}, "thresholds OK"),
        ({"verdict": "rollback_all"}, "thresholds OK"),
        ({"data": "stale"}, "thresholds OK"),
        ({"data": "thin"}, "thresholds OK"),
        ({"data": "missing"}, "thresholds OK"),
        ({"data": "masked"}, "thresholds OK"),
        ({"stage": 0, "percent": 0, "gates": (), "verdict": "watch"}, "thresholds OK"),
    ],
)
def test_a_promotion_is_refused_and_every_reason_is_named(fields, named):
    snap = snapshot(**fields)
    with pytest.raises(GateNotMet, match=named):
        authorize(ask("promote", snap), snap, read_only=False)
    assert why_not("promote", snap, False).startswith("Blocked")


def test_a_proven_regression_forbids_a_promotion_unless_it_is_forced_with_a_reason():
    why = "Canary is proven to be worse: 5xx at 14:18:00Z"
    closed = Gate("regression", "no proven regression", 0.0, "=", 1.0, "not_met", why, False)
    base = snapshot()
    snap = msgspec.structs.replace(base, gates=(*base.gates, closed))
    with pytest.raises(GateNotMet, match="no proven regression"):
        authorize(ask("promote", snap), snap, read_only=False)
    assert why_not("promote", snap, False) == "Blocked: no proven regression."
    authorize(ask("promote", snap, reason="a known client"), snap, read_only=False, force=True)
    authorize(ask("rollback_all", snap), snap, read_only=False)


def test_entering_stage_1_asks_for_no_data():
    snap = snapshot(stage=0, percent=0, gates=(), verdict="no_data", data="thin")
    authorize(ask("promote", snap), snap, read_only=False)
    assert promotion_gates(snap) == ()


def test_gates_are_overridden_with_a_reason_only():
    snap = snapshot(gates=(SOAKING,), data="stale")
    authorize(ask("promote", snap, forced=True, reason="hotfix"), snap, read_only=False)
    with pytest.raises(UsageError, match="reason"):
        authorize(ask("promote", snap, forced=True, reason=" "), snap, read_only=False)


@pytest.mark.parametrize("kind", ["step_back", "rollback_all"])
@pytest.mark.parametrize(
    "fields",
    [
        {"data": "missing", "verdict": "no_data", "gates": (BLIND,)},
        {"data": "stale", "verdict": "no_data"},
        {"drift": Drift(10, 10)},
        {"in_flight": (ChangeView("c0", "promote", "promote", "other@host", 0.0),)},
    ],
)
def test_going_back_is_never_refused_for_lack_of_numbers(kind, fields):
    snap = snapshot(**fields)
    authorize(ask(kind, snap), snap, read_only=False)
    assert why_not(kind, snap, False) is None


@pytest.mark.parametrize("kind", ["step_back", "rollback_all"])
def test_nobody_is_sent_back_to_a_legacy_that_was_retired(kind):
    here = snapshot(stage=5, percent=100)
    asked = ask(kind, here)
    gone = msgspec.structs.replace(here, retired=True)
    assert why_not(kind, here, read_only=False) is None
    assert why_not(kind, gone, read_only=False) == RETIRED
    with pytest.raises(IllegalTransition, match="retired"):
        authorize(asked, gone, read_only=False)


@pytest.mark.parametrize("kind", ["promote", "step_back", "rollback_all", "scale"])
def test_read_only_refuses_everything(kind):
    snap = snapshot()
    with pytest.raises(ReadOnly):
        authorize(ask(kind, snap, forced=True, reason="x"), snap, read_only=True)
    assert why_not(kind, snap, True) == "This console is read-only."


@pytest.mark.parametrize(
    ("kind", "guard"),
    [
        ("promote", Guard("ion-api", "e2", 10)),
        ("promote", Guard("ion-api", "e1", 25)),
        ("step_back", Guard("ion-api", "e1", 25)),
        ("rollback_all", Guard("ion-api", "e1", 25)),
    ],
)
def test_what_was_decided_on_another_split_is_refused(kind, guard):
    snap = snapshot()
    change = ask(kind, snap, forced=True, reason="x")
    traffic = msgspec.structs.replace(snap.traffic, guard=guard, last_modifier="eve@example.com")
    with pytest.raises(Conflict, match=r"eve@example\.com"):
        authorize(change, msgspec.structs.replace(snap, traffic=traffic), read_only=False)


@pytest.mark.parametrize("kind", ["step_back", "rollback_all"])
def test_a_touch_of_anything_but_the_split_does_not_hinder_going_back(kind):
    snap = snapshot()
    traffic = msgspec.structs.replace(snap.traffic, guard=Guard("ion-api", "e2", 10))
    touched = msgspec.structs.replace(snap, traffic=traffic)
    authorize(ask(kind, snap), touched, read_only=False)


def test_a_promotion_over_drift_is_refused_even_by_force():
    snap = snapshot(drift=Drift(10, 15))
    with pytest.raises(Conflict, match="changed elsewhere"):
        authorize(ask("promote", snap, forced=True, reason="x"), snap, read_only=False)


@pytest.mark.parametrize("kind", ["promote", "scale"])
def test_what_is_not_urgent_waits_for_the_change_in_flight(kind):
    flying = ChangeView("c0", "promote", "10 % → 25 %", "other@host", 0.0)
    snap = snapshot(in_flight=(flying,))
    with pytest.raises(Conflict, match="10 % → 25 %, other@host"):
        authorize(ask(kind, snap), snap, read_only=False)
    assert "in flight" in why_not(kind, snap, False)


def test_a_settled_change_and_the_change_itself_are_not_in_the_way():
    settled = ChangeView("c0", "promote", "t", "a", 0.0, outcome=Outcome("done", "", 1.0))
    itself = ChangeView("c1", "promote", "t", "a", 0.0)
    snap = snapshot(in_flight=(itself, settled))
    authorize(ask("promote", snap), snap, read_only=False)


@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        ("promote", {"stage": 5, "percent": 100, "gates": ()}, "last"),
        ("step_back", {"stage": 1, "percent": 5}, "no stage before"),
        ("rollback_all", {"stage": 0, "percent": 0, "gates": ()}, "already"),
        ("adopt", {}, "what the record says"),
        ("revert", {}, "what the record says"),
        ("promote", {"drift": Drift(10, 15)}, "adopt or revert"),
    ],
)
def test_a_key_that_leads_nowhere_says_why(kind, fields, reason):
    assert reason in why_not(kind, snapshot(**fields), False)


def test_nothing_can_be_done_before_cloud_run_has_answered():
    assert "not answered" in why_not("rollback_all", None, False)
    unknown = msgspec.structs.replace(snapshot(), standing=None)
    assert "not answered" in why_not("rollback_all", unknown, False)


def test_an_intent_carries_its_own_evidence():
    snap = snapshot()
    unmet = ChangeEvidence(gates_unmet=("soak",))
    authorize_intent(ask("promote", snap))
    authorize_intent(ask("rollback_all", snap, evidence=unmet))
    authorize_intent(ask("promote", snap, evidence=unmet, forced=True, reason="hotfix"))
    with pytest.raises(GateNotMet, match="soak"):
        authorize_intent(ask("promote", snap, evidence=unmet))
    with pytest.raises(UsageError):
        authorize_intent(ask("promote", snap, forced=True))
    with pytest.raises(ReadOnly):
        authorize_intent(ask("promote", snap), read_only=True)


def test_everybody_off_can_be_asked_again_while_what_is_set_may_not_be_served():
    calm = snapshot(stage=0, percent=0, gates=())
    assert why_not("rollback_all", calm, False) == "All traffic is on Legacy already."
    in_doubt = msgspec.structs.replace(calm.traffic, ready=False)
    shown = msgspec.structs.replace(calm, traffic=in_doubt)
    assert why_not("rollback_all", shown, False) is None


@pytest.mark.parametrize("fields", [{"reconciling": True}, {"ready": False}])
def test_a_promotion_waits_for_the_last_change_to_be_in_effect(fields):
    calm = snapshot()
    traffic = msgspec.structs.replace(calm.traffic, **fields)
    shown = msgspec.structs.replace(calm, traffic=traffic)
    assert why_not("promote", calm, False) is None
    assert why_not("promote", shown, False) == "Blocked: last change in effect."
    assert why_not("step_back", shown, False) is None


@pytest.mark.parametrize(
    ("move", "why", "asks"),
    [
        ("step_back", "automatic rollback: error ratio 9 %", True),
        ("rollback_all", "automatic rollback: p95 31 s", True),
        ("step_back", "a person saw errors", False),
        ("promote", "automatic rollback: is cited", False),
    ],
)
def test_after_an_automatic_rollback_a_promotion_says_what_it_was_and_takes_a_reason(
    move, why, asks
):
    snap = snapshot()
    record = msgspec.structs.replace(snap.traffic.record, move=move, reason=why)
    traffic = msgspec.structs.replace(snap.traffic, record=record)
    snap = msgspec.structs.replace(snap, traffic=traffic)
    authorize(ask("promote", snap, reason="mended in #12"), snap, read_only=False)
    if asks:
        with pytest.raises(GateNotMet, match=f"The last move was an {why}"):
            authorize(ask("promote", snap), snap, read_only=False)
    else:
        authorize(ask("promote", snap), snap, read_only=False)
