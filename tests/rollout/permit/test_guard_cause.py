"""What automatic rollback would act on, and what it never acts on."""

import msgspec
import pytest

from canary.rollout.decision.tree import IDLE, DataState, Watch, find_alerts
from canary.rollout.evidence.view import Advice
from canary.rollout.permit.permit import find_cause
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from tests.rollout.build import NOW, PLAN, record, snapshot, standing, window

SPIKE = window(error_ratio=0.08)
OVERDUE = Watch(since=NOW - 3700, warning=True, overdue=True)
WARNED = window(error_ratio=0.03)


def at(judged=None, data: DataState = "ok", watch=IDLE, stage: int = 2, **changes) -> Snapshot:
    base = snapshot(judged, data, watch, stage, standing=standing(stage), **changes)
    moved = record(stage, change=f"entry-{stage}")
    return msgspec.structs.replace(
        base, traffic=msgspec.structs.replace(base.traffic, record=moved)
    )


def test_all_is_well_and_there_is_no_cause():
    assert find_cause(PLAN, at()).cause is None
    assert find_cause(PLAN, at()).held == ""


def test_a_critical_limit_takes_everybody_off():
    cause = find_cause(PLAN, at(SPIKE)).cause
    assert (cause.kind, cause.trigger, cause.key) == (
        "rollback_all",
        "critical",
        "entry-2:critical",
    )


def test_a_watch_overdue_goes_one_stage_back():
    cause = find_cause(PLAN, at(WARNED, watch=OVERDUE, stage=3)).cause
    assert (cause.kind, cause.trigger) == ("step_back", "overdue")


def test_a_running_watch_is_no_cause():
    running = Watch(since=NOW - 60, warning=True)
    assert find_cause(PLAN, at(WARNED, watch=running, stage=3)).cause is None


def test_the_stages_own_limits_go_one_stage_back_at_once():
    warned = Watch(since=NOW - 60, warning=True)
    cause = find_cause(PLAN, at(WARNED, watch=warned, stage=2)).cause
    assert (cause.kind, cause.trigger) == ("step_back", "stage")
    assert "error ratio 3.00 % (2 %)" in cause.said


def test_exactly_on_the_stages_limit_is_no_cause():
    assert find_cause(PLAN, at(window(error_ratio=0.02))).cause is None


def test_from_the_first_stage_one_back_is_everybody_off():
    cause = find_cause(PLAN, at(WARNED, watch=OVERDUE, stage=1)).cause
    assert cause.kind == "rollback_all"


@pytest.mark.parametrize("data", ["thin", "stale", "missing", "masked"])
@pytest.mark.parametrize("judged", [SPIKE, WARNED, None])
def test_it_never_acts_on_data_that_may_not_be_judged(data: DataState, judged):
    seen = find_cause(PLAN, at(judged, data, OVERDUE))
    assert seen.cause is None
    assert seen.held == {
        "thin": "too few requests",
        "stale": "data stale",
        "missing": "no data",
        "masked": "from before the change",
    }.get(data)


def test_not_knowing_the_share_it_does_nothing():
    unknown = msgspec.structs.replace(at(SPIKE), standing=None)
    assert find_cause(PLAN, unknown).held == "the present share is not known"
    unread = msgspec.structs.replace(at(SPIKE), standing=standing(percent=None))
    assert find_cause(PLAN, unread).cause is None


def test_with_nobody_on_canary_there_is_nothing_to_do():
    nobody = msgspec.structs.replace(at(SPIKE), standing=standing(percent=0))
    assert find_cause(PLAN, nobody).cause is None


def test_it_never_raises_a_share_that_somebody_lowered():
    lowered = msgspec.structs.replace(
        at(WARNED, watch=OVERDUE, stage=3), standing=standing(3, percent=10)
    )
    assert "lowered by hand" in find_cause(PLAN, lowered).held
    higher = msgspec.structs.replace(lowered, standing=standing(3, percent=11))
    assert find_cause(PLAN, higher).cause is not None


def test_it_does_not_act_beside_a_rollback_in_flight():
    flying = ChangeView("c", "rollback_all", "roll back all", "ann@b", NOW)
    assert "in flight: ann@b" in find_cause(PLAN, at(SPIKE, changes=(flying,))).held


def test_a_promotion_in_flight_does_not_hold_it_up():
    flying = ChangeView("c", "promote", "promote", "ann@b", NOW)
    assert find_cause(PLAN, at(SPIKE, changes=(flying,))).cause is not None


def test_the_same_trigger_on_another_entry_is_another_cause():
    first, second = at(SPIKE), at(SPIKE, stage=3)
    assert find_cause(PLAN, first).cause.key != find_cause(PLAN, second).cause.key


@pytest.mark.parametrize(("action", "acts"), [("advise", False), ("rollback", True)])
def test_a_proven_regression_counts_where_the_plan_says_so(action, acts: bool):
    advice = Advice(action, "a regression of Canary is proven: 5xx", ("5xx",), NOW)
    cause = find_cause(PLAN, at(stage=3, advice=advice)).cause
    assert (cause is not None) is acts
    if cause is not None:
        assert (cause.kind, cause.trigger) == ("step_back", "regression")


def test_stage_alerts_are_only_raised_on_data_that_may_be_judged():
    assert find_alerts(PLAN, 2, SPIKE, "stale") == ()
