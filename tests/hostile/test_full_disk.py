"""A disk without room, for every file beside the journal: one sentence, and nothing half written.

Each part runs in a process of its own whose files may not grow, which is the same to it as a full
disk: it can make and rename files, and write nothing into them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NO_ROOM = """
import resource, signal, sys
from pathlib import Path
from canary.rollout.errors import RecordError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
here = Path(sys.argv[1])
def fill():
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
"""


def run_without_room(directory: Path, code: str) -> str:
    """What `code` prints; `here` is `directory`, and after `fill()` nothing can be written."""
    # Not printed into a file: that would have no room either.
    done = subprocess.run(
        [sys.executable, "-B", "-c", NO_ROOM + code, str(directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_a_stage_file_that_finds_no_room_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "rollout.toml").write_text("as it was")
    said = run_without_room(
        tmp_path,
        """
from canary.store.stage_file import write_stage_file
from canary.rollout.change.stage_record import StageRecord
record = StageRecord(2, 10, 1000.0, by="a", host="b", change="c", move="promote")
fill()
try:
    write_stage_file(here / "rollout.toml", "r", record)
except RecordError as error:
    print(error)
""",
    )
    assert "could not be written" in said
    assert "in the cloud are not affected" in said
    assert [p.name for p in tmp_path.iterdir()] == ["rollout.toml"]
    assert (tmp_path / "rollout.toml").read_text() == "as it was"


def test_an_output_that_finds_no_room_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "compare_stage2.json").write_text("{}")
    said = run_without_room(
        tmp_path,
        """
from canary.store.outputs import write_output
fill()
try:
    write_output(here / "compare_stage2.json", {"verdict": "passed"})
except RecordError as error:
    print(error)
""",
    )
    assert "could not be written" in said
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("compare_stage2.json", "{}")]


def test_a_result_that_cannot_be_kept_leaves_no_earlier_one_to_a_gate(tmp_path: Path) -> None:
    (tmp_path / "load_test_summary.json").write_text('{"status": "PASSED"}')
    said = run_without_room(
        tmp_path,
        """
from canary.store.outputs import write_result
from canary.store.results import read_results
fill()
try:
    write_result(here / "load_test_summary.json", {"status": "FAILED"})
except RecordError as error:
    print(error, read_results(here).evidence.load_test)
""",
    )
    assert "What an earlier test found counts no more" in said
    assert said.endswith(" None")
    assert [p.name for p in tmp_path.iterdir()] == ["load_test_summary.json.old"]


def test_the_monitoring_loop_holds_its_lock_without_a_number_and_signs_it_later(
    tmp_path: Path,
) -> None:
    said = run_without_room(
        tmp_path,
        """
from canary.store.monitoring import loop_lock, holder
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
lock = loop_lock(here)
print(lock.acquire(), holder(here), loop_lock(here).acquire())
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
lock.sign()
import os
print(holder(here) == os.getpid())
""",
    )
    assert said == "True 0 False\nTrue"


def test_a_load_test_is_alone_without_a_number_too(tmp_path: Path) -> None:
    said = run_without_room(
        tmp_path,
        """
from canary.store.locks import hold_load_lock
from canary.rollout.errors import Conflict
fill()
with hold_load_lock(here):
    try:
        with hold_load_lock(here):
            print("two")
    except Conflict as error:
        print(error.message)
""",
    )
    assert said == "A load test of this rollout runs already: two would measure each other."


def test_who_is_here_finds_no_room_and_leaves_nothing_behind(tmp_path: Path) -> None:
    run_without_room(
        tmp_path,
        """
from canary.store.presence import OperatorSessionHolder
from canary.rollout.snapshot.snapshot import OperatorSession
fill()
seat = OperatorSessionHolder(here, OperatorSession("me", "host", 1, 1000.0))
seat.change(OperatorSession("me", "host", 1, 2000.0))
seat.release()
""",
    )
    assert list((tmp_path / "consoles").iterdir()) == []


def test_a_journal_beside_which_there_is_no_room_says_that_the_disk_is_full(
    tmp_path: Path,
) -> None:
    """SQLite calls it a failure of the disk: the shared memory beside the file cannot be made."""
    said = run_without_room(
        tmp_path,
        """
import os
from canary.store.journal import Journal
Journal(here / "journal.db").close()
real = os.statvfs
os.statvfs = lambda path: os.statvfs_result((*real(path)[:3], 0, 0, *real(path)[5:]))
fill()
try:
    Journal(here / "journal.db").open_changes()
except RecordError as error:
    print(error)
""",
    )
    assert said.startswith("The journal cannot be used: the disk is full (")
    assert said.endswith("journal.db). Make room on the disk.")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_log_that_finds_no_room_says_nothing_on_the_screen(tmp_path: Path) -> None:
    (tmp_path / "engine.log").symlink_to("/dev/full")
    said = run_without_room(
        tmp_path,
        """
import logging
from canary.engine.console.engine_thread import EngineLog
log = EngineLog(here)
log.open()
logging.getLogger("canary").warning("the cloud failed")
log.close()
""",
    )
    assert said == ""
