"""Nothing called rollback gives Canary more; a promotion is from the record, under this plan."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change import moves
from canary.rollout.change.change import Kind, SetTraffic, split_of
from canary.rollout.change.stage_record import find_plan_drift
from canary.rollout.errors import CanaryError, Conflict, IllegalTransition
from canary.rollout.plan.plan import Plan
from tests.rollout.build import PLAN, record, request, standing

SHARES = st.none() | st.integers(0, 100)


def with_shares(shares: list[int]) -> Plan:
    stage = PLAN.stages[0]
    stages = tuple(msgspec.structs.replace(stage, percent=percent) for percent in shares)
    return msgspec.structs.replace(PLAN, stages=stages)


PLANS = st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True).map(
    lambda some: with_shares([*sorted(some), 100])
)


@given(
    plan=PLANS,
    stage=st.integers(0, 6),
    percent=SHARES,
    served=SHARES,
    to=st.none() | st.integers(0, 6),
    kind=st.sampled_from(["step_back", "rollback_all"]),
)
def test_no_rollback_gives_canary_more(
    plan: Plan, stage: int, percent: int | None, served: int | None, to: int | None, kind: Kind
) -> None:
    at = standing(0, percent=percent, served=served)
    at = msgspec.structs.replace(at, stage=min(stage, len(plan.stages)))
    try:
        if kind == "step_back":
            change = moves.step_back(plan, at, request(), to)
        else:
            change = moves.rollback_all(plan, at, request())
    except CanaryError:
        assert kind == "step_back"  # everybody off is possible from anywhere
        return
    split = split_of(change)
    assert isinstance(split, SetTraffic)
    for share in (percent, served):
        assert share is None or split.percent <= share
    assert change.to_stage is not None
    assert change.to_stage < at.stage or change.to_stage == 0


def test_lowered_by_hand_one_stage_back_is_the_next_that_has_less() -> None:
    assert moves.step_back(PLAN, standing(4, percent=20), request()).to_stage == 2
    with pytest.raises(IllegalTransition, match="never gives it more") as refused:
        moves.step_back(PLAN, standing(3, percent=5), request())
    assert "rollback --all" in refused.value.remedy


def test_what_is_set_and_not_served_counts_too() -> None:
    assert moves.step_back(PLAN, standing(4, percent=50, served=10), request()).to_stage == 1


@given(before=PLANS, after=PLANS, stage=st.integers(1, 6))
def test_under_an_edited_plan_nothing_is_promoted_before_it_is_adopted(
    before: Plan, after: Plan, stage: int
) -> None:
    at_stage = min(stage, len(before.stages))
    percent = before.percent_of(at_stage)
    kept = msgspec.structs.replace(record(2), stage=at_stage, percent=percent)
    known = kept if at_stage <= len(after.stages) else None
    at = standing(0, percent=percent, record=known, recorded=percent)
    at = msgspec.structs.replace(at, stage=at_stage)
    if known is not None and find_plan_drift(after, kept):
        with pytest.raises(Conflict, match="changed since"):
            moves.promote(after, at, request())
    if percent < after.percent_of(1):
        return  # below every stage: back to nothing
    adopted = split_of(moves.adopt(after, at, request()))
    assert adopted is not None
    assert adopted.percent == percent
    assert find_plan_drift(after, adopted.record) == ""
    where = msgspec.structs.replace(at, stage=adopted.record.stage, record=adopted.record)
    if where.stage == len(after.stages):
        return
    forth = split_of(moves.promote(after, where, request()))
    assert forth is not None
    assert forth.percent == after.percent_of(where.stage + 1) > percent
