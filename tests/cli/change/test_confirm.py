"""A question at the prompt: its time, and that it grows old."""

import pytest

from canary.cli.change import run_change
from canary.rollout.change.moves import promote, rollback_all
from canary.rollout.errors import GateNotMet
from tests.engine.comparing import HandClock
from tests.rollout.build import PLAN, request, standing

ASKED = request().now


@pytest.fixture
def answered_after(monkeypatch: pytest.MonkeyPatch):
    """A prompt whose person takes so many seconds."""

    def after(seconds: float) -> HandClock:
        clock = HandClock(ASKED)
        monkeypatch.setattr(
            run_change, "ask_to_confirm", lambda _: setattr(clock, "at", ASKED + seconds)
        )
        return clock

    return after


def test_a_change_is_of_the_moment_in_which_it_was_confirmed(answered_after) -> None:
    clock = answered_after(200.0)
    change = run_change.confirm(PLAN, promote(PLAN, standing(2), request()), "", clock)
    assert change.steps[0].record.entered_at == change.created_at == ASKED + 200.0


def test_a_question_of_old_numbers_is_not_answered_any_more(answered_after) -> None:
    clock = answered_after(6000.0)
    with pytest.raises(GateNotMet, match="asked 1 h 40 m ago"):
        run_change.confirm(PLAN, promote(PLAN, standing(2), request()), "", clock)


def test_a_rollback_goes_out_whenever_it_is_confirmed(answered_after) -> None:
    clock = answered_after(6000.0)
    change = run_change.confirm(PLAN, rollback_all(PLAN, standing(2), request()), "", clock)
    assert change.created_at == ASKED + 6000.0
