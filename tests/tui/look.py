"""The screen on scripted snapshots, to look at it: python -m tests.tui.look [SCENE].

One snapshot a second; the numbers move a little. Scenes: healthy, spike, watch, no-data, stale,
drift, flight, failed, last, zero, silent. --frame WxH prints one frame as text and ends.
"""

# ruff: noqa: T201
from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from typing import Any

import msgspec

from canary.rollout.snapshot.snapshot import Drift, Snapshot
from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine, staged
from tui.app import CanaryApp

SCENES: dict[str, dict[str, Any]] = {
    "healthy": {},
    "spike": {"error_ratio": 0.083},
    "watch": {"error_ratio": 0.03},
    "no-data": {"canary_samples": False},
    "stale": {"lag_s": 900},
    "drift": {"percent": 40, "drift": Drift(10, 40, "somebody@example.com", scenes.NOW - 60)},
    "flight": {"changes": (scenes.in_flight(),)},
    "failed": {"changes": (scenes.failed(),)},
    "four": {"stage": 4},
    "last": {"stage": 5},
    "zero": {"stage": 0},
    "ready": {"soaked_hours": 25},
    "silent": {},
}


def scene(name: str, now: float) -> Snapshot:
    return scenes.snapshot(scenes.plan(), now=now, **SCENES[name])


class LiveEngine(ScriptedEngine):
    """One snapshot a second on a thread, as the real one."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.speed = 60.0

    def start(self, on_snapshot, on_error, on_procedure) -> None:  # type: ignore[no-untyped-def]
        super().start(on_snapshot, on_error, on_procedure)
        if self.name == "silent":
            self.emit(scene("healthy", scenes.NOW))
        else:
            threading.Thread(target=self._play, daemon=True).start()

    def _play(self) -> None:
        started = time.monotonic()
        while self.running:
            now = scenes.NOW + (time.monotonic() - started) * self.speed
            minute = now // 60 * 60
            self.emit(msgspec.structs.replace(scene(self.name, minute), as_of=now))
            time.sleep(1.0)

    def set_scenario(self, name: str) -> None:
        self.name = {"error-spike": "spike"}.get(name, name)


async def print_frame(name: str, size: tuple[int, int], keys: list[str]) -> None:
    async with staged(size, scene(name, scenes.NOW)) as stage:
        if keys:
            await stage.press(*keys)
        print(stage.frame())


def main() -> None:
    name = next((a for a in sys.argv[1:] if not a.startswith("-") and "x" not in a), "healthy")
    if "--frame" in sys.argv:
        at = sys.argv.index("--frame")
        width, height = sys.argv[at + 1].split("x")
        keys = list(sys.argv[at + 2 :])
        asyncio.run(print_frame(name, (int(width), int(height)), keys))
        return
    engine = LiveEngine(name)
    app = CanaryApp(scenes.plan(), lambda: engine, read_only=bool(os.environ.get("READ_ONLY")))
    app.run(mouse=False)
    sys.exit(app.return_code or 0)


if __name__ == "__main__":
    main()
