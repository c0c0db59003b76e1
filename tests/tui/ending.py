"""The screen on a scripted engine that ends badly: python -m tests.tui.ending KIND.

Kinds: crash (while drawing), engine (the engine's start fails unforeseen), plain.
"""

from __future__ import annotations

import sys
from typing import Any

from canary.rollout.snapshot.snapshot import Snapshot
from tests.tui import scenes
from tests.tui.look import LiveEngine
from tests.tui.scripted import ScriptedEngine
from tui import app as screen

SECRET = "ya29.s3cret-t0ken"


class Crashing(screen.CanaryApp):
    """Fails on the first snapshot, with a secret in its hands."""

    def show(self, snapshot: Snapshot) -> None:
        credential = f"{SECRET[:5]}{SECRET[5:]}"
        raise ZeroDivisionError(len(credential))


def failing_engine() -> ScriptedEngine:
    credential = SECRET
    raise ZeroDivisionError(len(credential))


def main() -> None:
    kind = sys.argv[1]
    builds: dict[str, Any] = {
        "crash": lambda: LiveEngine("healthy"),
        "engine": failing_engine,
        "plain": lambda: LiveEngine("silent"),
    }
    chosen = Crashing if kind == "crash" else screen.CanaryApp
    app = chosen(scenes.plan(), builds[kind])
    app.run(mouse=False)
    sys.exit(app.return_code or 0)


if __name__ == "__main__":
    main()
