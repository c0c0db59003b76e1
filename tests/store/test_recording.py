"""The recording's file: one writer, bounded, private, and readable around what is damaged."""

import sqlite3
import stat
from pathlib import Path

import pytest

from canary.rollout.errors import RecordError
from canary.rollout.recording.player import Recording
from canary.store.recording import RecordingFile, recording_lock
from tests.rollout.recording.shown import day, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recording.db"


def test_it_is_the_owners_alone(path: Path) -> None:
    RecordingFile(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    first, second = recording_lock(tmp_path), recording_lock(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_a_reader_sees_what_was_flushed_while_it_is_written(path: Path) -> None:
    frames = day(400)
    with RecordingFile(path) as writing:
        record(frames[:100], writing)
        with RecordingFile(path, read_only=True) as reading:
            recording = Recording(reading)
            assert recording.end == frames[99].snapshot.as_of
            record(frames[100:], writing)
            recording.refresh()
            assert recording.end == frames[-1].snapshot.as_of


def test_what_is_older_than_the_plan_says_goes(path: Path) -> None:
    frames = day(600)
    with RecordingFile(path) as file:
        record(frames, file)
        file.prune(frames[300].seen_at, 10**9)
        recording = Recording(file)
        assert frames[200].snapshot.as_of < recording.begin <= frames[300].snapshot.as_of
        shown = recording.read(recording.find(frames[400].snapshot.as_of), 7 * 86_400)
        assert shown.frame == frames[400]


def test_a_file_that_grows_too_large_loses_its_oldest(path: Path) -> None:
    with RecordingFile(path) as file:
        record(day(700), file)
        before, bound = Recording(file), file.size() // 2
        file.prune(0.0, bound)
        after = Recording(file)
        assert file.size() <= bound
        assert before.begin < after.begin
        assert after.end == before.end


def test_a_damaged_part_is_named_and_the_rest_can_be_read(path: Path) -> None:
    frames = day(300)
    with RecordingFile(path) as file:
        record(frames, file)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE segments SET body = substr(body, 1, 50) WHERE number = 2")
    with RecordingFile(path, read_only=True) as file:
        recording = Recording(file)
        broken = recording.infos[1]
        with pytest.raises(RecordError, match="damaged"):
            recording.find(broken.first_at)
        readable = [s.frame.snapshot.as_of for s in recording.walk()]
        assert len(readable) == len(frames) - broken.frames


def test_a_file_that_is_none_is_told_in_one_sentence(path: Path) -> None:
    path.write_bytes(b"no recording at all" * 300)
    with pytest.raises(RecordError, match="recording"):
        RecordingFile(path, read_only=True)
