"""The monitoring loop's lock and state file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from canary.store.monitoring import (
    LOCK_FILE,
    STATE_FILE,
    LoopState,
    ask_to_end,
    holder,
    loop_lock,
    read_state,
    write_state,
)

STATE = LoopState(pid=7, since=100.0, every_s=1800.0, until=None, out_dir="/x", next_at=1900.0)

HOLD = """
import sys
from pathlib import Path
from canary.store.monitoring import loop_lock
assert loop_lock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def hold(directory: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_there_is_one_loop_for_a_rollout(tmp_path: Path) -> None:
    first, second = loop_lock(tmp_path), loop_lock(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    assert holder(tmp_path) == os.getpid()
    first.release()
    assert holder(tmp_path) is None
    assert second.acquire()
    second.release()


def test_looking_at_no_loop_makes_nothing(tmp_path: Path) -> None:
    assert (holder(tmp_path), ask_to_end(tmp_path), read_state(tmp_path)) == (None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_loop_is_not_taken_for_running(tmp_path: Path) -> None:
    with hold(tmp_path) as process:
        assert holder(tmp_path) == process.pid
        process.kill()
        process.wait()
    assert (tmp_path / LOCK_FILE).read_text() == str(process.pid)
    assert (holder(tmp_path), ask_to_end(tmp_path)) == (None, None)


def test_the_loop_that_runs_is_asked_to_end_and_nobody_else(tmp_path: Path) -> None:
    with hold(tmp_path) as process:
        assert ask_to_end(tmp_path) == process.pid
        assert process.wait() == -15


def test_the_state_is_read_back_and_its_owners(tmp_path: Path) -> None:
    write_state(tmp_path, STATE)
    assert read_state(tmp_path) == STATE
    assert (tmp_path / STATE_FILE).stat().st_mode & 0o777 == 0o600


def test_a_state_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_text(msgspec.json.encode(STATE).decode()[:20])
    assert read_state(tmp_path) is None
