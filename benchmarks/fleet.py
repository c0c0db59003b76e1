"""Prints what two hundred rollouts in one list cost, beside btop in the same run.

Run it on a quiet machine: `python -m benchmarks.fleet` (about six minutes; `--quick` about four).
k9s, the list that comes nearest, needs a Kubernetes cluster and is not measured. Nothing here is a
test: the figures are for people.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks import measures
from benchmarks.budgets import Row, ms, print_rows, which
from benchmarks.local import CANARY, Tap, crowd, write_plan
from benchmarks.terminal import Terminal

ROLLOUTS = 200
SIZE = (160, 48)
ROWS = re.compile(rf"of {ROLLOUTS} (need you|wait for a person)|{ROLLOUTS} rollouts")
LONGEST_START_S = 120.0
K9S = "the rest is the cloud's; k9s needs a cluster: not measured"
WARM_UP_S = 70.0
"""The first reading goes further back than those that come each minute."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="watch two minutes, not four")
    quick = parser.parse_args().quick
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print_rows([*fleet_rows(125.0 if quick else 245.0)])


def fleet_rows(watched_s: float) -> list[Row]:
    """The list left alone for `watched_s` after its first minute; then btop at the same size."""
    with (
        tempfile.TemporaryDirectory() as name,
        crowd(ROLLOUTS) as ready,
        Tap(ready["grpc"]) as tap,
    ):
        directory = Path(name)
        write_plan(directory, tap.address)
        command = [CANARY, "fleet", "--watch", "--project", "naeda-genesis"]
        env = {"CANARY_STATE_DIR": name}
        with Terminal(command, *SIZE, env=env, cwd=directory) as terminal:
            first = terminal.wait_for(lambda text: bool(ROWS.search(text)), LONGEST_START_S)
            if first is None:
                print(terminal.text(), file=sys.stderr)
                return [Row(f"{ROLLOUTS} rollouts: first rows", "", "not seen")]
            begun_s = terminal.cpu_s()
            time.sleep(WARM_UP_S)
            before = (terminal.bytes_seen, terminal.cpu_s(), time.monotonic())
            time.sleep(watched_s)
            took_s = time.monotonic() - before[2]
            sent = (terminal.bytes_seen - before[0]) / took_s
            cpu = (terminal.cpu_s() - before[1]) / took_s * 100
            memory, until = terminal.memory_mb(), time.monotonic()
        calls = Counter(method for at, method in tap.calls if before[2] <= at <= until)
    peer = measures.steady(["btop"], SIZE, None, 3, 20) if which("btop") else None
    asked = calls["ListTimeSeries"] / took_s * 60
    others = ", ".join(f"{n} {m}" for m, n in calls.most_common() if m != "ListTimeSeries")
    told = ("", "", "") if peer is None else (
        f"btop {peer.bytes_per_s:.0f}", f"btop {peer.cpu_percent:.1f}", f"btop {peer.memory_mb:.0f}"
    )  # fmt: skip
    where = f"{ROLLOUTS} rollouts, {SIZE[0]}×{SIZE[1]}"
    return [
        Row(f"{where}: first rows", "", f"{ms(first)}, {begun_s:.1f} s of work", K9S),
        Row("ListTimeSeries a minute", "≤ 12", f"{asked:.1f}", f"beside them: {others or 'none'}"),
        Row("bytes/s", "≤ 3000", f"{sent:.0f}", told[0]),
        Row("processor", "≤ 5 %", f"{cpu:.1f} %", told[1]),
        Row("memory", "≤ 250 MB", f"{memory:.0f} MB", told[2]),
    ]


if __name__ == "__main__":
    main()
