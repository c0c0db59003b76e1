"""Prints the budget table of the console: own figures beside peers measured the same way.

Run it on a quiet machine: `python -m benchmarks.budgets` (about four minutes; `--quick` about two).
Peers that are not installed are named as such. Nothing here is a test: the figures are for people.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import first_frame as until_ready
from benchmarks import measures, week
from benchmarks.local import CANARY, ROOT, Tap, simulator, write_plan
from benchmarks.terminal import Terminal

WIDE, NARROW = (160, 48), (80, 24)
NUMBERS = re.compile(r"HEALTHY|READY|WATCH|ROLL BACK")
STRIP = re.compile(r"y confirm")
KEYS = re.compile(r"R roll back")
"""Stands in the first frame of Textual, and not in the first paint."""
CALM_S = 3.0
"""The cloud of the console that was just killed computes its history until about then."""
OPENING_S = 5.0
"""Within them the newest hour is read, and at once the rest of the soak."""
QUICK = "--quick" in sys.argv


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    budget: str
    ours: str
    peer: str = ""


def main() -> None:
    """Measure and print, a line as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budgets", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats: about two minutes")
    parser.parse_args()
    # An installed program has its bytecode; some build machines forbid writing it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sections: tuple[Callable[[], list[Row]], ...] = (
        start_rows,
        lambda: steady_rows(speed=1.0),
        lambda: steady_rows(speed=60.0),
        strip_rows,
        wire_rows,
        shell_rows,
        week_rows,
    )
    print_rows(row for section in sections for row in section())


def print_rows(rows: Iterable[Row]) -> None:
    """The table, each line as soon as it is known."""
    print(f"{'':54}{'budget':>14}  {'measured':<28}peer, same run")
    for row in rows:
        print(f"{row.what:54}{row.budget:>14}  {row.ours:<28}{row.peer}", flush=True)


def console(directory: Path, *more: str) -> list[str]:
    """The console on the embedded cloud, with its state in `directory`."""
    os.environ["CANARY_STATE_DIR"] = str(directory)
    return [CANARY, "demo", "-c", str(ROOT / "canary.toml"), *more]


def start_rows() -> list[Row]:
    """First paint, first frame, and first live numbers from a cold start."""
    repeat = 3 if QUICK else 7

    def ours(until: Callable[[str], bool]) -> float | None:
        time.sleep(CALM_S)
        with tempfile.TemporaryDirectory() as directory:
            return measures.seen_after_s(console(Path(directory)), WIDE, until)

    paint = paint_row(repeat)
    frame = measures.median(repeat, lambda: ours(lambda text: bool(KEYS.search(text))))
    numbers = measures.median(repeat, lambda: ours(lambda text: bool(NUMBERS.search(text))))
    empty = [sys.executable, "-m", "benchmarks.empty_app"]
    peers = [("empty Textual app", empty), ("htop", ["htop"]), ("btop", ["btop"])]
    told = ", ".join(f"{name} {ms(first_frame(command, repeat))}" for name, command in peers)
    return [
        paint,
        Row("first frame of Textual", "≤ 400 ms", ms(frame), told),
        *frame_cost_rows(repeat),
        Row("first live numbers, embedded cloud started cold", "≤ 1.5 s", ms(numbers)),
    ]


def paint_row(repeat: int) -> Row:
    """What was last seen, beside the least that any Python takes."""
    with tempfile.TemporaryDirectory() as directory:
        command = console(Path(directory))
        measures.seen_after_s(command, WIDE, lambda text: bool(NUMBERS.search(text)))
        seen = re.compile(r"last seen")
        found = measures.median(
            repeat, lambda: measures.seen_after_s(command, WIDE, lambda t: bool(seen.search(t)))
        )
    bare = until_ready.bare_python_s(repeat)
    times = "" if found is None else f" (×{found / bare:.1f})"
    told = f"python -c pass {ms(bare)}"
    return Row("first paint: what was last seen", "≤ 100 ms or ×4", f"{ms(found)}{times}", told)


def frame_cost_rows(repeat: int) -> list[Row]:
    """The way to the first frame beside an empty app's, in what a busy machine does not change."""
    ours, empty = until_ready.COMMANDS["console"], until_ready.COMMANDS["empty"]
    with tempfile.TemporaryDirectory() as directory:
        console(Path(directory))
        pairs = [
            (until_ready.cpu_s(ours, WIDE), until_ready.cpu_s(empty, WIDE)) for _ in range(repeat)
        ]
        counted = until_ready.instructions(ours, WIDE), until_ready.instructions(empty, WIDE)
    cpu = statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
    rows = [Row("… processor until then", "≤ ×1.15", f"{ms(cpu[0])} (×{cpu[0] / cpu[1]:.2f})")]
    if counted[0] and counted[1]:
        told = f"{counted[0] / 1e6:.0f} M (×{counted[0] / counted[1]:.2f})"
        rows.append(Row("… instructions until then", "≤ ×1.15", told, f"{counted[1] / 1e6:.0f} M"))
    return rows


