"""The first paint in a real pseudo-terminal: how it is taken over, and how it is given back."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canary.paint.last_seen import DIRECTORY, keep_last_seen, subject_of
from tests.paint.scenes import SEEN
from tests.tui.pseudo_terminal import PseudoTerminal

ENTER, LEAVE, CLEAR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[2J"
PAINTED_THEN = """
import sys
from canary.paint import screen
screen.paint("painted")
open(sys.argv.pop(1)).close()  # until the test writes
import runpy
runpy.run_module(sys.argv.pop(1), run_name="__main__")
"""

Begin = Callable[..., PseudoTerminal]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    begun: list[PseudoTerminal] = []

    def start(*arguments: str, **env: str) -> PseudoTerminal:
        given = {"CANARY_STATE_DIR": str(tmp_path), "HOME": str(tmp_path), **env}
        begun.append(PseudoTerminal(*arguments, env=given, cwd=Path.cwd()))
        return begun[-1]

    yield start
    for terminal in begun:
        terminal.close()


def wrong_plan(folder: Path) -> Path:
    """A plan that can be painted for, and not be opened: what is seen of it was kept."""
    path = folder / "canary.toml"
    text = (Path.cwd() / "canary.toml").read_text()
    path.write_text(text + '\n[console.keys]\nno-such-action = "z"\n')
    keep_last_seen(subject_of(str(path), path.read_bytes()), SEEN, str(folder / DIRECTORY))
    return path


def test_the_screen_takes_a_painted_terminal_over_without_a_blank(
    begin: Begin, tmp_path: Path
) -> None:
    pipe = tmp_path / "go"
    os.mkfifo(pipe)
    terminal = begin("-c", PAINTED_THEN, str(pipe), "tests.tui.look", "healthy")
    terminal.read_until(b"painted")
    terminal.type("Ry")  # a rollback, typed blindly
    pipe.write_text("")
    terminal.read_until(b"HEALTHY")
    assert terminal.seen.count(ENTER) == 1
    assert CLEAR not in terminal.seen
    assert LEAVE not in terminal.seen
    assert terminal.seen.partition(b"painted")[2].startswith(b"\x1b")  # nothing was echoed
    assert b"confirm" not in terminal.seen
    terminal.type("R")
    terminal.read_until(b"confirm")  # now keys act
    terminal.type("n")
    terminal.type("q")
    assert terminal.wait() == 0
    assert terminal.seen.count(LEAVE) == 1
    assert terminal.is_restored


def test_why_there_is_no_screen_is_said_where_it_can_be_read(begin: Begin, tmp_path: Path) -> None:
    plan = wrong_plan(tmp_path)
    terminal = begin("-m", "canary.cli.main", "-c", str(plan))
    assert terminal.wait() == 2
    assert b"last seen" in terminal.seen
    painted, left, said = terminal.seen.partition(LEAVE)
    assert painted.count(ENTER) == 1
    assert left
    assert b"canary: " in said
    assert b"no-such-action" in said
    assert b"canary: " not in painted
    assert terminal.is_restored


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_paint_and_screen_gives_the_terminal_back(
    begin: Begin, tmp_path: Path, number: signal.Signals
) -> None:
    pipe = tmp_path / "go"
    os.mkfifo(pipe)
    code = "import canary.cli.main as m, canary.paint.screen as s, signal, sys\n"
    # A shell's background job, which the tests may be, ignores it, and so do its children.
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "m.paint_first = lambda _: (s.paint('painted'), open(sys.argv[1]).close())\n"
    code += "sys.exit(m.main())"
    terminal = begin("-c", code, str(pipe))
    terminal.read_until(b"painted")
    terminal.process.send_signal(number)
    ended = terminal.wait()
    assert ended == (130 if number == signal.SIGINT else -number)
    assert terminal.seen.count(LEAVE) == 1
    assert terminal.is_restored


def test_an_interrupt_that_meets_the_end_of_an_import_is_not_lost(
    begin: Begin, tmp_path: Path
) -> None:
    """Python drops what is raised there: in a callback or a finalizer."""
    pipe = tmp_path / "go"
    os.mkfifo(pipe)
    code = "import canary.cli.main as m, canary.paint.screen as s, signal, sys\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "class Ended:\n    def __del__(self): open(sys.argv[1]).close()\n"
    code += "m.paint_first = lambda _: (s.paint('painted'), len([Ended()]), print('went on'))\n"
    code += "sys.exit(m.main())"
    terminal = begin("-c", code, str(pipe))
    terminal.read_until(b"painted")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() == 130
    assert b"Interrupted." in terminal.seen.partition(LEAVE)[2]
    assert b"Traceback" not in terminal.seen
    assert b"went on" not in terminal.seen
    assert terminal.is_restored


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("--help",), {}),
        (("status",), {}),
        ((), {"TERM": "dumb"}),
        ((), {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}),
    ],
    ids=["help", "command", "dumb", "latin-1"],
)
def test_nothing_is_painted_where_no_screen_comes(
    begin: Begin, tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str]
) -> None:
    code = "import sys; from canary.paint.first import paint_first; paint_first(sys.argv[1:])"
    plan = wrong_plan(tmp_path)
    terminal = begin("-c", code, "-c", str(plan), *arguments, **env)
    assert terminal.wait() == 0
    assert terminal.seen == b""
    assert terminal.is_restored


def test_without_colours_there_are_none(begin: Begin, tmp_path: Path) -> None:
    code = "import sys; from canary.paint.first import paint_first; paint_first(sys.argv[1:])"
    terminal = begin("-c", code, "-c", str(wrong_plan(tmp_path)), NO_COLOR="1")
    terminal.read_until(b"\xe2\x80\xa6\x1b[m")  # Connecting …
    assert b"38;" not in terminal.seen
    assert b"48;" not in terminal.seen
    assert b"\x1b[0;3m" in terminal.seen
