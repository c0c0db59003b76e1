"""The console as a process in a real pseudo-terminal: how it starts and how it ends."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from tui.terminal.driver import ConsoleDriver

ROOT = Path(__file__).resolve().parents[3]
RESTORED = b"\x1b[?1049l"


class Console:
    """The screen on a scripted engine, in a child on a pty."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        os.fchmod(slave, 0o620)  # as login has it: `write` and `wall` may
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.tui.look", *arguments],
            cwd=ROOT,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        )
        self.slave = slave
        self.seen = b""

    def read_until(self, wanted: bytes, timeout_s: float = 60.0) -> None:
        """Read what it draws until `wanted` is in it."""
        while wanted not in self.seen:
            ready, _, _ = select.select([self.master], [], [], timeout_s)
            assert ready, f"{wanted!r} was not drawn"
            self.seen += os.read(self.master, 65536)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def wait(self) -> int:
        """The exit code; reads on meanwhile, as a terminal does."""
        while self.process.poll() is None:
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in (self.master, self.slave):
            try:
                os.close(descriptor)
            except OSError:
                continue


@pytest.fixture
def console() -> Iterator[Console]:
    running = Console("healthy")
    running.read_until(b"HEALTHY")
    yield running
    running.close()


def test_quitting_is_0_and_restores_the_terminal(console: Console) -> None:
    console.read_until("]2;✓ HEALTHY 10 % ion-api-canary stage 2\x07".encode())
    console.type("q")
    assert console.wait() == 0
    assert RESTORED in console.seen
    assert termios.tcgetattr(console.slave) == console.before
    assert console.seen.rindex(b"\x1b[23;2t") > console.seen.index(b"\x1b[22;2t")
    assert b"\x1b[?1000h" not in console.seen  # the mouse is left to the terminal


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_in_order_with_the_true_code(
    console: Console, number: signal.Signals, code: int
) -> None:
    console.process.send_signal(number)
    assert console.wait() == code
    assert termios.tcgetattr(console.slave) == console.before
    assert RESTORED in console.seen or number == signal.SIGHUP


def test_nobody_writes_on_the_terminal_while_the_screen_is_drawn(console: Console) -> None:
    """A line of another user's, "ROLLED BACK" say, would stand among what is said here."""
    assert os.fstat(console.slave).st_mode & 0o777 == 0o600
    console.process.send_signal(signal.SIGTERM)
    console.wait()
    assert os.fstat(console.slave).st_mode & 0o777 == 0o620


def test_a_closed_terminal_ends_it_without_a_signal(console: Console) -> None:
    """Its own session without the terminal as its own: the kernel sends no SIGHUP then."""
    os.close(console.slave)
    os.close(console.master)
    assert console.process.wait(timeout=30) == 129


async def test_the_watch_of_the_terminal_ends_with_its_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever leaves a console for the list of rollouts opens others in the same terminal; a watch
    that went on would keep each of them in memory.
    """
    for name in ("start_application_mode", "close"):
        monkeypatch.setattr(LinuxDriver, name, lambda _: None)
    driver = ConsoleDriver(App())
    master, driver.fileno = pty.openpty()
    hung_up: list[bool] = []
    monkeypatch.setattr(driver, "_hang_up", lambda: hung_up.append(True))
    before = set(threading.enumerate())
    driver.start_application_mode()
    (watch,) = set(threading.enumerate()) - before
    driver.close()
    watch.join(10.0)
    assert not watch.is_alive()
    assert not hung_up
    for fd in (master, driver.fileno):
        os.close(fd)
