"""What happens to the console in a soak, by its keys and to its cloud; and the samples between."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import termios
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.local import ROOT
from benchmarks.soak_probe import BY_TYPE, Sample, look_at
from benchmarks.soak_table import Row
from benchmarks.terminal import Terminal

HOUR_S = 3600.0
FIRST_HOURS = 4.0
"""The first of them slowly, with all that a day brings; the others at full speed, at which more is
new in each snapshot. What is held then is what is compared.
"""
START_S = 60.0
WAIT_S = 30.0
TRIES = 3
SLOW = 60.0
SIZES = ((80, 24), (200, 60), (40, 10), (120, 40))
"""Columns and rows; the last is the one that stays."""

FILES = ("history", "evidence", "journal", "recording", "told", "checklists", "alerts", "cloud")
LOGS = "write-ahead logs"


class Console(Terminal):
    """The real console under a pseudo-terminal, its cloud, and what was done to them (`did`)."""

    def __init__(self, config: Path, directory: Path, *, by_type: bool = False) -> None:
        self.did: Counter[str] = Counter()
        self._state = directory / "state"
        self._socket = str(directory / "probe.sock")
        columns, rows = SIZES[-1]
        command = [sys.executable, "-m", "benchmarks.soak_probe", self._socket]
        python_path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        super().__init__(
            [*command, "--config", str(config)],
            columns,
            rows,
            env={"PYTHONPATH": python_path, BY_TYPE: "1" if by_type else ""},
            cwd=directory,
        )

    # -- the screen ------------------------------------------------------------------------------

    def see(self, what: str, within_s: float = WAIT_S, *, gone: bool = False) -> bool:
        """Whether the screen shows it (or no more) in time."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if (what in self.text()) is not gone:
                return True
            time.sleep(0.1)
        return False

    def type(self, *keys: str, pause_s: float = 0.3) -> None:
        """Press keys, one after another, as a person does."""
        for key in keys:
            self.press(key)
            time.sleep(pause_s)

    def leave(self) -> None:
        """Leave what is open; with nothing open Esc would lead to the list of rollouts."""
        if "Esc list" not in self.text():
            self.type("\x1b")

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size."""
        with self._lock:
            self.screen.resize(rows, columns)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        time.sleep(1.0)

    # -- the cloud -------------------------------------------------------------------------------

    def endpoint(self) -> dict[str, Any]:
        """How its embedded cloud is reached. Raises OSError while there is none."""
        found = list(self._state.glob("*/cloud.db.endpoint.json"))
        if not found:
            raise FileNotFoundError("the embedded cloud is not up")
        line: dict[str, Any] = json.loads(found[0].read_text())
        return line

    def tell_cloud(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the control side, or tell it something. Raises OSError."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.endpoint()['http']}/_cloud/{path}"
        with urllib.request.urlopen(url, data, timeout=10.0) as answer:  # noqa: S310 - loopback
            told: dict[str, Any] = json.load(answer)
        return told

    def cloud_now(self) -> float:
        """Cloud time; waits while the cloud is being started again. Raises SystemExit."""
        for _ in range(300):
            with contextlib.suppress(OSError):
                return float(self.tell_cloud("clock")["now"])
            self.demand_alive()
            time.sleep(0.2)
        raise SystemExit(f"The embedded cloud is not there any more:\n{self.text()}")

    # -- how large it is -------------------------------------------------------------------------

    def sample(self) -> Sample:
        """What the probe in the console says. Raises OSError; SystemExit when it has ended."""
        self.demand_alive()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60.0)
            client.connect(self._socket)
            answer = b"".join(iter(lambda: client.recv(1 << 20), b""))
        return msgspec.json.decode(answer, type=Sample)

    def demand_alive(self) -> None:
        """Raise SystemExit, with what it has left on the screen, when the console has ended."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return
        logs = [path.read_text()[-2000:] for path in self._state.glob("*/engine.log")]
        ended = os.waitstatus_to_exitcode(status)
        raise SystemExit(f"The console has ended with {ended}:\n{self.text()}\n{self.did}\n{logs}")

    def beside(self) -> dict[str, Sample]:
        """The processes that it has started: the cloud, and the executor."""
        found = {}
        with contextlib.suppress(OSError):
            found["cloud"] = look_at(int(self.endpoint()["pid"]))
        for each in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (each / "cmdline").read_bytes().split(b"\0")
                environment = (each / "environ").read_bytes()
                if b"canary.cli.background" in words and str(self._state).encode() in environment:
                    found["executor"] = look_at(each.name)
        return found

    def file_mb(self) -> dict[str, float]:
        """What lies on the disk, MB, by database; their logs together, all other files as "other".

        SQLite begins a log anew at 4 MB and keeps its length.
        """
        sizes: Counter[str] = Counter({"other": 0, LOGS: 0})
        for path in self._state.rglob("*"):
            name, _, rest = path.name.partition(".db")
            name = name.rstrip("-0123456789") if not rest else LOGS
            with contextlib.suppress(OSError):
                if path.is_file():
                    known = name in FILES or (name == LOGS and rest in ("-wal", "-shm"))
                    sizes[name if known else "other"] += path.stat().st_size
        return {name: size / 1e6 for name, size in sizes.items()}

    def file_count(self) -> int:
        """How many files lie there: what dead processes leave would pile up."""
        return sum(path.is_file() for path in self._state.rglob("*"))


# What happens. Each is done as a person does it, and counted when it was seen to happen.

Act = Callable[[Console], None]


