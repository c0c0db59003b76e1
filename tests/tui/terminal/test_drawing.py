"""Cells that go straight to the terminal: what it shows is what Textual would have painted."""

from __future__ import annotations

from typing import Any

import pytest
from rich.color import ColorSystem
from rich.console import Console
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.geometry import Region
from textual.widget import Widget

from tests.tui import scenes, states
from tests.tui.scripted import Stage, advanced, staged
from tests.tui.terminal.glass import Glass, visible
from tui.terminal.drawing import find_free_region
from tui.terminal.wire import PLAIN, pen_of

STATES = tuple(states.names())[::13]


class Seen:
    """A terminal behind a console without one: it gets every update as it would be sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
        self.glass = Glass(*size)
        console = Console(color_system="truecolor", force_terminal=True)

        def display(app: App[None], screen: object, update: object) -> None:
            if isinstance(update, CompositorUpdate) and not app._batch_count:
                self.glass.feed(update.render_segments(console))

        monkeypatch.setattr(App, "_display", display)

    def differs(self, stage: Stage) -> list[Any]:
        """Cells that do not show what the screen is, as Textual composes all of it."""
        found = []
        for y, strip in enumerate(stage.app.screen._compositor.render_strips()):
            x = 0
            for text, style, _ in strip:
                pen = PLAIN if style is None else pen_of(style, ColorSystem.TRUECOLOR)
                for char in text:
                    shown = self.glass.cells[x, y]
                    if visible(shown) != visible((char, pen)):
                        found.append((x, y, shown, (char, pen)))
                    x += 1
        return found


async def test_after_all_that_happens_the_terminal_shows_the_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = (120, 40)
    seen = Seen(monkeypatch, size)
    async with staged(size=size) as stage:
        snapshot = scenes.snapshot(stage.app.plan)
        steps = [advanced(snapshot, 61.0), *(states.shown(n).snapshot for n in STATES)]
        for number, step in enumerate(steps):
            await stage.emit(step)
            assert seen.differs(stage) == [], number
        for key in ("w", "R", "escape", "z", "escape", "?", "escape"):
            await stage.press(key)
            await stage.emit(advanced(snapshot, 300.0))
            assert seen.differs(stage) == [], key


class Marked(Widget):
    opacity = 1.0


def test_what_is_covered_or_cut_is_left_to_textual() -> None:
    screen = Region(0, 0, 80, 24)
    below, beside, above, under = Marked(), Marked(), Marked(), Marked()
    region = Region(0, 10, 40, 5)
    places = {
        above: (Region(10, 12, 5, 1), screen),
        beside: (Region(40, 10, 40, 5), screen),
        below: (region, screen),
        under: (screen, screen),
    }
    assert find_free_region(places, below) is None
    del places[above]
    assert find_free_region(places, below) == region
    places[below] = (region, Region(0, 0, 80, 12))
    assert find_free_region(places, below) is None
    assert find_free_region(places, above) is None
