"""A process in a real pseudo-terminal whose reader can stop, go away, or lie about its size."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 60.0
"""Real seconds after which what is waited for counts as missing."""
CALM_S = 0.06
"""A console that uses no processor for so long has drawn what it knows; it ticks each second."""


class PseudoTerminal:
    """`python ARGUMENTS` with a terminal of `size` (columns, lines)."""

    def __init__(
        self,
        *arguments: str,
        size: tuple[int, int] = (80, 24),
        env: dict[str, str] | None = None,
        cwd: Path = ROOT,
        ignores: Sequence[signal.Signals] = (),
    ) -> None:
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.resize(size)
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "PYTHONPATH": str(ROOT),
            **(env or {}),
        }
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            env=environment,
            preexec_fn=_ignoring(ignores) if ignores else None,
        )
        self.seen = b""
        self.cpu_s: float | None = None

    def resize(self, size: tuple[int, int]) -> None:
        """Say another size; the kernel tells the process if it has one."""
        columns, lines = size
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read_until(self, wanted: bytes) -> None:
        """Read what it draws until `wanted` is in it."""
        while wanted not in self.seen:
            ready, _, _ = select.select([self.master], [], [], WITHIN_S)
            assert ready, f"{wanted!r} was not drawn; last was {self.seen[-400:]!r}"
            self.seen += os.read(self.master, 65536)

    def read_for(self, seconds: float) -> None:
        """Read on for so long, as a terminal does."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                self.seen += os.read(self.master, 65536)

    def read_until_it_waits(self) -> None:
        """Read on until it has nothing to do: on a busy host, too, it is not only left waiting."""
        until, before = time.monotonic() + WITHIN_S, -1
        while time.monotonic() < until:
            self.read_for(CALM_S)
            state, used = self._threads()
            if state == {"S"} and used == before:
                return
            before = used
        raise AssertionError("it is never without something to do")

    def _threads(self) -> tuple[set[str], int]:
        """The states of its threads, and the processor's ticks that it has used."""
        states, used = set(), 0
        for stat in Path(f"/proc/{self.process.pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):  # one that has just ended
                fields = stat.read_text().rpartition(")")[2].split()
                states.add(fields[0])
                used += int(fields[11]) + int(fields[12])
        return states, used

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal's other end, and ours of this one."""
        os.close(self.slave)
        os.close(self.master)

    def wait(self, *, reads: bool = True) -> int:
        """The exit code; `cpu_s` is what it and its children used. Reads on meanwhile, or not."""
        until = time.monotonic() + WITHIN_S
        while time.monotonic() < until:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.cpu_s = usage.ru_utime + usage.ru_stime
                self.process.returncode = os.waitstatus_to_exitcode(status)
                break
            if reads:
                self.read_for(0.05)
            else:
                select.select([], [], [], 0.05)
        else:
            raise AssertionError("it did not end")
        while reads and select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return self.process.returncode

    def used_s(self) -> float:
        """CPU seconds that the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def is_restored(self) -> bool:
        """Whether the terminal's own settings are what they were."""
        return termios.tcgetattr(self.slave) == self.before

    def close(self) -> None:
        if self.process.returncode is None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in (self.master, self.slave):
            try:
                os.close(descriptor)
            except OSError:
                continue


def _ignoring(signals: Sequence[signal.Signals]) -> Callable[[], None]:
    def ignore() -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)

    return ignore
