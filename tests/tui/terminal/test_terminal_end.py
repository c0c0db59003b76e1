"""Whatever ends the console, the terminal is whole, the code true, and nothing secret is said."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.long import spread
from tests.tui.ending import SECRET
from tests.tui.pseudo_terminal import PseudoTerminal

RESTORED = b"\x1b[?1049l"
ENDS_WITHIN_CPU_S = 8.0
"""CPU seconds of a whole life, start included: a spin would use up more."""


@pytest.fixture
def open_terminal() -> Iterator[object]:
    opened: list[PseudoTerminal] = []

    def open_one(*arguments: str, **options: object) -> PseudoTerminal:
        opened.append(PseudoTerminal(*arguments, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize("kind", ["crash", "engine"])
def test_a_crash_is_1_restores_the_terminal_and_shows_no_values(open_terminal, kind: str) -> None:
    terminal = open_terminal("-m", "tests.tui.ending", kind)
    assert terminal.wait() == 1
    assert terminal.is_restored
    assert RESTORED in terminal.seen
    assert b"ZeroDivisionError" in terminal.seen
    assert SECRET.encode() not in terminal.seen
    assert b"s3cret" not in terminal.seen.replace(b"SECRET", b"")


@pytest.mark.parametrize("ignores", [(), (signal.SIGHUP,)])
def test_a_closed_terminal_ends_it_without_a_spin(open_terminal, ignores) -> None:
    """Started by nohup, too, where SIGHUP is ignored."""
    terminal = open_terminal("-m", "tests.tui.ending", "plain", ignores=ignores)
    terminal.read_until(b"HEALTHY")
    terminal.hang_up()
    assert terminal.wait(reads=False) == 129
    assert terminal.cpu_s is not None
    assert terminal.cpu_s < ENDS_WITHIN_CPU_S


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_with_a_reader_that_has_stopped_a_signal_still_ends_it(open_terminal, number) -> None:
    terminal = open_terminal("-m", "tests.tui.look", "healthy", size=(200, 60))
    terminal.read_until(b"HEALTHY")
    terminal.process.send_signal(number)
    assert terminal.wait(reads=False) == 128 + number


def test_a_console_that_shows_nothing_new_does_not_spin(open_terminal) -> None:
    terminal = open_terminal("-m", "tests.tui.ending", "plain")
    terminal.read_until(b"HEALTHY")
    terminal.read_until_it_waits()
    before = terminal.used_s()
    terminal.read_for(1.5)
    # A spin would use all of the second and a half.
    assert terminal.used_s() - before < 0.5


SIZES = [(0, 0), (1, 1), (1, 65535), (65535, 1), (65535, 65535), (2, 3), (40, 10)]


@pytest.mark.parametrize("size", spread(SIZES, [(0, 0), (1, 65535), (65535, 65535)]))
def test_a_terminal_that_lies_about_its_size_is_survived(open_terminal, size) -> None:
    terminal = open_terminal("-m", "tests.tui.ending", "plain", size=size)
    terminal.read_until(b"\x1b[?1049h")
    terminal.read_until_it_waits()
    terminal.resize((80, 24))
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.read_until(b"HEALTHY")
    terminal.type("q")
    assert terminal.wait() == 0
    assert terminal.is_restored
    assert b"Traceback" not in terminal.seen


def test_sizes_that_become_a_lie_are_survived(open_terminal) -> None:
    terminal = open_terminal("-m", "tests.tui.ending", "plain")
    terminal.read_until(b"HEALTHY")
    for size in [*SIZES, (80, 24)]:
        terminal.resize(size)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.read_until_it_waits()
    terminal.type("q")
    assert terminal.wait() == 0
    assert b"Traceback" not in terminal.seen
