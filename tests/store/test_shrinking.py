"""What is dropped is given back to the disk, within bounds."""

import sqlite3
from pathlib import Path

import pytest

from canary.store.database import LEAST_FREE_BYTES
from canary.store.database_file import LOG_BYTES
from canary.store.recording import RecordingFile

MB = b"x" * 1_000_000


def put(file: RecordingFile, numbers: range) -> None:
    with file._database.writing() as db:
        rows = [(number, "event", 1, MB) for number in numbers]
        db.executemany("INSERT INTO kept VALUES (?, ?, ?, ?)", rows)


def drop(file: RecordingFile, numbers: range) -> None:
    with file._database.writing() as db:
        db.executemany("DELETE FROM kept WHERE number = ?", [(number,) for number in numbers])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recording.db"


def test_a_file_of_which_most_was_dropped_becomes_small(path: Path) -> None:
    with RecordingFile(path) as file:
        put(file, range(4))
        assert not file.shrink()
        drop(file, range(3))
        assert file.shrink()
        assert path.stat().st_size < 1.2 * len(MB)
        assert [number for number, _ in file.values("event")] == [3]
        file._database.check()


def test_what_is_free_and_little_is_left_to_be_used_again(path: Path) -> None:
    with RecordingFile(path) as file:
        put(file, range(2))
        drop(file, range(1))
        assert len(MB) < LEAST_FREE_BYTES
        assert not file.shrink()


def test_where_another_writes_it_is_left_for_later(path: Path) -> None:
    with RecordingFile(path) as file:
        put(file, range(4))
        drop(file, range(3))
        with file._database.reading() as db:
            db.execute("PRAGMA busy_timeout = 1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert not file.shrink()
        other.execute("ROLLBACK")
        other.close()
        assert file.shrink()


def test_one_large_transaction_leaves_no_large_log(path: Path) -> None:
    with RecordingFile(path) as file:
        put(file, range(7))
        for number in range(7, 9):  # the log is begun anew once all of it is in the file
            put(file, range(number, number + 1))
        assert Path(f"{path}-wal").stat().st_size <= LOG_BYTES