def promote(console: Console) -> None:
    """`p`, `y`; done when it is said. At full speed a busy machine has fresh data now and then."""
    console.see("READY", 25.0)
    console.type("p", pause_s=1.0)
    if not console.see("Promote to stage", 5.0):
        said = next((line for line in console.text().splitlines() if "Blocked" in line), "?")
        print(f"promotion refused: {said.strip(' ›')}")
        return
    console.type("y")
    console.did["promotions"] += console.see("DONE promote", 30.0)
    time.sleep(1.0)


def restart_cloud(console: Console) -> None:
    """Kill the embedded cloud; the console starts it again, by F5 once it has given up."""
    pid = console.endpoint()["pid"]
    os.kill(pid, signal.SIGKILL)
    for wait in range(60):
        time.sleep(0.5)
        with contextlib.suppress(OSError):
            if console.endpoint()["pid"] != pid:
                console.cloud_now()
                console.did["cloud restarts"] += console.see("rollback ready", 45.0)
                return
        if wait in (10, 25, 40):
            console.press("\x1b[15~")  # F5


def cut_tail(console: Console) -> None:
    """The stream of the request log breaks off, three times."""
    for _ in range(3):
        fault = {"method": "TailLogEntries", "code": "UNAVAILABLE", "times": 1}
        console.tell_cloud("faults", fault)
        time.sleep(1.5)
        if not any(f["method"] == "TailLogEntries" for f in console.tell_cloud("faults")["faults"]):
            console.did["tail cuts"] += 1


def resize(console: Console) -> None:
    """Through all sizes."""
    for size in SIZES:
        console.resize(*size)
        console.did["resizes"] += 1


def replay(console: Console) -> None:
    """Into the past, back and forth, and live again."""
    console.type("T")
    if not console.see("REPLAY"):
        return
    console.type(",", "[", "[", ".", " ", pause_s=0.4)
    time.sleep(1.5)
    console.type("\x1b", pause_s=0.5)
    console.did["replays"] += console.see("REPLAY", gone=True)


def list_rollouts(console: Console) -> None:
    """To the list of rollouts, and into the console again."""
    console.type("F")
    if not console.see("waits for"):
        return
    time.sleep(1.0)
    console.type("\r")
    console.did["fleet"] += console.see("rollback ready", 45.0)
    time.sleep(3.0)


def pages(console: Console) -> None:
    """Every page, the help, the palette, another theme, a wish that is let go."""
    for key in "gEfdbVlLoet?":
        console.type(key)
        console.leave()
        console.did["pages"] += 1
    console.type(":", pause_s=0.6)
    console.leave()
    console.type("w", "z", "z", "R")
    if console.see("y confirm", 2.0):
        console.type("\x1b")
    console.type("t", "t", "t", "t")


def outage(console: Console) -> None:
    """Cloud Monitoring is away for a while."""
    console.tell_cloud("scenario", {"name": "monitoring-outage"})
    time.sleep(4.0)
    console.tell_cloud("scenario", {"name": "healthy"})
    console.did["outages"] += 1


DAY: tuple[Act, ...] = (
    promote,
    cut_tail,
    resize,
    pages,
    restart_cloud,
    replay,
    list_rollouts,
    outage,
)


class Wish(msgspec.Struct, frozen=True):
    """How long, how fast, how often it is looked at; `only` the act of this name ("": all)."""

    hours: float
    speed: float
    every: float
    only: str = ""
    acts_a_day: float = len(DAY)


class Sampling:
    """Rows of one console, and where it is in cloud time."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.began = 0.0

    def hours(self) -> float:
        """Simulated hours since the begin."""
        return (self.console.cloud_now() - self.began) / HOUR_S

    def row(self) -> Row:
        """How large everything is now."""
        console = self.console
        return Row(
            self.hours(),
            time.monotonic() - console.started,
            console.sample(),
            console.beside(),
            console.file_mb(),
            console.file_count(),
            console.bytes_seen,
        )


def live_through(sampling: Sampling, wish: Wish, first_speed: float) -> Iterator[Row]:
    """The first hours with all that a day brings, then day after day; a row every so often."""
    console = sampling.console
    if not console.see("rollback ready", START_S):
        raise SystemExit(f"The console does not come up:\n{console.text()}")
    sampling.began = console.cloud_now()
    acts = [act for act in DAY if wish.only in ("", act.__name__)]
    for act in (*acts[1:], acts[0]):
        _do(act, console)
    while (sampled := sampling.hours()) < FIRST_HOURS:
        if sampled >= 1.0:
            hold_speed(console, wish.speed)
        time.sleep(HOUR_S / first_speed / 20)
    yield sampling.row()
    done, begun = 0, sampled
    while (at := sampling.hours()) < wish.hours:
        hold_speed(console, wish.speed)
        if at - sampled >= wish.every:
            sampled = at
            yield sampling.row()
        if at >= begun + (done + 1) * 24.0 / wish.acts_a_day:
            _do(acts[done % len(acts)], console)
            done += 1
        time.sleep(0.5)
    yield sampling.row()


def hold_speed(console: Console, speed: float) -> None:
    """The console lowers what is too fast for this machine; in a soak it is raised again."""
    with contextlib.suppress(OSError):
        if console.tell_cloud("clock")["speed"] < speed:
            console.tell_cloud("clock", {"speed": speed})
            console.did["speed set"] += 1


def _do(act: Act, console: Console) -> None:
    """Once more where it was not seen to happen: on a busy machine a cloud is slow to come back."""
    for _ in range(TRIES):
        before = console.did.total()
        with contextlib.suppress(OSError):
            act(console)
        if console.did.total() > before:
            return
        console.did[f"{act.__name__} once more"] += 1
        text = console.text()
        console.type("\r" if "waits for" in text else "\x1b" if "REPLAY" in text else "")
        console.see("rollback ready")
