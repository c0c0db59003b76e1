"""A console that was left for the list of rollouts is gone from memory: others are opened there."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine
from tui.app import CanaryApp, run


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
