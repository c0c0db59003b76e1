"""Under the verdict of an alarm stands what to do, with its key, where there is room."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.measure.burn import Burn, BurnPair, BurnWindow
from tests.tui import scenes
from tests.tui.scripted import staged


@pytest.mark.parametrize("size", [(120, 40), (160, 48), (200, 60)])
async def test_the_decision_says_what_to_press(size: tuple[int, int]) -> None:
    async with staged(size, scenes.snapshot(error_ratio=0.083)) as stage:
        assert "→ R  roll back all" in stage.frame()


async def test_on_a_small_screen_it_is_in_the_panel_of_the_decision_alone() -> None:
    async with staged((80, 24), scenes.snapshot(error_ratio=0.083)) as stage:
        while "[decision]" not in stage.frame():
            await stage.press("tab")
        await stage.press("z")
        assert "→ R  roll back all" in stage.frame()


async def test_a_burning_objective_is_below_the_verdict() -> None:
    window = BurnWindow(3600.0, 12_000, 240, 1_200, 180, True)
    short = msgspec.structs.replace(window, length_s=300.0)
    burn = Burn(0.999, (BurnPair("14.4", "page", window, short, True),), scenes.NOW)
    shown = msgspec.structs.replace(scenes.snapshot(), burn=burn)
    async with staged((200, 60), shown) as stage:
        assert "◐ SLO burns 20.0× over 1 h and 20.0× over 5 m" in stage.frame()
