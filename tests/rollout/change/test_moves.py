"""From a wish to a change: each says what becomes true, from what, and what guards it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change.change import Change, Guard, SetScale, SetTraffic, Side, Standing
from canary.rollout.change.moves import (
    adopt,
    complete_approval,
    promote,
    revert,
    rollback_all,
    scale,
    step_back,
)
from canary.rollout.errors import IllegalTransition, UsageError
from canary.rollout.plan.plan import Router, ScalePreset
from tests.rollout.build import NOW, PLAN, record, request, standing

BACKUP, PRODUCTION = ScalePreset(0, 1), ScalePreset(1, 10)


def traffic(change: Change) -> SetTraffic:
    (step,) = (s for s in change.steps if isinstance(s, SetTraffic))
    return step


@pytest.mark.parametrize(("stage", "percent"), [(0, 5), (1, 10), (2, 25), (3, 50), (4, 100)])
def test_promote_goes_one_stage_on(stage: int, percent: int) -> None:
    change = promote(PLAN, standing(stage), request())
    assert (change.from_stage, change.to_stage) == (stage, stage + 1)
    assert traffic(change).percent == percent


def test_promote_stops_at_the_last_stage() -> None:
    with pytest.raises(IllegalTransition, match="stage 5"):
        promote(PLAN, standing(5), request())


@pytest.mark.parametrize(("stage", "to", "percent"), [(2, None, 5), (5, 4, 50), (5, None, 50)])
def test_step_back_goes_one_back_or_to_the_named_stage(
    stage: int, to: int | None, percent: int
) -> None:
    change = step_back(PLAN, standing(stage), request(), to)
    assert traffic(change).percent == percent


@pytest.mark.parametrize(("stage", "to"), [(1, None), (0, None), (2, 2), (2, 3), (3, 0)])
def test_step_back_only_goes_back(stage: int, to: int | None) -> None:
    with pytest.raises(IllegalTransition):
        step_back(PLAN, standing(stage), request(), to)


@pytest.mark.parametrize("stage", range(6))
def test_everybody_off_is_possible_from_everywhere(stage: int) -> None:
    change = rollback_all(PLAN, standing(stage), request())
    assert traffic(change).percent == 0
    assert change.to_stage == 0


@pytest.mark.parametrize("percent", [100, None])
def test_legacy_in_backup_is_scaled_up_before_traffic_moves_to_it(percent: int | None) -> None:
    at = standing(5, percent=percent, scale_legacy=BACKUP)
    change = rollback_all(PLAN, at, request())
    assert change.steps[0] == SetScale("ion-api", BACKUP, PRODUCTION)
    assert isinstance(change.steps[1], SetTraffic)


@pytest.mark.parametrize("legacy", [PRODUCTION, ScalePreset(0, 2), None])
def test_legacy_is_left_alone_when_it_can_take_the_load_or_is_not_known(
    legacy: ScalePreset | None,
) -> None:
    change = rollback_all(PLAN, standing(5, scale_legacy=legacy), request())
    assert [type(s) for s in change.steps] == [SetTraffic]


def test_legacy_is_not_scaled_up_when_traffic_moves_away_from_it() -> None:
    change = promote(PLAN, standing(4, scale_legacy=BACKUP), request())
    assert [type(s) for s in change.steps] == [SetTraffic]


def test_the_record_rides_with_the_split_and_says_who_when_and_from_where() -> None:
    written = traffic(promote(PLAN, standing(2), request(reason="soaked"))).record
    assert (written.stage, written.percent, written.entered_at) == (3, 25, NOW)
    assert (written.by, written.host, written.change) == ("oncall", "bastion-2", "c-1")
    assert (written.previous_stage, written.previous_percent) == (2, 10)
    assert (written.move, written.reason) == ("promote", "soaked")


def test_the_last_stage_ends_the_canary_mode_in_the_record() -> None:
    written = traffic(promote(PLAN, standing(4), request())).record
    assert (written.enabled, written.production_service) == (False, "ion-api-canary")
    back = traffic(step_back(PLAN, standing(5), request())).record
    assert (back.enabled, back.production_service) == (True, "")


def test_a_change_is_guarded_by_what_it_was_decided_on() -> None:
    at = standing(2, guard=Guard("ion-api", "etag-9", 10, "rev-3"))
    assert traffic(promote(PLAN, at, request())).guard == at.guard


def test_adopt_takes_the_present_split_into_the_record() -> None:
    change = adopt(PLAN, standing(2, percent=25), request())
    assert (traffic(change).before_percent, traffic(change).percent) == (25, 25)
    assert traffic(change).record.stage == 3


def test_adopting_zero_is_everybody_on_legacy() -> None:
    assert traffic(adopt(PLAN, standing(2, percent=0), request())).record.stage == 0


@pytest.mark.parametrize("percent", [None, 11, 99])
def test_a_split_that_no_stage_has_is_not_adopted(percent: int | None) -> None:
    with pytest.raises(UsageError):
        adopt(PLAN, standing(2, percent=percent), request())


def test_revert_restores_the_recorded_split_and_keeps_its_soak() -> None:
    change = revert(PLAN, standing(2, percent=30), request())
    assert (traffic(change).before_percent, traffic(change).percent) == (30, 10)
    assert traffic(change).record.entered_at == NOW - 17 * 3600


def test_revert_restores_the_record_even_where_the_plan_has_changed_since() -> None:
    at = standing(2, percent=30, record=record(2, percent=12))
    assert traffic(revert(PLAN, at, request())).percent == 12


def test_there_is_nothing_to_revert_to_without_a_record() -> None:
    with pytest.raises(UsageError, match="record"):
        revert(PLAN, standing(2, record=None), request())


@pytest.mark.parametrize(
    ("least", "most", "possible"),
    [(0, 1, True), (1, 1, True), (5, 5, True), (0, 0, False), (-1, 1, False), (6, 5, False)],
)
def test_a_scale_is_a_range(least: int, most: int, possible: bool) -> None:
    wish = ScalePreset(least, most)
    if possible:
        change = scale(PLAN, standing(), request(), "canary", wish)
        assert change.steps == (SetScale("ion-api-canary", PRODUCTION, wish),)
        assert (change.from_stage, change.to_stage) == (None, None)
    else:
        with pytest.raises(UsageError):
            scale(PLAN, standing(), request(), "canary", wish)


@pytest.mark.parametrize("side", ["legacy", "canary"])
def test_between_revisions_a_scale_is_the_one_services_and_never_backup_size(side: Side) -> None:
    router = Router(kind="revisions", service="both")
    plan = msgspec.structs.replace(PLAN, target=msgspec.structs.replace(PLAN.target, router=router))
    wish = ScalePreset(1, 20)
    change = scale(plan, standing(), request(), side, wish)
    assert change.steps == (SetScale("both", PRODUCTION, wish),)
    for stage in (2, 5):
        with pytest.raises(UsageError, match="neither could take the traffic"):
            scale(plan, standing(stage), request(), side, BACKUP)


presets = st.none() | st.builds(ScalePreset, st.integers(0, 3), st.integers(1, 20))
standings = st.builds(
    standing,
    stage=st.integers(0, 5),
    percent=st.none() | st.integers(0, 100),
    scale_legacy=presets,
    record=st.none() | st.builds(record, st.integers(0, 5)),
)


@given(standings, st.sampled_from(["promote", "step_back", "rollback_all", "adopt", "revert"]))
def test_every_possible_change_sets_one_split_between_0_and_100(at: Standing, kind: str) -> None:
    build = {
        "promote": promote,
        "step_back": step_back,
        "rollback_all": rollback_all,
        "adopt": adopt,
        "revert": revert,
    }[kind]
    try:
        change = build(PLAN, at, request())
    except (IllegalTransition, UsageError):
        return
    step = traffic(change)
    assert 0 <= step.percent <= 100
    assert step.record.percent == step.percent
    assert step.guard == at.guard
    behind = change.steps[change.steps.index(step) + 1 :]
    assert not behind or (kind == "promote" and change.to_stage == 5)


def test_final_approval_raises_canary_then_moves_the_traffic_then_makes_legacy_the_backup() -> None:
    at = standing(4, scale_canary=ScalePreset(0, 4))
    change = promote(PLAN, at, request())
    assert change.steps[0] == SetScale("ion-api-canary", ScalePreset(0, 4), PRODUCTION)
    assert isinstance(change.steps[1], SetTraffic)
    assert change.steps[2:] == (SetScale("ion-api", PRODUCTION, BACKUP),)


def test_final_approval_leaves_out_what_is_so_already() -> None:
    change = promote(PLAN, standing(4, scale_legacy=BACKUP), request())
    assert [type(s) for s in change.steps] == [SetTraffic]


def test_final_approval_sets_a_scale_that_is_not_known() -> None:
    change = promote(PLAN, standing(4, scale_legacy=None, scale_canary=None), request())
    assert [s.after for s in change.steps if isinstance(s, SetScale)] == [PRODUCTION, BACKUP]


def test_final_approval_never_takes_instances_from_canary() -> None:
    change = promote(PLAN, standing(4, scale_canary=ScalePreset(3, 40)), request())
    assert not any(isinstance(s, SetScale) and s.service == "ion-api-canary" for s in change.steps)


def test_between_revisions_final_approval_does_not_cut_down_the_one_service() -> None:
    target = msgspec.structs.replace(PLAN.target, router=Router(kind="revisions"))
    plan = msgspec.structs.replace(PLAN, target=target)
    low = ScalePreset(0, 2)
    change = promote(plan, standing(4, scale_legacy=low, scale_canary=low), request())
    assert change.steps[0] == SetScale("ion-api", low, PRODUCTION)
    assert [type(s) for s in change.steps] == [SetScale, SetTraffic]


def test_a_last_stage_below_everything_is_no_final_approval() -> None:
    plan = msgspec.structs.replace(PLAN, stages=PLAN.stages[:4])
    change = promote(plan, standing(3), request())
    assert [type(s) for s in change.steps] == [SetTraffic]
    assert traffic(change).record.enabled


def test_an_approval_that_ended_half_way_is_completed_by_what_is_missing() -> None:
    change = complete_approval(PLAN, standing(5), request())
    assert change.steps == (SetScale("ion-api", PRODUCTION, BACKUP),)
    assert (change.kind, change.to_stage) == ("scale", None)


@pytest.mark.parametrize(
    "at", [standing(4), standing(5, scale_legacy=BACKUP), standing(5, percent=50)]
)
def test_there_is_nothing_to_complete_before_or_after(at: Standing) -> None:
    with pytest.raises(IllegalTransition):
        complete_approval(PLAN, at, request())