def first_frame(command: list[str], repeat: int) -> float | None:
    """Median seconds to the first frame of a peer; None when it is not installed."""
    if shutil.which(command[0]) is None:
        return None
    return measures.median(repeat, lambda: measures.first_frame_s(command, WIDE))


def has_text(text: str) -> bool:
    """Whether something has been drawn: 40 characters that are not blank."""
    return sum(not c.isspace() for c in text) >= 40


def steady_rows(speed: float) -> list[Row]:
    """Bytes on the wire, processor and memory, left alone."""
    watched = 15.0 if QUICK else 40.0
    rows = []
    for size, budget in ((WIDE, 5000), (NARROW, 2000)):
        with tempfile.TemporaryDirectory() as directory:
            command = console(Path(directory), "--speed", str(speed))
            ours = measures.steady(command, size, warm_up_s=12.0, watched_s=watched)
        peers = [(n, measures.steady([n], size, None, 3, 10)) for n in ("btop", "htop") if which(n)]
        where = f"{size[0]}×{size[1]}, clock ×{speed:g}"
        wire = ", ".join(f"{name} {peer.bytes_per_s:.0f}" for name, peer in peers)
        cpu = ", ".join(f"{name} {peer.cpu_percent:.1f}" for name, peer in peers)
        memory = ", ".join(f"{name} {peer.memory_mb:.0f}" for name, peer in peers)
        rows += [
            Row(f"bytes/s, {where}", f"≤ {budget}", f"{ours.bytes_per_s:.0f}", wire),
            Row(f"processor, {where}", "≤ 3 %", f"{ours.cpu_percent:.1f} %", cpu),
            Row(f"memory, {where}", "≤ 120 MB", f"{ours.memory_mb:.0f} MB", memory),
        ]
    return rows


def strip_rows() -> list[Row]:
    """Opening the confirm strip, in a quiet second."""
    found = []
    with (
        tempfile.TemporaryDirectory() as directory,
        Terminal(console(Path(directory), "--speed", "1"), *WIDE) as terminal,
    ):
        terminal.wait_for(lambda text: bool(NUMBERS.search(text)))
        time.sleep(6)
        for _ in range(9):
            pressed = measures.keypress(terminal, "R", lambda t: bool(STRIP.search(t)))
            if pressed is not None:
                found.append(pressed)
            terminal.press("\x1b")
            time.sleep(0.6)
    if not found:
        return [Row("opening the confirm strip", "≤ 500 bytes", "did not open")]
    size = statistics.median(p.bytes for p in found)
    seconds = statistics.median(p.seconds for p in found)
    return [
        Row("opening the confirm strip", "≤ 500 bytes", f"{size:.0f} bytes"),
        Row("… until it is seen", "≤ 20 ms", ms(seconds)),
    ]


def wire_rows() -> list[Row]:
    """From `y` to UpdateService on the wire; and what a refresh reads."""
    with (
        tempfile.TemporaryDirectory() as name,
        simulator(operation_s=0) as ready,
        Tap(ready["grpc"]) as tap,
    ):
        directory = Path(name)
        plan = write_plan(directory, tap.address, refresh_s=5.0)
        os.environ["CANARY_STATE_DIR"] = name
        with Terminal([CANARY, "-c", str(plan)], *WIDE) as terminal:
            terminal.wait_for(lambda text: bool(NUMBERS.search(text)))
            reads = reads_a_refresh(tap)
            taken = [t for t in (confirm_once(terminal, tap, keys) for keys in "RpRpRpR") if t]
    return [
        Row("`y` → UpdateService on the wire, median", "≤ 50 ms", ms(median_or_none(taken))),
        Row("ListTimeSeries calls a refresh, both sides", "≤ 6", str(reads), "naive: 18"),
    ]


def reads_a_refresh(tap: Tap) -> int:
    """The ListTimeSeries calls of the first refresh after the opening, which asks for history too.

    0: none came within 75 s, more than the minute in which there must be a new one.
    """

    def refreshed() -> int:
        calls = [at for at, method in tap.calls if method == "ListTimeSeries"]
        return sum(at - calls[0] > OPENING_S for at in calls)

    opened = time.monotonic()
    while not refreshed() and time.monotonic() - opened < 75:
        time.sleep(1)
    time.sleep(1)
    return refreshed()


