"""The first ten minutes: the demo's tips, what the palette finds and says, help by typing."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.fuzzy import Matcher

from canary.store.tips import TipsFile
from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine, Stage, staged
from tui.app import CanaryApp
from tui.keys import bind
from tui.pages.tips import demo_states, demo_tips
from tui.palette import entries, score


def found(stage: Stage, query: str) -> list[str]:
    """The names of what the palette lists, the best first."""
    matcher = Matcher(query)
    scored = [(score(entry, matcher), entry.name) for entry in entries(stage.app.commands)]
    return [name for points, name in sorted(scored, key=lambda s: -s[0]) if points > 0]


@pytest.mark.parametrize("query", ["roll", "back", "roll back"])
async def test_every_rollback_is_found_by_roll_and_by_back(query: str) -> None:
    async with staged() as stage:
        names = found(stage, query)
        for name in (
            "roll back one stage",
            "roll back all",
            "rollback readiness",
            "automatic rollback",
            "stop automatic rollback",
            "stage 1",
            "show roll back one stage" if "slow-burn" in stage.engine.scenarios() else "stage 1",
        ):
            assert name in names


async def test_the_names_of_the_table_of_keys_still_find_their_actions() -> None:
    async with staged() as stage:
        assert found(stage, "step back")[0] == "roll back one stage"
        assert found(stage, "rollback all")[0] == "roll back all"


async def test_each_scenario_has_its_own_sentence() -> None:
    async with staged() as stage:
        notes = {e.name: e.help for e in entries(stage.app.commands)}
        assert notes["scenario error-spike"] == "Canary answers 5xx to many requests."
        assert notes["scenario healthy"] == "Nothing is wrong."


async def test_what_cannot_be_done_now_says_what_it_does_and_why_not() -> None:
    async with staged() as stage:
        notes = {e.name: e.help for e in entries(stage.app.commands)}
        for name, doc in (
            ("withdraw a change", "Withdraw a change that waits for Cloud Run."),
            ("stop", "Stop the verification or the load test that runs."),
        ):
            assert notes[name].startswith(f"{doc} Not now: ")
            assert len(notes[name]) > len(f"{doc} Not now: ")


async def test_a_state_that_is_hard_to_reach_is_a_command_of_the_demo() -> None:
    async with staged() as stage:
        await stage.press("colon", *"show final", "enter")
        await stage.settle()
        assert stage.engine.asked == [("scenario", "final-approval")]
        assert "To see final approval: :ab test, then p" in stage.frame()


def test_the_states_name_keys_that_are_there() -> None:
    for state in demo_states(bind(scenes.plan())):
        assert "{" not in state.then


# -- help ------------------------------------------------------------------------------------


async def test_help_is_searched_by_typing() -> None:
    async with staged((120, 50)) as stage:
        await stage.press("?", *"roll back")
        text = stage.frame()
        assert "Roll back all now." in text
        assert "Roll back one stage." in text
        assert "Set least and most instances" not in text
        assert "search: roll back" in text
        await stage.press(*(["backspace"] * 9))
        assert "Set least and most instances" in stage.frame()


async def test_escape_ends_the_search_and_then_the_help() -> None:
    async with staged((120, 50)) as stage:
        await stage.press("?", *"zoom", "escape")
        assert "Set least and most instances" in stage.frame()
        await stage.press("escape")
        assert stage.app.screen is stage.app.main


async def test_a_search_without_a_find_says_so() -> None:
    async with staged((120, 50)) as stage:
        await stage.press("?", *"xyzzy")
        assert "nothing has 'xyzzy' in it" in stage.frame()


async def test_the_key_that_opens_help_closes_it() -> None:
    async with staged() as stage:
        await stage.press("?", "?")
        assert stage.app.screen is stage.app.main


# -- tips ------------------------------------------------------------------------------------


def demo(directory: Path) -> CanaryApp:
    engine = ScriptedEngine(scenes.snapshot(events=()))
    return CanaryApp(scenes.plan(), lambda: engine, tips=TipsFile(directory))


async def test_the_demo_begins_with_a_line_that_says_what_to_try(tmp_path: Path) -> None:
    app = demo(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        stage = Stage(app, pilot, ScriptedEngine())
        await stage.settle()
        assert "? help, : commands; try :error-spike, then R y   Esc dismisses" in stage.frame()
        await stage.press("escape")
        assert "try :healthy, then p y" in stage.frame()
        for _ in demo_tips(app.main.keymap):
            await stage.press("escape")
        assert "dismisses" not in stage.frame()


async def test_a_tip_that_was_dismissed_never_comes_again(tmp_path: Path) -> None:
    app = demo(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await Stage(app, pilot, ScriptedEngine()).press("escape")
    again = demo(tmp_path)
    async with again.run_test(size=(80, 24)) as pilot:
        stage = Stage(again, pilot, ScriptedEngine())
        await stage.settle()
        assert "try :error-spike" not in stage.frame()
        assert "try :healthy" in stage.frame()


async def test_escape_takes_back_an_answer_before_it_dismisses_a_tip(tmp_path: Path) -> None:
    app = demo(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        stage = Stage(app, pilot, ScriptedEngine())
        await stage.settle()
        await stage.press("j")
        assert "is no key here" in stage.frame()
        await stage.press("escape")
        assert "try :error-spike" in stage.frame()


async def test_a_real_rollout_has_no_tips() -> None:
    async with staged((80, 24)) as stage:
        assert "dismisses" not in stage.frame()


@pytest.mark.parametrize("text", ["", "x", "-1", "9" * 40, "\0"])
def test_a_file_of_tips_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "tips").write_text(text)
    file = TipsFile(tmp_path)
    assert file.dismissed in (0, int("9" * 20))
    (tmp_path / "tips").unlink()
    (tmp_path / "tips").mkdir()
    TipsFile(tmp_path).dismiss()
