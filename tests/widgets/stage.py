"""An app with one widget in it, its plain text, and what it repaints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen

from tests import quiescence
from tests.widgets.scenes import NOW, PLAN
from themes import make_themes
from widgets.economy import economize
from widgets.plots.cells import CellWidget

quiescence.install()


class Bare(Screen[None]):
    """A screen without anything of its own, written economically."""

    AUTO_FOCUS = None

    def __init__(self, widget: CellWidget) -> None:
        super().__init__()
        economize(self)
        widget.styles.height = "1fr"
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


class Stage(App[None]):
    """One widget fills the terminal."""

    def __init__(self, widget: CellWidget, theme: str = "dark") -> None:
        super().__init__(ansi_color=True if theme == "mono" else None)
        self.widget = widget
        for each in make_themes():
            self.register_theme(each)
        self.theme = theme

    def get_default_screen(self) -> Screen[None]:
        return Bare(self.widget)


def give(widget: CellWidget, **values: object) -> None:
    """Set those of the values that the widget knows; plan and now have defaults."""
    for name, value in ({"plan": PLAN, "now": NOW} | values).items():
        if name in widget._reactives:
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
    """What is on the screen, without styles, each row right-stripped."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def frame(
    widget: CellWidget, size: tuple[int, int], *, theme: str = "dark", **values: object
) -> str:
    """The text frame of one widget."""
    async with shown(widget, size, theme=theme, **values) as pilot:
        return screen_text(pilot)
