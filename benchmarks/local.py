"""The embedded cloud and plans for measuring: each in a directory of its own, ended with it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CANARY = str(Path(sys.executable).with_name("canary"))


def simulator(**config: object) -> AbstractContextManager[dict[str, str]]:
    """An embedded cloud of its own in memory, at speed 1 unless said; yields its ready line."""
    given = {"leases": False, "speed": 1.0, **config}
    return _running([sys.executable, "-m", "canary.simulator", json.dumps(given)])


def crowd(rollouts: int) -> AbstractContextManager[dict[str, str]]:
    """An embedded cloud with so many rollouts, each with its record; yields its ready line."""
    command = [CANARY, "simulate", "--rollouts", str(rollouts), "--json"]
    return _running([*command, "-c", str(ROOT / "canary.toml")])


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[dict[str, str]]:
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)


class Tap:
    """The wiretap in front of `upstream`; `calls` grows as calls arrive."""

    def __init__(self, upstream: str) -> None:
        self.calls: list[tuple[float, str]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.wiretap", upstream],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            at, method = line.split()
            self.calls.append((float(at), method.rsplit("/", 1)[1]))

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


def write_plan(directory: Path, endpoint: str, refresh_s: float = 30.0) -> Path:
    """canary.toml of the repository with its endpoints at `endpoint`."""
    text = (ROOT / "canary.toml").read_text()
    text = text.replace("refresh_s = 30.0", f"refresh_s = {refresh_s}")
    address = f"http://{endpoint}"
    text += f'\n[target.endpoints]\nrun = "{address}"\nmonitoring = "{address}"\n'
    path = directory / "canary.toml"
    path.write_text(text)
    return path
