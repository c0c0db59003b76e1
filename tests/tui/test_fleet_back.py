"""From a console to the list of rollouts and back: what F and Esc leave, and what they wait for."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.decision.guard import GuardView
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import NOTHING_RUN, LoadTestView
from tests.tui import scenes
from tests.tui.scripted import staged
from tui.terminal.app import LIST

ARMED = GuardView(armed=True, countdown_s=30.0, by="me")


def flying() -> Snapshot:
    return msgspec.structs.replace(scenes.snapshot(), changes=(scenes.in_flight(),))


async def test_f_in_a_console_leaves_it_for_the_list() -> None:
    async with staged((80, 24), scenes.snapshot()) as stage:
        await stage.press("F")
        assert stage.app.return_code == LIST


async def test_f_stays_while_automatic_rollback_is_armed_here() -> None:
    armed = GuardView(armed=True, countdown_s=30.0, by="me")
    async with staged((80, 24), msgspec.structs.replace(scenes.snapshot(), guard=armed)) as stage:
        await stage.press("F")
        assert stage.app.is_running
        assert "Automatic rollback is armed here" in stage.frame()


async def test_esc_comes_back_to_the_list_that_it_was_opened_from() -> None:
    async with staged((80, 24), scenes.snapshot(), came_from_list=True) as stage:
        assert "Esc list" in stage.frame().splitlines()[-1]
        await stage.press("escape")
        assert stage.app.return_code == LIST


async def test_the_keys_name_no_way_that_esc_does_not_go_while_something_is_asked() -> None:
    async with staged((80, 24), scenes.snapshot(), came_from_list=True) as stage:
        await stage.press("R")
        assert "Esc cancels" in stage.frame()
        assert "Esc" not in stage.frame().splitlines()[-1]
        await stage.press("escape")
        assert "Esc list" in stage.frame().splitlines()[-1]


async def test_the_keys_do_not_say_back_while_something_is_asked_over_a_page() -> None:
    async with staged((80, 24), scenes.snapshot()) as stage:
        await stage.press("g")
        assert "Esc back" in stage.frame().splitlines()[-1]
        await stage.press("R")
        assert "Esc" not in stage.frame().splitlines()[-1]
        await stage.press("escape")
        assert "Esc back" in stage.frame().splitlines()[-1]


async def test_esc_of_another_console_leaves_nothing() -> None:
    async with staged((80, 24), scenes.snapshot()) as stage:
        assert "Esc list" not in stage.frame()
        await stage.press("escape", "escape")
        assert stage.app.is_running


@pytest.mark.parametrize("opens", ["?", "z", "g", "/", "h", "R", ":", "f"])
async def test_esc_closes_first_what_is_open(opens: str) -> None:
    async with staged((120, 40), scenes.snapshot(), came_from_list=True) as stage:
        await stage.press(opens)
        opened = stage.frame()
        await stage.press("escape")
        assert stage.app.is_running
        assert stage.frame() != opened
        assert stage.engine.sent == []
        await stage.press("escape", "escape")
        assert stage.app.return_code == LIST


async def test_esc_stays_while_automatic_rollback_is_armed_here() -> None:
    armed = msgspec.structs.replace(scenes.snapshot(), guard=ARMED)
    async with staged((80, 24), armed, came_from_list=True) as stage:
        await stage.press(*["escape"] * 4)
        assert stage.app.is_running
        assert ("disarm",) not in stage.engine.asked


async def test_esc_stays_while_a_load_test_runs_here() -> None:
    async with staged((80, 24), scenes.snapshot(), came_from_list=True) as stage:
        running = LoadTestView(state="running")
        await stage.tell(msgspec.structs.replace(NOTHING_RUN, load_test=running))
        await stage.press("escape")
        assert stage.app.is_running
        assert "A load test runs here" in stage.frame()


@pytest.mark.parametrize("key", ["escape", "F"])
async def test_a_change_in_flight_is_asked_about_and_goes_on(key: str) -> None:
    async with staged((80, 24), flying(), came_from_list=True) as stage:
        await stage.press(key)
        assert "Go to the list while a change is in flight?" in stage.frame()
        await stage.press("escape")
        assert stage.app.is_running
        await stage.press("F", "y")
        assert stage.app.return_code == LIST
        assert [asked for asked in stage.engine.asked if asked[0] == "withdraw"] == []
