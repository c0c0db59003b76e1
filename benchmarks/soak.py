"""`python -m benchmarks.soak`: the hundredth hour of a console in a terminal, in minutes.

A real console on an embedded cloud of its own lives through simulated days. Each brings a
promotion, a restart of the cloud, cuts of the request log, an outage of Cloud Monitoring, resizes,
every page, the replay and the list of rollouts. This host's history holds its full week before, so
that what is kept is at its bound from the start. In the first hour, at ×60, each of these happens
once; what is held then is compared with what is held at the end. What is measured, and how growth
is told from noise, is `benchmarks.soak_table`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.local import ROOT
from benchmarks.soak_day import DAY, SLOW, Console, Sampling, Wish, live_through
from benchmarks.soak_table import judge_rows, print_types, table

FIRST_HOUR_SPEED = SLOW
PERCENTS = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 100)
SOAK_HOURS = 2.0
STAGE = """[[stages]]
percent = {percent}
soak_hours = {hours}
[stages.criteria]
max_error_ratio = 0.05
max_p95_ms = 20_000.0
min_success_ratio = 0.9
min_confidence = 0.6
"""
ALERTS = """[alerts]
[alerts.warning]
error_ratio = 0.3
success_ratio = 0.6
[alerts.critical]
error_ratio = 0.4
success_ratio = 0.5
"""
INSTEAD = {
    "stage = 2\nsoaked_hours = 23.5": "stage = 3\nsoaked_hours = 24.0",
    "speed = 60.0": f"speed = {FIRST_HOUR_SPEED}",
    # So few that the request log can be tailed at full speed; then few make a window.
    "requests_per_s = 45.0": "requests_per_s = 1.0",
    "min_requests = 100 ": "min_requests = 5 ",
    # Two seconds of a busy machine are half an hour: what is read late is not stale at once.
    "stale_after_s = 300.0": "stale_after_s = 7200.0",
}


def write_plan(directory: Path) -> Path:
    """The repository's plan with as many stages as a week has promotions, each soon soaked, and
    requests so few that chance alone would pass its limits.
    """
    text = (ROOT / "canary.toml").read_text()
    head, tail = text.split("[[stages]]", 1)[0], text[text.index("# ── What is measured") :]
    for known, instead in INSTEAD.items():
        assert known in tail, known
        tail = tail.replace(known, instead)
    stages = "\n".join(STAGE.format(percent=p, hours=SOAK_HOURS) for p in PERCENTS[:-1])
    path = directory / "canary.toml"
    path.write_text(f"{head}{stages}\n[[stages]]\npercent = {PERCENTS[-1]}\n\n{ALERTS}\n{tail}")
    return path


def fill_history(config: Path, now: float) -> None:
    """Write a week of both sides into this host's history: what is kept is at its bound."""
    from benchmarks.week import fill
    from canary.rollout.plan.file import load_plan
    from canary.store.paths import history_path, state_dir

    fill(history_path(state_dir(load_plan(config))), now)


def main() -> None:
    """Soak, and print the table. Exits with 1 when something has grown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    day = float(len(DAY))
    parser.add_argument("--hours", type=float, default=168.0, help="simulated hours")
    parser.add_argument("--speed", type=float, default=600.0, help="cloud seconds in a real one")
    parser.add_argument("--every", type=float, default=6.0, help="simulated hours between looks")
    parser.add_argument("--types", type=int, default=0, help="so many types that grew most")
    parser.add_argument("--rows", type=Path, help="a file for all that was measured (JSON)")
    names = [act.__name__ for act in DAY]
    parser.add_argument("--only", default="", choices=names, help="one act of the day alone")
    parser.add_argument("--acts", type=float, default=day, help="acts a simulated day")
    given = parser.parse_args()
    wish = Wish(given.hours, given.speed, given.every, given.only, given.acts)
    begun, load = time.time(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="canary-soak-") as name:
        directory = Path(name) / "rollouts" / "soak"  # the list looks one folder up
        directory.mkdir(parents=True)
        os.environ["CANARY_STATE_DIR"] = str(directory / "state")
        os.environ["HOME"] = name
        config = write_plan(directory)
        fill_history(config, begun)
        with Console(config, directory, by_type=given.types > 0) as console:
            rows = []
            for row in live_through(Sampling(console), wish, FIRST_HOUR_SPEED):
                print(row.line(), flush=True)
                rows.append(row)
                if given.rows is not None:
                    given.rows.write_bytes(msgspec.json.encode((console.did, rows)))
            did = console.did
    print_types(rows, given.types)
    judged = judge_rows(rows)
    print(table(judged, rows, did, begun, (load, os.getloadavg()[0])))
    sys.exit(any(line.grew for line in judged))


if __name__ == "__main__":
    main()
