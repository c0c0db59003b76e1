"""What a program needs up to its first frame, in instructions and time of the processor.

`python -m benchmarks.first_frame console|empty` runs the console (the first paint included) or an
empty Textual app until its first frame is out, and ends. `measure` counts such a run.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.terminal import Terminal

COMMANDS = {
    name: [sys.executable, "-m", "benchmarks.first_frame", name] for name in ("empty", "console")
}


def cpu_s(command: list[str], size: tuple[int, int]) -> float:
    """Seconds of processor, user and system, of a command that ends by itself in a terminal."""
    with Terminal(command, *size) as terminal:
        _, _, usage = os.wait4(terminal.pid, 0)
        return usage.ru_utime + usage.ru_stime


def instructions(command: list[str], size: tuple[int, int]) -> int | None:
    """Instructions of it in user space, by perf or, where the machine counts none, by valgrind;
    None where neither can.
    """
    return _by_perf(command, size) or _by_valgrind(command, size)


def _by_perf(command: list[str], size: tuple[int, int]) -> int | None:
    if shutil.which("perf") is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        told = Path(directory) / "perf"
        counted = ["perf", "stat", "-x,", "-e", "instructions:u", "-o", str(told), *command]
        cpu_s(counted, size)
        found = re.search(r"^(\d+),", told.read_text(), re.MULTILINE) if told.exists() else None
        return int(found[1]) if found else None


def _by_valgrind(command: list[str], size: tuple[int, int]) -> int | None:
    if shutil.which("valgrind") is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        told = Path(directory) / "valgrind"
        tool = ["valgrind", "--tool=cachegrind", "--cache-sim=no", f"--log-file={told}"]
        cpu_s([*tool, "--cachegrind-out-file=/dev/null", *command], size)
        found = re.search(r"I\s+refs:\s+([\d,]+)", told.read_text()) if told.exists() else None
        return int(found[1].replace(",", "")) if found else None


def bare_python_s(repeat: int) -> float:
    """The median of seconds that `python -c pass` takes, as a person waits for it."""
    taken = []
    for _ in range(repeat):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _run_empty() -> None:
    from benchmarks.empty_app import EmptyApp

    class UntilReady(EmptyApp):
        def on_ready(self) -> None:
            self.exit()

    UntilReady().run(mouse=False)


def _run_console() -> None:
    from canary.paint.first import paint_first

    sys.argv = ["canary", "demo", "-c", str(Path(__file__).resolve().parents[1] / "canary.toml")]
    paint_first(sys.argv[1:])

    import tui.app
    from canary.cli.commands import run_process

    class UntilReady(tui.app.CanaryApp, inherit_bindings=False):
        def on_ready(self, event: object = None) -> None:  # type: ignore[override]
            event.prevent_default()  # type: ignore[union-attr,attr-defined]
            self.exit()

    tui.app.CanaryApp = UntilReady  # type: ignore[misc]
    sys.exit(run_process())


if __name__ == "__main__":
    {"empty": _run_empty, "console": _run_console}[sys.argv[1]]()
