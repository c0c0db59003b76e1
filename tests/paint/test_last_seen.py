"""The file of what was last seen: whose it is, which plan's, and what may stand in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.paint import last_seen
from canary.paint.last_seen import (
    DIRECTORY,
    MOST_BYTES,
    MOST_FILES,
    find_directory,
    find_subject,
    keep_last_seen,
    read_last_seen,
    subject_of,
)
from canary.rollout.text import sanitize
from tests.paint.scenes import SEEN, SUBJECT


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / DIRECTORY


def only_file(directory: Path) -> Path:
    (found,) = directory.iterdir()
    return found


def edit(directory: Path, **fields: Any) -> None:
    path = only_file(directory)
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_what_was_kept_is_read_again_and_is_the_users_alone(directory: Path) -> None:
    keep_last_seen(SUBJECT, SEEN, str(directory))
    assert read_last_seen(SUBJECT, str(directory)) == SEEN
    assert only_file(directory).stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == 0o700


def test_with_umask_0_all_that_is_made_is_the_users_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep_last_seen(SUBJECT, SEEN, str(tmp_path / "home" / "state" / DIRECTORY))
    finally:
        os.umask(before)
    made = list((tmp_path / "home").rglob("*"))
    assert len(made) == 3
    assert not any(path.stat().st_mode & 0o077 for path in (*made, tmp_path / "home"))


@pytest.mark.parametrize(
    "other",
    [
        subject_of(SUBJECT.path, b"the same plan, routed otherwise"),
        subject_of("/elsewhere/canary.toml", b"a plan"),
        subject_of(SUBJECT.path, b"a plan", is_demo=True),
    ],
)
def test_what_was_seen_of_another_plan_is_never_this_ones(directory: Path, other: Any) -> None:
    keep_last_seen(SUBJECT, SEEN, str(directory))
    assert read_last_seen(other, str(directory)) is None
    # nor where the file bears its name
    only_file(directory).rename(last_seen._path(other, str(directory)))
    assert read_last_seen(other, str(directory)) is None


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602, 0o640])
def test_a_file_that_others_could_read_or_write_is_not_believed(directory: Path, mode: int) -> None:
    keep_last_seen(SUBJECT, SEEN, str(directory))
    only_file(directory).chmod(mode)
    assert read_last_seen(SUBJECT, str(directory)) is None


def test_a_directory_that_others_could_write_is_neither_believed_nor_used(directory: Path) -> None:
    keep_last_seen(SUBJECT, SEEN, str(directory))
    directory.chmod(0o777)
    assert read_last_seen(SUBJECT, str(directory)) is None
    with pytest.raises(PermissionError):
        keep_last_seen(SUBJECT, SEEN, str(directory))


def test_a_file_of_somebody_else_is_not_believed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_last_seen(SUBJECT, SEEN, str(directory))
    monkeypatch.setattr(os, "geteuid", lambda: directory.stat().st_uid + 1)
    assert read_last_seen(SUBJECT, str(directory)) is None


def test_a_link_and_a_pipe_are_not_followed(directory: Path, tmp_path: Path) -> None:
    keep_last_seen(SUBJECT, SEEN, str(directory))
    path = only_file(directory)
    path.rename(tmp_path / "away.json")
    path.symlink_to(tmp_path / "away.json")
    assert read_last_seen(SUBJECT, str(directory)) is None
    path.unlink()
    os.mkfifo(path, 0o600)
    assert read_last_seen(SUBJECT, str(directory)) is None  # and it does not wait for a writer


def test_a_link_in_its_place_is_replaced_and_not_written_through(
    directory: Path, tmp_path: Path
) -> None:
    keep_last_seen(SUBJECT, SEEN, str(directory))
    path, away = only_file(directory), tmp_path / "away"
    away.write_text("mine")
    path.unlink()
    path.symlink_to(away)
    keep_last_seen(SUBJECT, SEEN, str(directory))
    assert away.read_text() == "mine"
    assert read_last_seen(SUBJECT, str(directory)) == SEEN


@pytest.mark.parametrize(
    "fields",
    [
        {"format": 2},
        {"state": 7},
        {"names": None},
        {"is_local": "yes"},
        {"seen_at": "now"},
        {"seen_at": float("nan")},
        {"seen_at": float("inf")},
        {"seen_at": -1},
        {"as_of": 10**400},
        {"as_of": True},
        {"as_of": 1e300},
        {"digest": ""},
    ],
)
def test_what_is_not_whole_is_nothing(directory: Path, fields: dict[str, Any]) -> None:
    keep_last_seen(SUBJECT, SEEN, str(directory))
    edit(directory, **fields)
    assert read_last_seen(SUBJECT, str(directory)) is None


@settings(max_examples=40)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.just(b"[" * 5000),
        st.just(b"{" + b" " * MOST_BYTES + b"}"),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_whatever_stands_in_the_file_nothing_fails(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    directory = tmp_path_factory.getbasetemp() / "any" / DIRECTORY
    keep_last_seen(SUBJECT, SEEN, str(directory))
    only_file(directory).write_bytes(body)
    assert read_last_seen(SUBJECT, str(directory)) is None


@settings(max_examples=40)
@given(st.text())
def test_hostile_text_is_harmless_and_bounded_when_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    directory = tmp_path_factory.getbasetemp() / "text" / DIRECTORY
    hostile = f"\x1b]2;owned\x07\x1b[2J{text}\u202e\n\x9b31m"
    seen = SEEN._replace(names=hostile, state=hostile, change=hostile, split=hostile)
    keep_last_seen(SUBJECT, seen, str(directory))
    read = read_last_seen(SUBJECT, str(directory))
    assert read is not None
    for shown in (read.names, read.state, read.change, read.split):
        assert shown == sanitize(shown, 300)
        assert shown.isprintable()


def test_a_thousand_plans_leave_a_bounded_number_of_files(directory: Path) -> None:
    for number in range(MOST_FILES + 10):
        keep_last_seen(subject_of(f"/plans/{number}", b""), SEEN, str(directory))
    assert len(list(directory.iterdir())) == MOST_FILES


@pytest.mark.parametrize(
    "variables",
    [
        {"CANARY_STATE_DIR": "/var/lib/somewhere"},
        {"CANARY_STATE_DIR": "~/there"},
        {"CANARY_STATE_DIR": "relative/../here"},
        {"CANARY_STATE_DIR": "", "XDG_STATE_HOME": "/var/lib/state"},
        {"XDG_STATE_HOME": ""},
        {"XDG_STATE_HOME": "  "},
        {},
    ],
)
def test_it_lies_where_the_state_of_all_rollouts_does(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from canary.store import paths

    for name in ("CANARY_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Path(find_directory()) == Path(os.path.abspath(paths._base())) / DIRECTORY  # noqa: PTH100


@pytest.mark.parametrize(
    ("override", "state_home"), [("", ""), ("", "relative/state"), ("~nobody-of-that-name/x", "")]
)
def test_without_a_home_nothing_is_kept_below_where_one_stands(
    override: str, state_home: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CANARY_STATE_DIR", override)
    monkeypatch.setenv("XDG_STATE_HOME", state_home)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as it does without one
    monkeypatch.chdir(tmp_path)
    assert find_directory() == ""
    with pytest.raises(OSError, match="No such file"):
        keep_last_seen(SUBJECT, SEEN, find_directory())
    assert read_last_seen(SUBJECT, find_directory()) is None
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_can_be_read_only_once_is_left_alone(tmp_path: Path) -> None:
    pipe = tmp_path / "canary.toml"
    os.mkfifo(pipe)
    assert find_subject(str(pipe), is_demo=False) is None
    assert find_subject(str(tmp_path), is_demo=False) is None
    assert find_subject(str(tmp_path / "none.toml"), is_demo=False) is None
    assert find_subject("\0", is_demo=False) is None


def test_a_demo_without_a_plan_is_a_subject_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_subject(None, is_demo=True) == (subject_of("", b"", is_demo=True), b"")
    assert find_subject(None, is_demo=False) is None
    (tmp_path / "canary.toml").write_bytes(b"provider")
    found = find_subject(None, is_demo=True)
    assert found == (
        subject_of(str(tmp_path / "canary.toml"), b"provider", is_demo=True),
        b"provider",
    )
