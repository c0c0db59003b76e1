"""`python -m benchmarks.live_evidence [seed …]`: how soon the screen says that Canary is worse.

The console in a terminal of its own at 80×24, on the embedded cloud at its true speed: stage 1, 100
requests a second, entered six minutes before. Once the request log is read, the scenario
error-spike begins (Canary answers 8 % with 5xx, Legacy 0.8 %), and the screen is read each second,
as a person would, until it says "worse now" and then "proven worse". Each seed takes up to eight
minutes, `--jobs` of them at a time; prints each with what the proof rests on, and both medians.
Needs pyte. Exits 1 when a median is over its bar, or either word is there before the errors.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from benchmarks.local import CANARY, ROOT
from benchmarks.terminal import Terminal
from canary.cloud.embedded.embedded import open_embedded
from canary.rollout.errors import Unavailable
from canary.rollout.plan.file import load_plan
from canary.rollout.plan.plan import Plan
from canary.simulator.world.traffic.behaviour import BUSIEST_HOUR, DAILY_SWING
from canary.store.paths import STATE_DIR_VARIABLE, state_dir

SEEDS = (1, 2, 3, 4, 5)
REQUESTS_PER_S = 100.0
SOAKED_HOURS = 0.1
TRIES = 10
_Answer = TypeVar("_Answer")

HEALTHY_S = 30.0
"""So long the request log is read before the errors come."""

UP = re.compile("GO ON|NO DATA|READY|HEALTHY|SETTLING|SILENT|OFF")
PATIENCE_S = 480.0
MOST_WORSE_NOW_S = 120.0
MOST_PROVEN_S = 360.0

READS_LOG = re.compile(r"request log")
RESTS_ON = re.compile(r"from \d\d:\d\d:\d\dZ: canary")
"""The row of the panel that says on what the proof rests."""

WORSE = re.compile(r"(?i)worse now|proven worse")
"""Either tier's words: a proof says "proven worse"."""

PROVEN = re.compile(r"(?i)proven worse")


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from the errors to each word on the screen; infinite where it never came.

    Negative where the word was there before the errors. `rests_on`: the proof's own line, or why
    nothing was measured.
    """

    worse_now_s: float = math.inf
    proven_s: float = math.inf
    rests_on: str = ""


def main() -> int:
    """Measure each seed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_evidence", description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, help=f"{SEEDS} if none is given")
    parser.add_argument("--jobs", type=int, default=1, help="so many seeds at a time")
    asked = parser.parse_args()
    seeds = tuple(asked.seeds) or SEEDS
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    measured: list[Delays] = []
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        for seed, delays in zip(seeds, pool.map(measure, seeds), strict=True):
            measured.append(delays)
            words = f"worse now {delays.worse_now_s:.0f} s, proven {delays.proven_s:.0f} s"
            print(f"seed {seed}: {words}   {delays.rests_on}", flush=True)
    worse_now = statistics.median(each.worse_now_s for each in measured)
    proven = statistics.median(each.proven_s for each in measured)
    print(f"median of {len(seeds)}: worse now {worse_now:.0f} s (at most {MOST_WORSE_NOW_S:.0f})")
    print(f"median of {len(seeds)}: proven {proven:.0f} s (at most {MOST_PROVEN_S:.0f})")
    met = worse_now <= MOST_WORSE_NOW_S and proven <= MOST_PROVEN_S
    return 0 if met and all(each.worse_now_s >= 0 for each in measured) else 1


def measure(seed: int) -> Delays:
    """What the screen of one console, with a cloud and a state directory of its own, says when."""
    with tempfile.TemporaryDirectory() as name:
        os.environ[STATE_DIR_VARIABLE] = name
        plan_path = _write_plan(Path(name), seed)
        command = [CANARY, "--config", str(plan_path)]
        with Terminal(command, 80, 24, cwd=ROOT) as terminal:
            return asyncio.run(_watch(terminal, load_plan(plan_path)))


def _write_plan(directory: Path, seed: int) -> Path:
    text = (ROOT / "canary.toml").read_text()
    # The plan names the day's mean; it is the rate of this hour that is to be 100.
    hours = (time.time() / 3600 - BUSIEST_HOUR) / 24
    mean = REQUESTS_PER_S / (1 + DAILY_SWING * math.cos(2 * math.pi * hours))
    wanted = {"speed": 1.0, "seed": seed, "stage": 1, "requests_per_s": round(mean, 1)}
    wanted["soaked_hours"] = SOAKED_HOURS
    for key, value in wanted.items():
        text, found = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", text)
        assert found == 1, key
    path = directory / "canary.toml"
    path.write_text(text)
    return path


async def _watch(terminal: Terminal, plan: Plan) -> Delays:
    if await _until(terminal, UP, 60.0) is None:
        return Delays(rests_on="the console did not come up")
    cloud = await _patiently(lambda: open_embedded(plan, state_dir(plan)))
    try:
        terminal.press("E")
        if await _until(terminal, READS_LOG, 90.0) is None:
            return Delays(rests_on="the request log is not read")
        terminal.press("E")
        await asyncio.sleep(HEALTHY_S)
        if WORSE.search(terminal.text()):
            return Delays(-1.0, -1.0, "worse before there was anything")
        await _patiently(lambda: cloud.set_scenario("error-spike", {}))
        begun = time.monotonic()
        worse_now = await _until(terminal, WORSE, PATIENCE_S)
        proven = await _until(terminal, PROVEN, PATIENCE_S - (time.monotonic() - begun))
        proven_s = math.inf if proven is None else time.monotonic() - begun
        terminal.press("E")
        await _until(terminal, RESTS_ON, 5.0)
        line = next((row for row in terminal.text().splitlines() if RESTS_ON.search(row)), "")
        return Delays(math.inf if worse_now is None else worse_now, proven_s, line.strip(" │"))
    finally:
        await cloud.close()


async def _patiently(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Ask the embedded cloud, which on a busy machine may not answer at once."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(Unavailable):
            return await ask()
    return await ask()


async def _until(terminal: Terminal, seen: re.Pattern[str], patience_s: float) -> float | None:
    """Read the screen each second; seconds until it shows `seen`, None when it never did."""
    begun = time.monotonic()
    while time.monotonic() - begun < patience_s:
        if seen.search(terminal.text()):
            return time.monotonic() - begun
        await asyncio.sleep(1.0)
    return None


if __name__ == "__main__":
    sys.exit(main())
