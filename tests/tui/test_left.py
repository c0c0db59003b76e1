"""A console that was left for the list of rollouts is gone from memory: others are opened there."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from textual._styles_cache import StylesCache
from textual.app import App
from textual.color import Color

from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine
from tui.app import CanaryApp, run
from tui.terminal.left import forget_left


def test_what_was_left_alone_at_the_start_goes_with_its_console(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The collector is told to leave alone what was read at the start, the screen among it."""
    left: list[weakref.ref[CanaryApp]] = []

    def lived(app: CanaryApp, **_: Any) -> None:
        circle = [app]
        circle.append(circle)  # type: ignore[arg-type]
        left.append(weakref.ref(app))
        app._after_start()
        assert gc.get_freeze_count()

    thresholds = gc.get_threshold()
    monkeypatch.setattr(CanaryApp, "run", lived)
    try:
        run(scenes.plan(), ScriptedEngine)
    finally:
        gc.set_threshold(*thresholds)
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


def test_what_ended_after_its_console_was_left_is_not_left_alone_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thread of the first has ended only now: what it held is garbage when the second settles."""
    held: list[weakref.ref[CanaryApp]] = []

    def lived(app: CanaryApp, **_: Any) -> None:
        late = CanaryApp(scenes.plan(), ScriptedEngine)
        circle = [late]
        circle.append(circle)  # type: ignore[arg-type]
        held.append(weakref.ref(late))
        del late, circle
        app._after_start()

    thresholds = gc.get_threshold()
    monkeypatch.setattr(CanaryApp, "run", lived)
    try:
        run(scenes.plan(), ScriptedEngine)
        run(scenes.plan(), ScriptedEngine)
    finally:
        gc.set_threshold(*thresholds)
    assert held[1]() is None
