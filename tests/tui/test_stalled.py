"""A terminal whose reader has stopped: observing goes on, and so does what was confirmed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canary.paint.last_seen import DIRECTORY
from canary.store.history import History
from canary.store.journal import Journal
from tests.tui.pseudo_terminal import ROOT, WITHIN_S, PseudoTerminal


@pytest.fixture
def demo(tmp_path: Path, state_dir: Path) -> Iterator[PseudoTerminal]:
    """The real console on the embedded cloud, as `canary demo` opens it."""
    plan = tmp_path / "canary.toml"
    text = (ROOT / "canary.toml").read_text()
    plan.write_text(text.replace("after_change = true", "after_change = false"))
    terminal = PseudoTerminal(
        "-m",
        "canary.cli.main",
        "demo",
        "--speed",
        "150",
        "--config",
        str(plan),
        size=(200, 60),
        cwd=tmp_path,
        env={"CANARY_STATE_DIR": str(state_dir)},
    )
    yield terminal
    terminal.close()


def wait_for(is_so: Callable[[], bool]) -> bool:
    """Ask again and again, without reading the terminal; False after WITHIN_S."""
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.05)
    return False


def newest_sample(directory: Path) -> float:
    with History(directory / "history.db") as history:
        return max((s.end for s in history.load("canary", 0.0)), default=0.0)


def test_a_stalled_terminal_stops_neither_observing_nor_a_confirmed_rollback(
    demo: PseudoTerminal, state_dir: Path
) -> None:
    demo.read_until(b"HEALTHY")
    demo.type("R")
    demo.read_until(b"Roll back all")
    demo.type("y")
    # From here on nobody reads: the pty's buffer fills up and the screen's loop blocks in a write.
    (directory,) = (each for each in state_dir.iterdir() if each.name != DIRECTORY)

    def is_done() -> bool:
        with Journal(directory / "journal.db", read_only=True) as journal:
            entries = journal.recent(1)
        return bool(entries) and entries[0].outcome is not None

    assert wait_for(is_done)
    with Journal(directory / "journal.db", read_only=True) as journal:
        outcome = journal.recent(1)[0].outcome
    assert outcome is not None
    assert (outcome.state, outcome.percent) == ("done", 0)
    before = newest_sample(directory)
    # Five minutes of the cloud are two seconds of a console that observes.
    assert wait_for(lambda: newest_sample(directory) >= before + 300.0)
    demo.process.send_signal(signal.SIGTERM)
    assert demo.wait(reads=False) == 128 + signal.SIGTERM
