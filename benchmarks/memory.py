"""`python -m benchmarks.memory`: memory of what runs for days, over simulated days at speed.

`canary guard`, `canary monitor` and the console's engine observe one embedded cloud, each in a
process of its own. This host's history holds its full week before they begin, so that what is kept
is at its bound from the start and every growth is a leak. Prints the resident memory (MB) of the
three and of the cloud every few simulated hours, and how much it grew from the first such row on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.local import CANARY, ROOT
from benchmarks.week import fill

HOUR_S = 3600.0
ROW_HOURS = 4.0
START_S = 20.0
"""Real seconds that the processes have to start and read what is there."""


def resident_mb(pid: int) -> float:
    """Resident memory of a process, MB; NaN when it is gone."""
    with contextlib.suppress(OSError, IndexError):
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024
    return float("nan")


def write_plan(directory: Path, speed: float) -> Path:
    """The repository's plan, at another speed."""
    text = (ROOT / "canary.toml").read_text().replace("speed = 60.0", f"speed = {speed}")
    path = directory / "canary.toml"
    path.write_text(text)
    return path


def run_engine(config: Path) -> None:
    """Be the console's engine without a screen, until killed."""
    from canary.engine.console.console import ConsoleEngine
    from canary.rollout.plan.file import load_plan

    assert gc.isenabled()
    engine = ConsoleEngine(load_plan(config), config)
    engine.start(lambda _: None, lambda sentence: print(sentence, file=sys.stderr))
    threading.Event().wait()


@contextlib.contextmanager
def observers(config: Path, directory: Path) -> Iterator[dict[str, int]]:
    """The three processes; their ids by name. Ended with the block."""
    plan = ["--config", str(config)]
    commands = {
        "guard": [CANARY, *plan, "guard"],
        "monitor": [CANARY, *plan, "monitor", "--every", "30m", "--for", "0"],
        "console": [sys.executable, "-m", "benchmarks.memory", "--engine", str(config)],
    }
    with contextlib.ExitStack() as stack:
        running = {}
        for name, command in commands.items():
            output = stack.enter_context((directory / f"{name}.log").open("w"))
            running[name] = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            yield {name: process.pid for name, process in running.items()}
        finally:
            for process in running.values():
                process.terminate()
            for process in running.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)


async def measure(config: Path, directory: Path, hours: float) -> list[list[float]]:
    """A row every few simulated hours: hours since the begin, then MB of each process."""
    from canary.engine.session import Session
    from canary.rollout.plan.file import load_plan
    from canary.store.paths import history_path, state_dir

    plan = load_plan(config)
    async with await Session.open(plan, config, need_metrics=False) as session:
        assert session.embedded is not None
        fill(history_path(state_dir(plan)), session.clock.now())
        with observers(config, directory) as pids:
            pids["cloud"] = session.embedded.pid
            print("hours  " + "  ".join(f"{name:>8}" for name in pids), flush=True)
            await asyncio.sleep(START_S)
            began, rows = session.clock.now(), []
            while not rows or rows[-1][0] < hours:
                at = (session.clock.now() - began) / HOUR_S
                rows.append([at, *(resident_mb(pid) for pid in pids.values())])
                print(f"{at:5.1f}  " + "  ".join(f"{mb:8.1f}" for mb in rows[-1][1:]), flush=True)
                await asyncio.sleep(ROW_HOURS * HOUR_S / session.clock.speed)
                await session.embedded.refresh()
    return rows


def main() -> None:
    """Measure, and say the growth of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speed", type=float, default=600.0, help="cloud seconds in a real one")
    parser.add_argument("--hours", type=float, default=48.0, help="simulated hours")
    parser.add_argument("--engine", metavar="FILE", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.engine is not None:
        run_engine(Path(given.engine))
        return
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        os.environ["CANARY_STATE_DIR"] = str(directory / "state")
        rows = asyncio.run(measure(write_plan(directory, given.speed), directory, given.hours))
    grown = [last - first for first, last in zip(rows[0], rows[-1], strict=True)]
    print("grown  " + "  ".join(f"{mb:+8.1f}" for mb in grown[1:]))
    print(f"{grown[0]:.1f} simulated hours in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
