"""What the collector is told to leave alone at a console's start goes when the console is left.

A process of `test_left.py`, since it looks through all objects that there are: `python -m
tests.tui.left_alone SCENE` ends with 0, or with what is not as it is claimed.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

from canary.paint.first import START_GARBAGE_AFTER
from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine
from tui.app import GARBAGE_AFTER, CanaryApp, run


def left_alone_at_the_start() -> None:
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
    CanaryApp.run = lived  # type: ignore[assignment, method-assign]
    run(scenes.plan(), ScriptedEngine)
    gc.collect()
    assert left[0]() is None


def ended_late() -> None:
    """On a busy host a thread of the one before closes what it had open when the next has settled:
    what it held is collected a while later.
    """
    later: list[Callable[[], None]] = []
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

    CanaryApp.set_timer = lambda _, __, act: later.append(act)  # type: ignore[assignment]
    CanaryApp.run = lived  # type: ignore[assignment, method-assign]
    run(scenes.plan(), ScriptedEngine)
    run(scenes.plan(), ScriptedEngine)
    assert held[1]() is None


if __name__ == "__main__":
    {"left_alone_at_the_start": left_alone_at_the_start, "ended_late": ended_late}[sys.argv[1]]()
