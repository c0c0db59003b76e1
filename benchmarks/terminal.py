"""A program under a pseudo-terminal: what it draws, how many bytes it sends, what it costs.

The screen is kept by pyte, so that "the first frame" and "the first numbers" are judged by what a
person would see and not by what happens to stand in one write.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyte

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


_SEQUENCES = re.compile(rb"(?=\x1b)")


class Terminal:
    """Runs `command` at `columns`×`rows`; a thread reads all that it writes."""

    def __init__(
        self,
        command: Sequence[str],
        columns: int,
        rows: int,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        self.bytes_seen = 0
        self.last_write = 0.0
        self.started = time.monotonic()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            self._exec(command, env, cwd)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @staticmethod
    def _exec(
        command: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None
    ) -> None:  # pragma: no cover - the child
        if cwd is not None:
            os.chdir(cwd)
        variables = {**os.environ, "TERM": "xterm-256color", **(env or {})}
        variables.pop("COLORTERM", None)
        os.execvpe(command[0], list(command), variables)  # noqa: S606

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                self.bytes_seen += len(data)
                self.last_write = time.monotonic()
                for piece in _SEQUENCES.split(data):
                    # pyte does not know every private mode; it must not die of what it cannot read,
                    # nor drop what stands behind it.
                    with contextlib.suppress(Exception):
                        self._stream.feed(piece)

    def text(self) -> str:
        """What a person sees now, one line a row."""
        with self._lock:
            return "\n".join(self.screen.display)

    def press(self, keys: str) -> None:
        """Type `keys`."""
        os.write(self._fd, keys.encode())

    def wait_for(self, seen: Callable[[str], bool], timeout_s: float = 20.0) -> float | None:
        """Seconds since the start until what satisfies `seen` was read; None when it never was.

        The time is that of the last bytes before, not that at which this side has understood them:
        to keep a screen in Python takes tens of milliseconds a frame. It is asked only after new
        bytes, so as not to take a core from the program that is measured.
        """
        asked = -1.0
        while time.monotonic() - self.started < timeout_s:
            with self._lock:
                written = self.last_write
                text = "" if written == asked else "\n".join(self.screen.display)
            if text and seen(text):
                return written - self.started
            asked = written
            time.sleep(0.005)
        return None

    def wait_quiet(self, quiet_s: float, timeout_s: float = 10.0) -> None:
        """Return when nothing was written for `quiet_s`."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            with self._lock:
                if time.monotonic() - self.last_write > quiet_s:
                    return
            time.sleep(0.005)

    def cpu_s(self) -> float:
        """Seconds of processor that the process itself has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def memory_mb(self) -> float:
        """Resident memory of the process itself, MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def close(self) -> None:
        """End it, politely first."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                break
            for _ in range(100):
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    os.close(self._fd)
                    return
                time.sleep(0.02)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
