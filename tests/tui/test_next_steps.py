"""Under the verdict of an alarm stands what to do, with its key, where there is room."""

from __future__ import annotations

import pytest

from tests.tui import scenes
from tests.tui.scripted import staged


@pytest.mark.parametrize("size", [(120, 40), (160, 48), (200, 60)])
async def test_the_decision_says_what_to_press(size: tuple[int, int]) -> None:
    async with staged(size, scenes.snapshot(error_ratio=0.083)) as stage:
        assert "→ R  roll back all" in stage.frame()


async def test_on_a_small_screen_it_is_in_the_panel_of_the_decision() -> None:
    async with staged((80, 24), scenes.snapshot(error_ratio=0.083)) as stage:
        while "[decision]" not in stage.frame():
            await stage.press("tab")
        assert "→ R  roll back all" in stage.frame()
