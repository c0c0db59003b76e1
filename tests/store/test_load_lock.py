"""One load test at a time for a rollout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from canary.rollout.errors import Conflict, RecordError
from canary.store.locks import LOAD_LOCK_FILE, hold_load_lock

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
