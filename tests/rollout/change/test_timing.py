"""The time of a change is when it is sent."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change.change import SetScale
from canary.rollout.change.moves import promote, revert, rollback_all, scale, step_back
from canary.rollout.change.timing import date_change, date_step, why_expired
from canary.rollout.plan.plan import ScalePreset
from tests.rollout.build import PLAN, record, request, standing

ASKED = request().now
MINUTE = 60.0


def test_the_soak_begins_when_it_is_sent() -> None:
    sent = date_change(promote(PLAN, standing(2), request()), ASKED + 100 * MINUTE)
    (step,) = sent.steps
    assert sent.created_at == step.record.entered_at == ASKED + 100 * MINUTE
    assert step.record.moved_at is None


def test_a_revert_keeps_the_soak_of_its_stage() -> None:
    at = standing(2, record=record(2, entered_at=ASKED - 5000.0), percent=40)
    (step,) = date_change(revert(PLAN, at, request()), ASKED + MINUTE).steps
    assert (step.record.entered_at, step.record.moved_at) == (ASKED - 5000.0, ASKED + MINUTE)


def test_a_scale_has_no_record() -> None:
    (step,) = scale(PLAN, standing(2), request(), "canary", ScalePreset(1, 3)).steps
    assert isinstance(step, SetScale)
    assert date_step(step, 5.0) is step


@pytest.mark.parametrize(("minutes", "expires"), [(5.0, False), (5.1, True)])
def test_a_question_expires_when_its_numbers_are_old(minutes: float, expires: bool) -> None:
    change = promote(PLAN, standing(2), request())
    assert (why_expired(change, PLAN, ASKED + minutes * MINUTE) is not None) is expires


def test_a_person_has_as_long_where_the_clouds_clock_runs_fast() -> None:
    change = promote(PLAN, standing(2), request())
    assert why_expired(change, PLAN, ASKED + 60 * 4 * MINUTE, 60.0) is None
    assert why_expired(change, PLAN, ASKED + 60 * 6 * MINUTE, 60.0)


@given(st.floats(0, 1e7))
def test_going_back_never_expires(open_s: float) -> None:
    for move in (rollback_all, step_back):
        assert why_expired(move(PLAN, standing(3), request()), PLAN, ASKED + open_s) is None


def test_only_time_is_changed() -> None:
    change = promote(PLAN, standing(2), request(reason="soaked"))
    sent = date_change(change, ASKED + MINUTE)
    (step,), (before,) = sent.steps, change.steps
    back = msgspec.structs.replace(step.record, entered_at=before.record.entered_at)
    steps = (msgspec.structs.replace(step, record=back),)
    assert msgspec.structs.replace(sent, created_at=change.created_at, steps=steps) == change
