"""A question at the prompt: its time, and that it grows old."""

import asyncio
import signal

import click
import pytest

from canary.cli.change import run_change
from canary.cli.change.text import ask_to_confirm
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


def test_one_interrupt_ends_a_question_that_is_asked_in_an_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The loop's handler raises nothing the first time, and a line would be waited for on."""

    def wait_for_a_line(_: str) -> str:
        signal.raise_signal(signal.SIGINT)
        return "y"

    async def ask() -> None:
        handler = signal.getsignal(signal.SIGINT)
        assert handler is not signal.default_int_handler
        try:
            ask_to_confirm()
        finally:
            assert signal.getsignal(signal.SIGINT) is handler

    monkeypatch.setattr("click.termui.visible_prompt_func", wait_for_a_line)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(click.Abort):
            asyncio.run(ask())
    finally:
        signal.signal(signal.SIGINT, before)
