"""Monitor files read back: the newest one, ours and the scripts', broken ones in one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.rollout.errors import RecordError, UsageError
from canary.rollout.export.monitor_document import file_name, monitor_document, outage_document
from canary.rollout.text import AtLeast
from canary.store.monitor_files import find_newest, read_monitor_file
from tests.rollout.build import NOW, PLAN, snapshot, window

FOUR = {
    "error_rate": 0.003,
    "p95_response_time_ms": 610.0,
    "success_rate": 0.991,
    "avg_confidence_score": 0.85,
}


@pytest.fixture(name="write")
def write_fixture(tmp_path: Path) -> Any:
    def write(document: Any, name: str = "monitor_20260301T140322Z.json") -> Path:
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write


def test_a_p95_that_was_only_a_lower_bound_is_read_back_as_one(write: Any) -> None:
    judged = msgspec.structs.replace(window(), p95_ms=AtLeast(10_000.0))
    p95 = read_monitor_file(write(monitor_document(snapshot(judged), PLAN))).window.p95_ms
    assert isinstance(p95, AtLeast)
    assert p95 == 10_000.0


def test_the_four_fields_of_a_script_are_enough(write: Any) -> None:
    file = read_monitor_file(write({"canary": FOUR}))
    window = file.window
    assert (window.error_ratio, window.p95_ms) == (0.003, 610.0)
    assert (window.success_ratio, window.confidence) == (0.991, 0.85)
    assert (file.data, file.at, file.stage, file.soaked_hours) == ("ok", NOW, None, None)


def test_our_own_file_is_read_as_it_was_meant(write: Any) -> None:
    file = read_monitor_file(write(monitor_document(snapshot(), PLAN)))
    assert (file.window.requests, file.data, file.stage, file.at) == (1000, "ok", 2, NOW)
    assert file.soaked_hours == 17.0


def test_an_outage_is_read_as_no_data(write: Any) -> None:
    file = read_monitor_file(write(outage_document(PLAN, NOW, "down")))
    assert (file.data, file.window.error_ratio, file.window.requests) == ("missing", None, None)


@pytest.mark.parametrize("name", FOUR)
@pytest.mark.parametrize("how", ["missing", "null"])
def test_a_field_that_is_not_there_is_none_and_no_zero(write: Any, name: str, how: str) -> None:
    canary = {**FOUR, name: None} if how == "null" else {k: v for k, v in FOUR.items() if k != name}
    window = read_monitor_file(write({"canary": canary})).window
    values = [window.error_ratio, window.p95_ms, window.success_ratio, window.confidence]
    assert values.count(None) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"canary": {"error_rate": 0.0', "cut off"),
        ("", "cut off"),
        ("[1]", "not an object"),
        ("[" * 100_000, "cut off"),
        ('{"legacy": {}}', "no object `canary`"),
        ('{"canary": []}', "no object `canary`"),
        (
            '{"canary": {"error_rate": "0.3 %"}}',
            "`canary.error_rate` is '0.3 %', expected a number",
        ),
        ('{"canary": {"error_rate": true}}', "expected a number"),
        ('{"canary": {"success_rate": 99.1}}', "expected a ratio of 0 to 1"),
        ('{"canary": {"p95_response_time_ms": -1}}', "expected a number from 0"),
        ('{"canary": {"data": "fine"}}', "`canary.data`"),
        ('{"timestamp": "yesterday", "canary": {}}', "`timestamp`"),
    ],
)
def test_what_is_no_monitor_file_is_one_sentence(write: Any, text: str, said: str) -> None:
    with pytest.raises(RecordError) as error:
        read_monitor_file(write(text))
    assert said in error.value.message
    assert error.value.exit_code == 3


def test_a_file_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        read_monitor_file(tmp_path / "monitor_1.json")


def test_the_newest_is_the_one_of_the_latest_name(write: Any, tmp_path: Path) -> None:
    late = write({}, file_name(NOW + 60))
    early = write({}, file_name(NOW))
    os.utime(late, (1, 1))
    assert find_newest(str(tmp_path / "monitor_*.json")) == late
    assert early != late


def test_without_a_time_in_the_name_the_files_own_counts(write: Any, tmp_path: Path) -> None:
    old, new = write({}, "monitor_a.json"), write({}, "monitor_b.json")
    os.utime(old, (NOW + 10, NOW + 10))
    os.utime(new, (NOW, NOW))
    assert find_newest(str(tmp_path / "monitor_*.json")) == old


def test_no_file_at_all_is_a_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "monitor_dir.json").mkdir()
    with pytest.raises(UsageError, match="No file matches"):
        find_newest(str(tmp_path / "monitor_*.json"))
