"""Draws the README's picture: the real console on the embedded cloud, as SVG.

`python -m benchmarks.picture docs/console.svg` opens the console without a terminal, waits until
the numbers are there, changes nothing, and writes what a person would see.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
import time
from pathlib import Path

from canary.cli.recordings import read_recording
from canary.cli.setup.drill import drill_plan
from canary.engine.console.console import ConsoleEngine
from canary.rollout.errors import Unavailable
from canary.rollout.plan.file import load_plan
from canary.rollout.recording.drills import DRILLS
from canary.rollout.recording.playback import read_moment
from tui.app import CanaryApp
from tui.engine_port import Past

SIZE = (120, 40)


PLAN = Path(__file__).resolve().parents[1] / "canary.toml"


async def draw_replay(file: str, at: str) -> str:
    """What a recording showed at a moment."""
    recording, plan = read_recording(file)
    past = Past(lambda: recording, is_alone=True, at=read_moment(at, 0.0, recording.end))
    app = CanaryApp(plan, no_engine, past=past)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(2)
        return without_web_fonts(app.export_screenshot(title="canary replay"))


def no_engine() -> ConsoleEngine:
    """A recording has nothing live behind it."""
    raise Unavailable("This is a recording.")


async def draw_drill() -> str:
    """A drill before anything happens."""
    plan = drill_plan(load_plan(PLAN), DRILLS[0], 10.0, 1)
    place = Path(os.environ["CANARY_STATE_DIR"]) / "canary.toml"
    app = CanaryApp(plan, lambda: ConsoleEngine(plan, place))
    async with app.run_test(size=SIZE) as pilot:
        end = time.monotonic() + 30
        while time.monotonic() < end and not (app.main.snapshot and app.main.snapshot.backfilled):
            await pilot.pause(0.2)
        await pilot.pause(5)
        return without_web_fonts(app.export_screenshot(title="canary drill"))


async def draw() -> str:
    """Open, wait for half a minute of live numbers at most, and export."""
    plan = load_plan(PLAN)
    app = CanaryApp(plan, lambda: ConsoleEngine(plan, PLAN, read_only=False, fresh=True))
    async with app.run_test(size=SIZE) as pilot:
        end = time.monotonic() + 30
        while time.monotonic() < end and not (app.main.snapshot and app.main.snapshot.backfilled):
            await pilot.pause(0.2)
        await pilot.pause(5)
        return without_web_fonts(app.export_screenshot(title="canary"))


def without_web_fonts(svg: str) -> str:
    """The picture must not fetch anything: the reader's own monospaced font is good enough."""
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.picture", description=__doc__)
    parser.add_argument("out", type=Path, help="the SVG file, as docs/console.svg")
    parser.add_argument("--replay", metavar="FILE", help="a recording, instead of a live console")
    parser.add_argument("--at", default="10:03", help="which moment of it")
    parser.add_argument("--drill", action="store_true", help="a drill, instead of a live console")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["CANARY_STATE_DIR"] = directory
        drawn = draw_replay(asked.replay, asked.at) if asked.replay else draw()
        asked.out.write_text(asyncio.run(draw_drill() if asked.drill else drawn))
