"""An app with one widget in it that writes as the product does, and the terminal it writes to."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console
from textual._compositor import CompositorUpdate
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.reactive import Reactive
from textual.screen import Screen

from tests import quiescence
from tests.tui.terminal.glass import Glass
from tests.widgets.scenes import NOW, PLAN
from tui.terminal.app import TerminalApp
from widgets.plots.cells import CellWidget

quiescence.install()

LINE = Console(color_system="256", file=io.StringIO(), force_terminal=True)


class Bare(Screen[None]):
    """A screen without anything of its own."""

    AUTO_FOCUS = None

    def __init__(self, widget: CellWidget) -> None:
        super().__init__()
        widget.styles.height = "1fr"
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


class Stage(TerminalApp):
    """One widget fills the terminal; `sent` went over the line, `glass` shows it."""

    def __init__(self, widget: CellWidget, theme: str = "dark") -> None:
        super().__init__(theme, ansi_color=True if theme == "mono" else None)
        self.widget = widget
        self.sent: list[str] = []
        self.glass = Glass(0, 0)

    def shorten(self, update: CompositorUpdate) -> CompositorUpdate:
        shortened = super().shorten(update)
        written = shortened.render_segments(LINE)
        self.sent.append(written)
        if (self.glass.width, self.glass.height) != self.size:
            self.glass = Glass(*self.size)
        self.glass.feed(written)
        return shortened

    def get_default_screen(self) -> Screen[None]:
        return Bare(self.widget)


def give(widget: CellWidget, **values: object) -> None:
    """Set those of the values that the widget knows; plan and now have defaults."""
    for name, value in ({"plan": PLAN, "now": NOW} | values).items():
        if isinstance(getattr(type(widget), name, None), Reactive):
            setattr(widget, name, value)


@asynccontextmanager
async def shown(
    widget: CellWidget, size: tuple[int, int], *, theme: str = "dark", **values: object
) -> AsyncIterator[Pilot[None]]:
    """Run a stage of `size` (columns, rows) with the values given to the widget."""
    async with Stage(widget, theme).run_test(size=size) as pilot:
        give(widget, **values)
        await pilot.pause()
        yield pilot


def screen_text(pilot: Pilot[None]) -> str:
    """What the terminal shows, without styles, each row right-stripped."""
    stage = pilot.app
    assert isinstance(stage, Stage)
    return stage.glass.text()


async def frame(
    widget: CellWidget, size: tuple[int, int], *, theme: str = "dark", **values: object
) -> str:
    """The text frame of one widget."""
    async with shown(widget, size, theme=theme, **values) as pilot:
        return screen_text(pilot)
