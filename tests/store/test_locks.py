"""A lock is held exactly as long as its process lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from canary.rollout.errors import Conflict, RecordError
from canary.store.locks import LOAD_LOCK_FILE, Owner, hold_load_lock, is_alive


def test_an_owner_is_alive_until_it_is_released(tmp_path):
    owner = Owner(tmp_path)
    assert is_alive(tmp_path, owner.token)
    owner.release()
    assert not is_alive(tmp_path, owner.token)


def test_an_owner_whose_process_was_killed_is_dead(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from canary.store.locks import Owner;"
        "print(Owner(Path(sys.argv[1])).token, flush=True); input()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        token = process.stdout.readline().strip()
        # The object is dropped at once in that process; the descriptor is what holds the lock.
        assert is_alive(tmp_path, token)
        process.kill()
        process.wait()
    assert not is_alive(tmp_path, token)


def test_what_dead_owners_left_is_swept_and_living_ones_stay(tmp_path):
    with Owner(tmp_path) as living:
        (tmp_path / "owners" / "1-dead").touch()
        with Owner(tmp_path) as newest:
            names = {path.name for path in (tmp_path / "owners").iterdir()}
            assert names == {living.token, newest.token}


def test_tokens_that_were_never_made_are_dead(tmp_path):
    assert not is_alive(tmp_path, "")
    assert not is_alive(tmp_path, "1-abc")
    assert not is_alive(tmp_path, f"..{os.sep}owners")


HOLD_AND_DIE = """
import os, sys
from pathlib import Path
from canary.store.locks import hold_load_lock
with hold_load_lock(Path(sys.argv[1])):
    os._exit(0)
"""


def test_a_second_load_test_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with (
        hold_load_lock(tmp_path),
        pytest.raises(Conflict, match=f"runs already \\(process {os.getpid()}\\)"),
        hold_load_lock(tmp_path),
    ):
        pytest.fail("two at once")


def test_the_next_may_begin_when_the_first_has_ended(tmp_path: Path) -> None:
    for _ in range(2):
        with hold_load_lock(tmp_path):
            assert (tmp_path / LOAD_LOCK_FILE).exists()


def test_a_process_that_died_holds_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", HOLD_AND_DIE, str(tmp_path)], check=True)
    with hold_load_lock(tmp_path):
        pass


def test_rollouts_do_not_hinder_each_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with hold_load_lock(tmp_path / "one"), hold_load_lock(tmp_path / "two"):
        pass


def test_a_directory_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be made"), hold_load_lock(tmp_path / "gone"):
        pytest.fail("held")
