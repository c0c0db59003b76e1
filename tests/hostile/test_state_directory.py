"""Whose state directory: where others could replace it, nothing is kept and nothing believed."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from canary.cli.opening import find_plan
from canary.rollout.errors import RecordError
from canary.store.journal import Journal
from canary.store.outputs import write_output
from canary.store.paths import journal_path, state_dir
from tests.cli.commands import run_process, running_cloud
from tests.embedded import DEFAULT_PLAN
from tests.hostile.monitoring import monitor_once
from tests.hostile.other import (
    OTHER_UID,
    needs_root,
    open_way,
    run_as_other,
    share_with_group,
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a state directory below it, as $XDG_STATE_HOME would have it."""
    path = tmp_path / "home" / ".local" / "state" / "canary-console"
    monkeypatch.setenv("CANARY_STATE_DIR", str(path))
    return path


@pytest.fixture
def umask_0() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_with_umask_0_all_that_is_made_is_the_owners_alone(
    place: Path, tmp_path: Path, umask_0: None
):
    (tmp_path / "home").mkdir(mode=0o755)
    made = state_dir(DEFAULT_PLAN)
    for each in (made, place, place.parent, place.parent.parent):
        assert stat.S_IMODE(each.stat().st_mode) == 0o700, each
    write_output(tmp_path / "home" / "a" / "b" / "out.json", {})
    assert stat.S_IMODE((tmp_path / "home" / "a").stat().st_mode) == 0o700


def test_after_a_run_with_umask_0_everything_is_the_owners_alone(
    tmp_path: Path, place: Path, umask_0: None
):
    """Journal, history, evidence, locks, presence, snapshots: every file and every directory."""
    with running_cloud(tmp_path) as cloud:
        cloud.plan_path.chmod(0o600)
        for arguments in (
            ["status"],
            ["promote", "--yes", "--force", "--reason", "x"],
            ["rollback", "--all", "--yes", "--reason", "x"],
            ["checklist", "--json"],
        ):
            ended = run_process([*arguments, "--config", str(cloud.plan_path)], tmp_path, place)
            assert ended.code in (0, 10, 20, 30), ended
        monitor_once(cloud.plan_path, place, place / "out" / "deep")
    made = [place, *place.rglob("*")]
    assert any(path.name == "journal.db" for path in made)
    assert any(path.name.startswith("monitor_") for path in made)
    open_to_others = {str(p): oct(p.stat().st_mode) for p in made if p.stat().st_mode & 0o077}
    assert open_to_others == {}


def give_to_other(path: Path) -> None:
    os.chown(path, OTHER_UID, OTHER_UID)


def let_all_write(path: Path) -> None:
    path.chmod(0o777)


def let_group_write(path: Path) -> None:
    share_with_group(path, 0o770)


WEAKENINGS = (
    let_all_write,
    pytest.param(let_group_write, marks=needs_root),
    pytest.param(give_to_other, marks=needs_root),
)


@pytest.mark.parametrize("weaken", WEAKENINGS)
@pytest.mark.parametrize("above", range(4), ids=["rollout", "state", "parent", "parent's parent"])
def test_a_directory_of_others_is_refused_with_the_command_to_mend_it(
    place: Path, weaken: Callable[[Path], None], above: int
):
    made = state_dir(DEFAULT_PLAN)
    weak = (made, *made.parents)[above]
    weaken(weak)
    with pytest.raises(RecordError, match="others could replace it") as refused:
        state_dir(DEFAULT_PLAN)
    assert str(weak) in refused.value.message
    command = "sudo chown" if weaken is give_to_other else "chmod go-w"
    assert refused.value.remedy.startswith(command)
    assert str(weak) in refused.value.remedy


def test_a_link_to_a_directory_of_others_is_refused(place: Path, tmp_path: Path):
    shared = tmp_path / "shared"
    shared.mkdir()
    place.parent.mkdir(parents=True)
    place.symlink_to(shared)
    state_dir(DEFAULT_PLAN)
    shared.chmod(0o777)
    with pytest.raises(RecordError, match="can be written by others"):
        state_dir(DEFAULT_PLAN)


@pytest.mark.parametrize("command", [["promote", "--yes", "--force", "--reason", "x"], ["monitor"]])
def test_no_journal_of_others_is_ever_opened(tmp_path: Path, place: Path, command: list[str]):
    with running_cloud(tmp_path) as cloud:
        made = state_dir(DEFAULT_PLAN)
        planted = journal_path(made)
        planted.write_bytes(b"planted")
        place.chmod(0o777)
        ended = run_process([*command, "--config", str(cloud.plan_path)], tmp_path, place)
    assert ended.code == 3, ended
    assert f"chmod go-w {place}" in ended.err
    assert "Traceback" not in ended.err
    assert planted.read_bytes() == b"planted"


def test_init_with_umask_0_writes_a_plan_that_may_act(tmp_path: Path, umask_0: None):
    plan = tmp_path / "new" / "deep" / "canary.toml"
    ended = run_process(["init", "--yes", "--config", str(plan)], tmp_path, tmp_path / "state")
    assert ended.code == 0, ended
    assert stat.S_IMODE(plan.stat().st_mode) == 0o644
    assert stat.S_IMODE(plan.parent.stat().st_mode) == 0o755
    assert find_plan(str(plan), acts=True).distrust is None


@needs_root
def test_who_may_not_write_cannot_lock_either(place: Path, tmp_path: Path):
    """A lock for reading on a file of SQLite's, or one of ours, would stop every change."""
    made = state_dir(DEFAULT_PLAN)
    Journal(journal_path(made)).close()
    for each in (made, place, *place.parents):
        if each.is_relative_to(tmp_path):
            each.chmod(0o755)
    journal_path(made).chmod(0o644)
    open_way(made)
    lock = 'exec 9< "$1" && flock -s 9'
    assert run_as_other(lock, journal_path(made)).returncode == 0
    assert state_dir(DEFAULT_PLAN) == made
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert "Permission denied" in run_as_other(lock, journal_path(made)).stderr
