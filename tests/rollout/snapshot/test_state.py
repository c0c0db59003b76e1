"""The one state: its word, cause, next and actor; the worst owns it; unknown is never well."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change.change import Guard, Outcome, OutcomeState
from canary.rollout.change.hold import Hold
from canary.rollout.decision.guard import GuardView
from canary.rollout.decision.readiness import RollbackFacts, judge_readiness
from canary.rollout.decision.tree import SEVERITY, Alert, Watch
from canary.rollout.evidence.interval import RatioInterval
from canary.rollout.evidence.view import Advice
from canary.rollout.snapshot.next_steps import find_next_steps
from canary.rollout.snapshot.snapshot import (
    ChangeView,
    Drift,
    OperatorSession,
    Presence,
    Snapshot,
    SourceView,
    TrafficView,
)
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import (
    COMMANDS,
    GLYPHS,
    TONES,
    WORDS,
    Actor,
    RolloutState,
    StateId,
    format_actor,
    format_state,
)
from tests.rollout.build import EMPTY, NOW, PLAN, record, snapshot, window
from tests.widgets.evidence_scenes import VIEW

CRITICAL = window(error_ratio=0.083)
WARNING = window(error_ratio=0.03)
ADVICE = Advice("advise", "a regression of Canary is proven: 5xx", ("5xx",), NOW - 300)
WORSE = Advice("advise", "Canary is worse now: 5xx", ("5xx",), NOW - 60, "worse_now")
IMPOSSIBLE = judge_readiness(RollbackFacts("ion-api", exists=False, expected_s=12.0))


def changed(state: OutcomeState | None, **fields: Any) -> ChangeView:
    outcome = None if state is None else Outcome(state, "it was refused", NOW - 30)
    title, asked_at = "promote to 25 %", NOW - 60
    return ChangeView("c1", "promote", title, "eve", asked_at, outcome=outcome, **fields)


def with_(base: Snapshot, **fields: object) -> Snapshot:
    return msgspec.structs.replace(base, **fields)


MET = tuple(msgspec.structs.replace(g, state="met") for g in snapshot().gates)
AWAY = (SourceView("Cloud Run", "failing", "not reachable", NOW - 60),)

SCENES: dict[StateId, Snapshot] = {
    "held": with_(snapshot(), hold=Hold(NOW + 3600, "the database moves", "bob")),
    "roll_back_all": snapshot(CRITICAL),
    "roll_back_stage": snapshot(WARNING, watch=Watch(NOW - 4000, warning=True, overdue=True)),
    "rollback_not_possible": with_(snapshot(), readiness=IMPOSSIBLE),
    "unknown_outcome": with_(snapshot(), changes=(changed("unknown"),)),
    "failed": with_(snapshot(), changes=(changed("failed"),)),
    "cannot_see": with_(snapshot(), sources=AWAY),
    "in_progress": with_(snapshot(), changes=(changed(None, step="sent"),)),
    "drift": snapshot(traffic=TrafficView(30, record(2), drift=Drift(10, 30, "someone", NOW))),
    "silent": snapshot(EMPTY, "missing"),
    "stale": snapshot(window(newest_at=NOW - 900), "stale"),
    "proven_worse": with_(snapshot(), advice=ADVICE),
    "watch": snapshot(WARNING, watch=Watch(NOW - 600, warning=True)),
    "settling": snapshot(window(), "masked"),
    "thin": snapshot(window(requests=5), "thin"),
    "off": snapshot(stage=0, traffic=TrafficView(0, record(0))),
    "healthy": snapshot(),
    "ready": with_(snapshot(), gates=MET),
}


@pytest.mark.parametrize("state", list(SCENES))
def test_each_state_has_its_scene_word_cause_and_next(state: StateId) -> None:
    found = find_state(SCENES[state], PLAN)
    assert found.id == state
    assert found.word == WORDS[state]
    assert found.cause
    assert found.next
    assert len(found.glyph) == 1


def test_a_critical_limit_says_number_limit_and_key() -> None:
    found = find_state(SCENES["roll_back_all"], PLAN)
    assert found.cause == "error ratio 8.30 % > 5 %, ×28 of Legacy"
    assert (found.next, found.actor) == ("roll back all", Actor("you", "rollback_all"))


def test_since_when_the_verdict_holds_is_said() -> None:
    found = find_state(with_(SCENES["roll_back_all"], verdict_since=NOW - 60), PLAN)
    assert found.cause.endswith(", since 14:02:22Z")


def test_a_countdown_for_a_limit_of_the_stage_is_a_rollback_though_the_tree_goes_on() -> None:
    counting = GuardView(armed=True, cause="stage limit", kind="step_back", left_s=43.0)
    found = find_state(with_(snapshot(), guard=counting), PLAN)
    assert (found.id, found.actor.kind) == ("roll_back_stage", "auto")
    other = OperatorSession(9, "bob", "b", NOW, "guard", armed=True, due_at=NOW + 9, cause="p95")
    found = find_state(with_(snapshot(), presence=Presence((other,))), PLAN)
    assert (found.id, found.cause, found.actor) == (
        "roll_back_all",
        "p95",
        Actor("auto", "rollback_all", who="bob"),
    )


def test_a_limit_of_the_stage_that_is_passed_is_watched_never_healthy() -> None:
    alert = Alert("error_ratio", "stage", 0.03, 0.02)
    found = find_state(with_(snapshot(), alerts=(alert,)), PLAN)
    assert found.id == "watch"
    assert found.cause == "stage limit: error ratio 3.00 % > 2 %, ×10 of Legacy"


def test_a_failed_verification_is_failed_never_healthy() -> None:
    found = find_state(with_(snapshot(), gates=MET), PLAN, "verification not passed: no answer")
    assert (found.id, found.cause) == ("failed", "verification not passed: no answer")
    assert find_state(SCENES["roll_back_all"], PLAN, "x").id == "roll_back_all"
    assert find_state(SCENES["watch"], PLAN, "x").id == "failed"


def test_held_takes_the_place_of_ready_and_no_more() -> None:
    hold = Hold(NOW + 600, "a sale", "eve")
    found = find_state(with_(SCENES["ready"], hold=hold), PLAN)
    assert (found.id, "a sale" in found.cause, "eve" in found.actor.who) == ("held", True, True)
    assert find_state(with_(SCENES["watch"], hold=hold), PLAN).id == "watch"


def test_where_no_stage_has_the_share_it_is_reverted_not_adopted() -> None:
    found = find_state(SCENES["drift"], PLAN)
    assert (found.next, found.actor.action) == ("no stage has that: revert it", "revert")
    plans = snapshot(traffic=TrafficView(10, record(2), drift=Drift(10, 10, plan_has="25 %")))
    assert find_state(plans, PLAN).cause == "the plan has 25 %, the record says 10 %"


def test_a_record_that_cannot_be_read_is_never_healthy() -> None:
    unread = snapshot(traffic=TrafficView(10, record_error="The record is damaged."))
    assert find_state(unread, PLAN).id == "drift"


def test_who_acts_is_said_with_key_time_or_name() -> None:
    keys = {"rollback_all": "R y", "cancel_guard": "c"}
    assert format_actor(Actor("you", "rollback_all"), keys) == "YOU: R y"
    assert format_actor(Actor("auto", "", left_s=50.0), keys, 43.0) == "AUTO in 43 s, c stops it"
    assert format_actor(Actor("running", who="eve"), keys) == "RUNNING: eve"
    assert format_actor(Actor("other", who="eve"), keys) == "OTHER: eve"
    barred = format_actor(Actor("you", "rollback_all"), keys, barred="read-only")
    assert barred == "OTHER: not from here, read-only"
    assert format_actor(Actor("you", "look_up"), COMMANDS) == "YOU: canary recover"


def test_the_shell_says_the_whole_row() -> None:
    assert format_state(find_state(SCENES["roll_back_all"], PLAN)) == (
        "✗ ROLL BACK ALL  error ratio 8.30 % > 5 %, ×28 of Legacy  NEXT roll back all"
        "  YOU: canary rollback --all"
    )


def test_while_automatic_rollback_counts_it_acts() -> None:
    counting = GuardView(armed=True, by="eve", left_s=43.0)
    found = find_state(with_(SCENES["roll_back_all"], guard=counting), PLAN)
    assert found.actor == Actor("auto", "rollback_all", left_s=43.0)


def test_while_a_rollback_is_carried_out_it_is_running() -> None:
    going = with_(SCENES["roll_back_all"], changes=(changed(None),))
    assert find_state(going, PLAN).actor.kind == "running"


def test_the_worst_owns_it() -> None:
    both = with_(SCENES["drift"], decision=SCENES["roll_back_all"].decision)
    assert find_state(both, PLAN).id == "roll_back_all"
    assert find_state(with_(SCENES["drift"], readiness=IMPOSSIBLE), PLAN).id == (
        "rollback_not_possible"
    )


def test_worse_now_is_watched_and_said_to_be_no_proof() -> None:
    found = find_state(with_(snapshot(), advice=WORSE), PLAN)
    assert (found.id, "not proven" in found.next) == ("watch", True)


def test_a_failure_that_was_dismissed_is_over() -> None:
    gone = with_(snapshot(), changes=(changed("failed", acknowledged=True),))
    assert find_state(gone, PLAN).id == "healthy"


def test_at_0_percent_without_data_it_is_off_and_no_outage() -> None:
    off = with_(snapshot(EMPTY, "missing", stage=0, traffic=TrafficView(0, record(0))))
    assert find_state(off, PLAN).id == "off"


def test_a_verdict_without_data_is_never_well_though_the_window_is_fresh() -> None:
    unknown = msgspec.structs.replace(snapshot().decision, verdict="no_data", reason="p95: no data")
    assert find_state(with_(snapshot(), decision=unknown), PLAN).id == "silent"


def test_a_split_that_is_not_known_is_said() -> None:
    unknown = with_(snapshot(), traffic=TrafficView(None))
    assert find_state(unknown, PLAN).id == "cannot_see"


def test_the_words_tones_and_glyphs_are_of_the_same_states() -> None:
    assert set(WORDS) == set(TONES) == set(SCENES)
    assert set(GLYPHS) == set(TONES.values())
    assert len(set(WORDS.values())) == len(WORDS)


@given(st.sampled_from(list(SCENES)), st.sampled_from(list(SCENES)))
def test_no_mixture_with_something_wrong_is_healthy_or_ready(one: StateId, other: StateId) -> None:
    """Whatever two scenes say at once, the worse of both owns the state."""
    first, second = SCENES[one], SCENES[other]
    both = with_(
        first,
        decision=max((first, second), key=_severity).decision,
        readiness=first.readiness or second.readiness,
        changes=first.changes or second.changes,
        sources=first.sources or second.sources,
        advice=first.advice or second.advice,
        hold=first.hold or second.hold,
    )
    found: RolloutState = find_state(both, PLAN)
    if {one, other} - {"healthy", "ready"} and both.traffic.canary_percent:
        wrong = {one, other} - {"healthy", "ready", "off", "drift", "settling", "thin", "stale"}
        if wrong - {"silent"}:
            assert found.id not in ("healthy", "ready")


def test_what_is_proven_stands_above_numbers_that_are_missing_old_or_thin() -> None:
    """The request log proves it while Cloud Monitoring is away: the worst state owns the row."""
    advice = Advice("advise", "a regression of Canary is proven: 5xx", ("5xx",), NOW - 60)
    for name in ("stale", "silent", "thin"):
        found = find_state(with_(SCENES[name], advice=advice), PLAN)
        assert (found.id, found.actor.action) == ("proven_worse", "rollback_all"), name
        assert "5xx since" in found.cause
    old = find_state(with_(SCENES["stale"], advice=advice), PLAN)
    assert "the thresholds' newest data is" in old.cause


def _severity(moment: Snapshot) -> int:
    return SEVERITY[moment.decision.verdict]


def test_a_redeploy_and_session_affinity_are_said_in_the_row() -> None:
    settling = SCENES["settling"]
    stage = msgspec.structs.replace(settling.stage, redeployed="ion-api-canary-00009-ci")
    anew = find_state(with_(settling, stage=stage), PLAN)
    assert anew.cause.startswith("Canary was deployed anew (ion-api-canary-00009-ci)")
    sticky = msgspec.structs.replace(SCENES["healthy"].traffic, affinity=True)
    found = find_state(with_(SCENES["healthy"], traffic=sticky), PLAN)
    assert found.cause == "all thresholds OK; session affinity: no comparison"


def test_traffic_that_is_pinned_and_serves_what_is_set_is_no_reason_to_roll_back() -> None:
    pinned = ("ion-api-00001-leg",)
    guard = Guard("ion-api", "e", 10, pinned=True)
    served = msgspec.structs.replace(
        SCENES["ready"].traffic, pinned=pinned, served_percent=10, guard=guard
    )
    found = find_state(with_(SCENES["ready"], traffic=served), PLAN)
    assert (found.id, found.actor) == ("healthy", Actor("you"))
    assert "pinned to ion-api-00001-leg" in found.cause
    assert "update-traffic ion-api --to-latest" in found.next
    off = TrafficView(0, record(0), served_percent=0, pinned=pinned, guard=guard)
    found = find_state(with_(SCENES["off"], traffic=off), PLAN)
    assert (found.id, found.actor) == ("off", Actor("you"))
    unserved = msgspec.structs.replace(served, canary_percent=25)
    found = find_state(with_(SCENES["ready"], traffic=unserved), PLAN)
    assert (found.id, found.actor.action) == ("drift", "rollback_all")


def test_the_next_steps_offer_nothing_that_is_refused() -> None:
    traffic = TrafficView(
        25,
        record(2),
        drift=Drift(10, 25, "alice"),
        served_percent=10,
        pinned=("ion-api-00001-leg",),
        guard=Guard("ion-api", "e", 25),
    )
    actions = {
        step.action for step in find_next_steps(with_(SCENES["ready"], traffic=traffic), PLAN)
    }
    assert "revert" in actions
    assert "adopt" not in actions


def test_a_login_that_is_not_accepted_is_a_persons_to_renew() -> None:
    away = SourceView("Cloud Run", "failing", "your login is not accepted", NOW - 60, login=True)
    found = find_state(with_(SCENES["healthy"], sources=(away,)), PLAN)
    assert (found.id, found.actor) == ("cannot_see", Actor("you"))
    assert "gcloud auth application-default login" in found.next
    assert "no answer" not in found.cause


def test_a_proof_says_how_many_times_as_bad_canary_is() -> None:
    metrics = tuple(
        msgspec.structs.replace(m, interval=RatioInterval(4.2, 2.1, 8.0))
        if m.verdict == "rollback"
        else msgspec.structs.replace(m, interval=None)
        for m in VIEW.metrics
    )
    view = msgspec.structs.replace(VIEW, metrics=metrics)
    found = find_state(with_(snapshot(), advice=ADVICE, evidence=view), PLAN)
    assert found.cause.startswith("5xx ×4.2 (2.1 to 8.0) of Legacy since ")
