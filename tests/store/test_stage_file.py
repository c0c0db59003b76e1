"""rollout.toml: whole or not at all, readable by people, back as it was."""

import os
import time
import tomllib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import RecordError
from canary.store.stage_file import read_stage_file, stage_file_path, write_stage_file

RECORD = StageRecord(
    stage=2, percent=10, entered_at=1_772_373_802.5, by="oncall", change="c1", previous_stage=1
)


def test_a_record_comes_back_as_it_was(tmp_path):
    path = tmp_path / "rollout.toml"
    write_stage_file(path, "ion-api → ion-api-canary", RECORD)
    assert read_stage_file(path) == RECORD


@given(
    st.builds(
        StageRecord,
        stage=st.integers(0, 9),
        percent=st.integers(0, 100),
        entered_at=st.integers(0, 4_000_000_000).map(float),
        by=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20),
        reason=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=50),
        previous_stage=st.none() | st.integers(0, 9),
        enabled=st.booleans(),
    )
)
def test_any_record_comes_back_as_it_was(tmp_path_factory, record):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    write_stage_file(path, "r", record)
    assert read_stage_file(path) == record


def test_the_file_is_readable_by_people(tmp_path):
    path = tmp_path / "rollout.toml"
    write_stage_file(path, "a → b", RECORD)
    document = tomllib.loads(path.read_text())
    assert document["rollout"] == "a → b"
    assert document["canary"]["percent"] == 10
    assert document["canary"]["entered_at"] == datetime.fromtimestamp(1_772_373_802.5, UTC)


def test_nothing_is_left_beside_the_file(tmp_path):
    path = tmp_path / "rollout.toml"
    write_stage_file(path, "a", RECORD)
    write_stage_file(path, "a", RECORD)
    assert [p.name for p in tmp_path.iterdir()] == ["rollout.toml"]


def test_a_failure_to_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "rollout.toml"
    path.mkdir()
    with pytest.raises(RecordError, match="could not be written"):
        write_stage_file(path, "a", RECORD)
    assert [p.name for p in tmp_path.iterdir()] == ["rollout.toml"]


def test_no_file_is_no_record(tmp_path):
    assert read_stage_file(tmp_path / "rollout.toml") is None


@pytest.mark.parametrize(
    "text", ["", "canary = 3", "[canary]\nstage = 'two'", "[canary", "[canary]\nstage = 2", "\x00"]
)
def test_a_broken_file_is_said_to_be_broken(tmp_path, text):
    path = tmp_path / "rollout.toml"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"cannot be read|holds no stage record"):
        read_stage_file(path)


def test_the_file_lies_beside_the_plan(tmp_path):
    assert stage_file_path(tmp_path / "canary.toml", "r.toml") == tmp_path / "r.toml"


@pytest.mark.parametrize("entered_at", ["1764134154000", "2025-11-26", '"soon"'])
def test_a_time_that_is_none_is_told(tmp_path, entered_at):
    path = tmp_path / "rollout.toml"
    path.write_text(f"[canary]\nstage = 2\npercent = 10\nentered_at = {entered_at}\n")
    with pytest.raises(RecordError, match="no stage record"):
        read_stage_file(path)


def test_a_time_without_a_zone_is_utc_or_not_believed(tmp_path, monkeypatch):
    """TOML has local dates; the zone of the host that reads them is nobody's."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        path = tmp_path / "rollout.toml"
        path.write_text("[canary]\nstage = 2\npercent = 10\nentered_at = 2025-11-26T05:00:00\n")
        at = datetime(2025, 11, 26, 5, tzinfo=UTC).timestamp()
        os.utime(path, (at + 60, at + 60))
        record = read_stage_file(path)
        assert record is not None
        assert record.entered_at == at
        os.utime(path, (at + 90_000, at + 90_000))
        with pytest.raises(RecordError, match="no zone"):
            read_stage_file(path)
    finally:
        monkeypatch.undo()
        time.tzset()
