"""Files under the outputs directory: whole, private, and never half replaced."""

from __future__ import annotations

import json

import pytest

from canary.rollout.errors import RecordError
from canary.store.outputs import write_output


def test_the_directory_is_made_and_the_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "outputs" / "a.json"
    write_output(path, {"é": 1})
    assert json.loads(path.read_text()) == {"é": 1}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_is_replaced_and_nothing_else_stays(tmp_path):
    path = tmp_path / "a.json"
    for value in (1, 2):
        write_output(path, {"value": value})
    assert json.loads(path.read_text()) == {"value": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_what_is_no_number_is_not_written_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.json"
    write_output(path, {"value": 1})
    with pytest.raises(ValueError, match="Out of range"):
        write_output(path, {"value": float("nan")})
    assert json.loads(path.read_text()) == {"value": 1}


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "outputs").write_text("a file")
    with pytest.raises(RecordError, match="could not be written"):
        write_output(tmp_path / "outputs" / "a.json", {})
