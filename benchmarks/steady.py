"""Where the console's processor goes while nobody touches it: a share for each of its threads.

`python -m benchmarks.steady --speed 60 --size 160x48`; with `--profile` what both loops spend their
time on as well (the profile itself costs two to three times as much: read the proportions). The
figures are of processor time, so that others on the machine make them larger by a fifth, not by a
factor; compare two versions side by side.
"""

from __future__ import annotations

import argparse
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.budgets import console
from benchmarks.terminal import Terminal

WARM_UP_S = 14.0
"""Modules are read, the past is asked for, the executor comes up."""
SHOWN = 40


@dataclass(frozen=True)
class Thread:
    """Seconds of processor and times woken since its start; `name` is the kernel's."""

    name: str
    cpu_s: float
    woken: int


def read_threads(pid: int) -> dict[int, Thread]:
    """The threads of a process by their number, from /proc."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            nanoseconds = int((task / "schedstat").read_text().split()[0])
            status = (task / "status").read_text()
            name = (task / "comm").read_text().strip()
        except FileNotFoundError:  # it has just ended
            continue
        woken = int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        found[int(task.name)] = Thread(name, nanoseconds / 1e9, woken)
    return found


def measure(command: Sequence[str], size: tuple[int, int], span_s: float) -> None:
    """Print what a console left alone takes: each thread in % of a core, largest first."""
    with Terminal(command, *size) as terminal:
        time.sleep(WARM_UP_S)
        before, sent = read_threads(terminal.pid), terminal.bytes_seen
        time.sleep(span_s)
        after, sent = read_threads(terminal.pid), terminal.bytes_seen - sent
        memory_mb = terminal.memory_mb()
    none = Thread("", 0.0, 0)
    rows = []
    for number, now in after.items():
        then = before.get(number, none)
        name = "the screen's" if number == terminal.pid else now.name
        percent = (now.cpu_s - then.cpu_s) / span_s * 100
        rows.append((percent, (now.woken - then.woken) / span_s, name))
    total = sum(row[0] for row in rows)
    print(f"{total:6.2f} %  {sent / span_s:.0f} bytes/s, {memory_mb:.0f} MB")
    for percent, woken, name in sorted(rows, reverse=True):
        print(f"{percent:6.2f} %  {woken:6.1f} times a second  {name}")


def show_profile(arguments: Sequence[str], size: tuple[int, int], span_s: float) -> None:
    """Print what the loops spend their time on: by what is called, then by functions alone."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "loop"
        spans = [str(out), str(WARM_UP_S), str(span_s)]
        command = [sys.executable, "-m", "benchmarks.profiled", *spans, *arguments]
        with Terminal(command, *size):
            end = time.monotonic() + WARM_UP_S + span_s + 30.0
            while time.monotonic() < end and not out.with_name("loop.done").exists():
                time.sleep(0.2)
        for path in sorted(out.parent.glob("loop.*")):
            if path.suffix == ".done":
                continue
            print(f"\n── the loop of {path.suffix[1:]}, {span_s:.0f} s ──")
            stats = pstats.Stats(str(path))
            for order in ("cumulative", "tottime"):
                stats.sort_stats(order).print_stats(SHOWN)


def main() -> None:
    """Measure once, and profile where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steady", description=__doc__)
    parser.add_argument("--speed", default="60", help="of the embedded cloud's clock (60)")
    parser.add_argument("--size", default="160x48", help="columns x rows (160x48)")
    parser.add_argument("--span", type=float, default=40.0, help="seconds that are watched (40)")
    parser.add_argument("--profile", action="store_true", help="what the loops do, too")
    given = parser.parse_args()
    columns, _, rows = given.size.partition("x")
    size = int(columns), int(rows)
    with tempfile.TemporaryDirectory() as directory:
        command = console(Path(directory), "--speed", given.speed)
        measure(command, size, given.span)
        if given.profile:
            show_profile(command[1:], size, given.span)


if __name__ == "__main__":
    main()
