"""A journal that is cut, old, new, read-only or on a full disk: one sentence, and no change."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from canary.rollout.change.change import Author, Change, Guard, Outcome, Request, Standing
from canary.rollout.change.moves import step_back
from canary.rollout.errors import RecordError
from canary.store.entries import SCHEMA
from canary.store.journal import Journal
from tests.hostile.text import is_harmless
from tests.rollout.build import PLAN

ROOT = Path(__file__).resolve().parents[2]
DONE = Outcome("done", "Canary has 5 %.", 1001.0, 5)


def change(change_id: str, reason: str = "") -> Change:
    standing = Standing(stage=2, percent=10, guard=Guard("ion-api", "e1", 10))
    return step_back(PLAN, standing, Request(change_id, Author("oncall", "b"), 1000.0, reason))


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """Several pages of changes, closed, the write-ahead log merged into the file."""
    path = tmp_path / "journal.db"
    with Journal(path) as journal:
        for index in range(40):
            journal.intend(change(f"c{index}", "r" * 200))
            journal.note(f"c{index}", 0, "sent", "", 1000.0)
            journal.note(f"c{index}", 0, "settled", "", 1000.5)
            journal.settle(f"c{index}", DONE)
        journal.intend(change("open"))
    return path


def look(path: Path) -> list[str]:
    """The ids that can be read. Raises RecordError, and nothing else."""
    with Journal(path) as journal:
        journal.check()
        return [e.change.id for e in journal.recent(1000)]


def sizes() -> list[float]:
    return [0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999]


@pytest.mark.parametrize("kept", sizes())
def test_cut_anywhere_it_is_refused_and_never_half_read(full: Path, kept: float):
    body = full.read_bytes()
    full.write_bytes(body[: int(len(body) * kept)])
    if kept == 0.0:
        # An empty file is a new journal: SQLite knows no difference.
        assert look(full) == []
        return
    with pytest.raises(RecordError) as caught:
        look(full)
    assert is_harmless(str(caught.value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("at", [0, 10, 18, 60, 68, 100, 4096, 9000])
def test_a_flipped_byte_is_refused_or_read_and_never_another_error(full: Path, at: int):
    body = bytearray(full.read_bytes())
    body[at] ^= 0xFF
    full.write_bytes(bytes(body))
    found, said = [], ""
    try:
        found = look(full)
    except RecordError as error:
        said = str(error)
    assert is_harmless(said)
    assert set(found) <= {*(f"c{i}" for i in range(40)), "open"}


@pytest.mark.parametrize("lost", ["-wal", "-shm"])
def test_without_the_files_beside_it_what_was_merged_is_there(full: Path, lost: str):
    full.with_name(full.name + lost).unlink(missing_ok=True)
    assert len(look(full)) == 41


def test_a_journal_of_a_newer_console_is_left_alone(full: Path):
    before = full.read_bytes()
    with sqlite3.connect(full) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA.version + 1}")
    db.close()
    with pytest.raises(RecordError, match="newer console"):
        look(full)
    assert len(full.read_bytes()) == len(before)


def test_two_versions_at_once_do_not_mix(full: Path):
    """A newer console converts the file while an older one has it open: that one stops writing."""
    with Journal(full) as old:
        with sqlite3.connect(full) as db:
            db.execute("ALTER TABLE notes RENAME COLUMN detail TO details")
            db.execute(f"PRAGMA user_version = {SCHEMA.version + 1}")
        db.close()
        with pytest.raises(RecordError):
            old.note("open", 0, "sent", "", 1000.0)
    with sqlite3.connect(full) as db:
        assert db.execute("SELECT count(*) FROM notes WHERE change_id = 'open'").fetchone() == (0,)
    db.close()


def test_changes_of_another_version_are_not_carried_out(full: Path):
    """A body with a kind or a step that this version does not know is never an intent for it."""
    with sqlite3.connect(full) as db:
        body = json.loads(db.execute("SELECT body FROM changes WHERE id = 'open'").fetchone()[0])
        body["steps"][0]["type"] = "set_weather"
        db.execute("UPDATE changes SET body = ? WHERE id = 'open'", (json.dumps(body),))
    db.close()
    with Journal(full) as journal:
        assert journal.open_changes() == ()


WRITER = """
import resource, signal, sys
from pathlib import Path
from canary.store.journal import Journal
from canary.rollout.errors import RecordError
from tests.hostile.test_journal import change
path, room = Path(sys.argv[1]), int(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Journal(path) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    kept = 0
    try:
        for index in range(400):
            journal.intend(change(f"n{index}", "x" * 500))
            kept += 1
    except RecordError as error:
        print(kept, error)
    else:
        print(kept, "never full")
"""


@pytest.mark.parametrize("room", [20_000, 50_000, 100_000, 150_000])
def test_on_a_full_disk_what_was_promised_is_there_and_nothing_else(tmp_path: Path, room: int):
    path = tmp_path / "journal.db"
    Journal(path).close()
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(path), str(room)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kept, _, said = done.stdout.strip().partition(" ")
    assert "cannot be" in said
    assert "Traceback" not in done.stderr
    assert look(path) == [f"n{i}" for i in reversed(range(int(kept)))]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_on_a_read_only_disk_it_can_be_read_and_nothing_is_begun(full: Path):
    full.chmod(0o400)
    full.parent.chmod(0o500)
    try:
        with Journal(full, read_only=True) as journal:
            assert len(journal.recent(100)) == 41
        with pytest.raises(RecordError, match=r"read-only|cannot be opened"):
            Journal(full).intend(change("new"))
    finally:
        full.parent.chmod(0o700)


def test_the_limits_of_these_tests_are_of_their_processes_alone():
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert signal.getsignal(signal.SIGXFSZ) != signal.SIG_DFL