def confirm_once(terminal: Terminal, tap: Tap, key: str) -> float | None:
    """Open the strip with `key`, confirm, and wait for the update; seconds from `y`."""
    if measures.keypress(terminal, key, lambda t: bool(STRIP.search(t))) is None:
        return None
    time.sleep(0.3)
    seen = len(tap.calls)
    pressed = time.monotonic()
    terminal.press("y")
    while time.monotonic() - pressed < 5:
        sent = [at for at, method in tap.calls[seen:] if method == "UpdateService"]
        if sent:
            time.sleep(2)
            terminal.press("\r")
            return sent[0] - pressed
        time.sleep(0.002)
    return None


def shell_rows() -> list[Row]:
    """The quick rollback as a whole process, beside gcloud against the same server."""
    with tempfile.TemporaryDirectory() as name, simulator(operation_s=0) as ready:
        plan = write_plan(Path(name), ready["grpc"])
        env = {**os.environ, "CANARY_STATE_DIR": name}
        command = [CANARY, "rollback", "--all", "--yes", "--no-verify", "-c", str(plan)]
        ours = time_process(command, env)
        bare = time_process([sys.executable, "-c", BARE_CLIENT, ready["grpc"]], env)
        gcloud = gcloud_s(ready)
    told = f"gcloud {ms(gcloud)}, bare Python gRPC client {ms(bare)}"
    budget = f"≤ {ms(gcloud / 2)}" if gcloud else "≤ ½ gcloud"
    return [Row("canary rollback --all --yes, whole process", budget, ms(ours), told)]


BARE_CLIENT = """
import sys, grpc
from google.cloud.run_v2.services.services.transports.grpc import ServicesGrpcTransport
from google.cloud.run_v2 import ServicesClient
transport = ServicesGrpcTransport(channel=grpc.insecure_channel(sys.argv[1]))
client = ServicesClient(transport=transport)
client.get_service(name="projects/naeda-genesis/locations/us-central1/services/ion-api")
"""


def gcloud_s(ready: dict[str, str]) -> float | None:
    """`gcloud run services update-traffic`-like change on the same server; None without gcloud."""
    if not which("gcloud"):
        return None
    env = {
        **os.environ,
        # gcloud puts the region before the host name; its own proxy settings lead that to loopback.
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": "http://run.localhost/",
        "CLOUDSDK_PROXY_TYPE": "http_no_tunnel",
        "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
        "CLOUDSDK_PROXY_PORT": ready["rest"].rsplit(":", 1)[1],
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "oncall@example.com",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
    }
    command = ["gcloud", "run", "services", "update-traffic", "ion-api", "--to-latest"]
    command += ["--region=us-central1", "--project=naeda-genesis", "--quiet"]
    return time_process(command, env)


def time_process(command: list[str], env: dict[str, str]) -> float | None:
    """Median seconds of a whole process over some runs; None when it fails."""
    taken = []
    for _ in range(5 if QUICK else 9):
        started = time.perf_counter()
        done = subprocess.run(command, env=env, capture_output=True, cwd=ROOT, check=False)
        if done.returncode != 0:
            print(f"  {command[0]} failed: {done.stderr.decode()[-300:]}", file=sys.stderr)
            return None
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def week_rows() -> list[Row]:
    """Seven days at 60 s of both sides from the record."""
    from canary.rollout.plan.file import load_plan
    from canary.store.paths import history_path, state_dir

    with tempfile.TemporaryDirectory() as name, simulator() as ready:
        plan = write_plan(Path(name), ready["grpc"])
        os.environ["CANARY_STATE_DIR"] = name
        week.fill(history_path(state_dir(load_plan(plan))), time.time())
        command = [sys.executable, "-m", "benchmarks.week", str(plan), name]
        told = json.loads(subprocess.check_output(command, cwd=ROOT))
    total = told["load_s"] + told["snapshot_s"]
    return [
        Row(f"7 days at 60 s: load and snapshot ({told['samples']:.0f})", "≤ 1.5 s", ms(total)),
        Row("… memory more", "≤ 60 MB", f"{told['more_mb']:.0f} MB"),
    ]


def which(name: str) -> bool:
    """Whether the program is installed."""
    return shutil.which(name) is not None


def median_or_none(values: list[float]) -> float | None:
    """The median; None of nothing."""
    return statistics.median(values) if values else None


def ms(seconds: float | None) -> str:
    """Seconds as milliseconds in words."""
    return "not measured" if seconds is None else f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    main()
