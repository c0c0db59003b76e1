"""A healthy screen is calm: no red, no amber, nothing reversed, and green for ✓ only."""

from __future__ import annotations

import pytest
from rich.style import Style

from canary.rollout.snapshot.snapshot import Snapshot
from tests.tui import scenes
from tests.tui.scripted import Stage, staged
from themes.palette import Palette
from widgets.plots.cells import CellWidget

SIZES = [(40, 10), (80, 24), (120, 40), (160, 48), (200, 60)]
THEMES = ("dark", "light", "high-contrast", "colour-blind", "mono")
IN_ALL = ((40, 10), (160, 48))
"""At these sizes in every theme; at the others in the first two, but in the long run."""
READY = scenes.snapshot(soaked_hours=30.0, events=())
WAITING = scenes.snapshot(events=())
"""HEALTHY: nothing is passed, and the soak is to be waited for."""


def cells(stage: Stage) -> list[tuple[str, str, Style]]:
    """(widget, character, style) of every cell that is drawn, without the blank ones."""
    found = []
    for widget in stage.app.screen.query(CellWidget):
        canvas = widget._canvas
        if canvas is None or not widget.display or not widget.size.area:
            continue
        for chars, styles in zip(canvas.chars, canvas.styles, strict=True):
            found += [
                (str(widget.id), char, style)
                for char, style in zip(chars, styles, strict=True)
                if char.strip()
            ]
    return found


async def change_theme(stage: Stage, theme: str) -> Palette:
    """The palette that the screen is drawn with then."""
    stage.app.theme = theme
    await stage.settle()
    palette = stage.app.screen.query(CellWidget).first().palette
    assert palette.name == theme
    return palette


@pytest.mark.parametrize("healthy", [READY, WAITING], ids=["ready", "waiting"])
@pytest.mark.parametrize("size", SIZES)
async def test_a_healthy_screen_has_no_alarm_in_it(
    size: tuple[int, int], healthy: Snapshot, is_long: bool
) -> None:
    async with staged(size, healthy) as stage:
        for theme in THEMES if is_long or size in IN_ALL else THEMES[:2]:
            palette = await change_theme(stage, theme)
            drawn = cells(stage)
            watch = () if theme == "mono" else (palette.watch,)
            alarms = (palette.alarm, palette.roll_back, *watch)
            assert drawn, theme
            assert {(name, char) for name, char, style in drawn if style in alarms} == set(), theme
            assert {(name, char) for name, char, style in drawn if style.reverse} == set(), theme


@pytest.mark.parametrize("size", SIZES)
async def test_green_is_for_the_tick_only(size: tuple[int, int], is_long: bool) -> None:
    async with staged(size, READY) as stage:
        for theme in THEMES[: 3 if is_long or size in IN_ALL else 1]:
            palette = await change_theme(stage, theme)
            green = {(name, char) for name, char, style in cells(stage) if style == palette.ok}
            assert {char for _, char in green} <= {"✓"}, (theme, green)
            assert green, theme
