"""A console that was left for the list of rollouts is gone from memory: others are opened there."""

from __future__ import annotations

import subprocess
import sys
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual._styles_cache import StylesCache
from textual.app import App
from textual.color import Color
from textual.command import CommandList
from textual.worker import WorkerState

from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine, Stage, staged
from tui.app import CanaryApp
from tui.palette import Palette
from tui.terminal.left import forget_left

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("scene", ["left_alone_at_the_start", "ended_late"])
def test_what_was_left_alone_goes_with_its_console(scene: str) -> None:
    """In a process of its own: here the collector would look through all that other tests left."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.tui.left_alone", scene],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_thread_that_began_in_it_keeps_it_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that waits for the embedded cloud's end lives longer than the console."""
    monkeypatch.setattr(App, "run", lambda *_, **__: None)
    app = CanaryApp(scenes.plan(), ScriptedEngine)
    captured = app._capture_stderr
    app.run(mouse=False)
    assert captured.app is not app
    captured.write("said too late")
    captured.flush()


def test_what_textual_remembers_by_a_widget_goes_with_it() -> None:
    drawn = StylesCache()
    drawn.get_inner_outer(Color(0, 0, 0), Color(1, 1, 1))
    left = weakref.ref(drawn)
    del drawn
    forget_left()
    assert left() is None


async def searching(
    stage: Stage, *, left_by: Callable[[Palette], Awaitable[object]]
) -> WorkerState:
    """How a search ended that was asked for before the palette was left, and runs after it."""
    await stage.press("colon")
    palette = stage.app.screen
    assert isinstance(palette, Palette)

    async def search() -> None:
        palette.query_one(CommandList)

    await left_by(palette)
    worker = palette.run_worker(search)
    await stage.settle()
    return worker.state


async def test_a_palette_that_is_left_while_it_still_searches_ends_nothing() -> None:
    """`:` and Esc at once, on a slow host: the search finds the list of entries gone."""
    async with staged((80, 24)) as stage:
        state = await searching(stage, left_by=lambda _: stage.app.pop_screen())
        assert state == WorkerState.SUCCESS
        assert stage.app.is_running


async def test_a_palette_whose_console_ends_while_it_searches_ends_nothing_by_an_error() -> None:
    """The list of entries goes before the palette itself does."""
    async with staged((80, 24)) as stage:
        state = await searching(stage, left_by=lambda each: each.query_one(CommandList).remove())
        assert state == WorkerState.SUCCESS
