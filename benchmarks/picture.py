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

from canary.engine.console.console import ConsoleEngine
from canary.rollout.plan.file import load_plan
from tui.app import CanaryApp

SIZE = (120, 40)


PLAN = Path(__file__).resolve().parents[1] / "canary.toml"


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
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["CANARY_STATE_DIR"] = directory
        asked.out.write_text(asyncio.run(draw()))
