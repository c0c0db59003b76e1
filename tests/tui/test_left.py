"""A console that was left for the list of rollouts is gone from memory: others are opened there."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from textual._styles_cache import StylesCache
from textual.app import App
from textual.color import Color
from textual.command import CommandList
from textual.worker import WorkerState

from canary.paint.first import START_GARBAGE_AFTER
from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine, Stage, staged
from tui.app import GARBAGE_AFTER, CanaryApp, run
from tui.palette import Palette
from tui.terminal.left import forget_left


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    """What is to be done a while later; how often garbage is looked for is given back."""
    found: list[Callable[[], None]] = []
    monkeypatch.setattr(CanaryApp, "set_timer", lambda _, __, act: found.append(act))
    thresholds = gc.get_threshold()
    yield found
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    gc.collect()
    gc.freeze()  # as after the collection of the tests: see tests/conftest.py


def test_what_was_left_alone_at_the_start_goes_with_its_console(
    monkeypatch: pytest.MonkeyPatch, later: list[Callable[[], None]]
) -> None:
    """The collector is told to leave alone what was read at the start, the screen among it."""
    left: list[weakref.ref[CanaryApp]] = []

    def lived(app: CanaryApp, **_: Any) -> None:
        circle = [app]
        circle.append(circle)  # type: ignore[arg-type]
        left.append(weakref.ref(app))
        assert gc.get_threshold()[0] == START_GARBAGE_AFTER
        app._after_start()
        assert gc.get_threshold()[0] == GARBAGE_AFTER
        assert gc.get_freeze_count()

    gc.set_threshold(START_GARBAGE_AFTER)  # as the first paint does
    monkeypatch.setattr(CanaryApp, "run", lived)
    run(scenes.plan(), ScriptedEngine)
    gc.collect()
    assert left[0]() is None


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


def test_what_ended_late_is_not_left_alone_by_the_next_console(
    monkeypatch: pytest.MonkeyPatch, later: list[Callable[[], None]]
) -> None:
    """On a busy host a thread of the one before closes what it had open when the next has settled:
    what it held is collected a while later.
    """
    held: list[weakref.ref[CanaryApp]] = []
    late: list[CanaryApp] = []

    def lived(app: CanaryApp, **_: Any) -> None:
        late.append(CanaryApp(scenes.plan(), ScriptedEngine))
        late.append(late)  # type: ignore[arg-type]
        held.append(weakref.ref(late[0]))
        app._after_start()
        late.clear()
        for act in later:
            act()

    monkeypatch.setattr(CanaryApp, "run", lived)
    run(scenes.plan(), ScriptedEngine)
    run(scenes.plan(), ScriptedEngine)
    assert held[1]() is None


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
