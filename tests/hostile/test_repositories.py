"""A repository whose settings or hooks others can write is not asked anything: git runs them."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from canary.cli.setup.init import init
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import PlanError, RecordError, UsageError
from canary.rollout.plan.file import read_plan
from canary.store.stage_file import (
    commit_file,
    read_standing,
    stage_file_path,
    write_stage_file,
)
from tests.hostile.other import OTHER_UID, needs_root, open_way, run_as_other, share_with_group
from tui.terminal.clipboard import save

TRAP = "#!/bin/sh\n: > '{}'\n"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """There once the trap was run."""
    return tmp_path / "run"


@pytest.fixture
def repository(tmp_path: Path, marker: Path) -> Path:
    """The person's own, in which a stage file waits, and a trap that git would run."""
    place = tmp_path / "team"
    place.mkdir()
    for command in (
        ["init", "-q"],
        ["config", "user.email", "ann@example.com"],
        ["config", "user.name", "Ann"],
        ["commit", "-q", "--allow-empty", "-m", "begun"],
    ):
        subprocess.run(["git", *command], cwd=place, check=True, capture_output=True)
    (place / "rollout.toml").write_text("[rollout]\n")
    return place


def trap(path: Path, marker: Path) -> None:
    path.write_text(TRAP.format(marker))
    path.chmod(0o755)


def lay_hook(repository: Path, marker: Path) -> Path:
    hook = repository / ".git" / "hooks" / "pre-commit"
    trap(hook, marker)
    return hook


def lay_monitor(repository: Path, marker: Path) -> Path:
    trap(marker.parent / "monitor", marker)
    config = repository / ".git" / "config"
    config.write_text(f"{config.read_text()}[core]\n\tfsmonitor = {marker.parent / 'monitor'}\n")
    return config


def lay_hooks_elsewhere(repository: Path, marker: Path) -> Path:
    hooks = marker.parent / "hooks"
    hooks.mkdir()
    trap(hooks / "pre-commit", marker)
    config = repository / ".git" / "config"
    config.write_text(f"{config.read_text()}[core]\n\thooksPath = {hooks}\n")
    return hooks


LAYS = (lay_hook, lay_monitor, lay_hooks_elsewhere)
Lay = Callable[[Path, Path], Path]


@pytest.mark.parametrize("lay", LAYS)
def test_the_traps_are_real(repository: Path, marker: Path, lay: Lay):
    lay(repository, marker)
    commit_file(repository / "rollout.toml", "x")
    assert marker.exists()


@pytest.mark.parametrize("lay", LAYS)
@pytest.mark.parametrize("weaken", [lambda p: p.chmod(0o777), lambda p: p.parent.chmod(0o777)])
def test_what_others_can_write_is_not_run(
    repository: Path, marker: Path, lay: Lay, weaken: Callable[[Path], None]
):
    weaken(lay(repository, marker))
    path = repository / "rollout.toml"
    read_standing(path)
    with pytest.raises(RecordError, match=r"can be written by others.*chmod go-w"):
        commit_file(path, "x")
    assert not marker.exists()


@needs_root
def test_the_second_user_lays_a_hook_in_a_shared_repository(repository: Path, marker: Path):
    hooks = repository / ".git" / "hooks"
    share_with_group(hooks, 0o775)
    open_way(hooks)
    open_way(marker)
    done = run_as_other(
        'printf %s "$1" > "$2" && chmod 755 "$2"', TRAP.format(marker), hooks / "pre-commit"
    )
    assert done.returncode == 0, done.stderr
    with pytest.raises(RecordError, match="not in git as it should be"):
        commit_file(repository / "rollout.toml", "x")
    assert not marker.exists()


def test_a_worktree_is_looked_at_where_its_settings_are(repository: Path, marker: Path):
    worktree = repository.parent / "elsewhere"
    subprocess.run(
        ["git", "worktree", "add", "-q", str(worktree)],
        cwd=repository,
        check=True,
        capture_output=True,
    )
    path = worktree / "rollout.toml"
    path.write_text("[rollout]\n")
    assert commit_file(path, "x").commit
    lay_hook(repository, marker).chmod(0o777)
    path.write_text("[rollout]\nx = 1\n")
    with pytest.raises(RecordError, match="can be written by others"):
        commit_file(path, "y")


@pytest.fixture
def below_shared(tmp_path: Path) -> Path:
    """The person's own directory in one such as /tmp, with a stage file and no repository."""
    shared = tmp_path / "shared"
    place = shared / "mine"
    place.mkdir(parents=True)
    shared.chmod(0o1777)
    (place / "rollout.toml").write_text("[rollout]\n")
    return place


@needs_root
@pytest.mark.parametrize("own", ["nothing", "a broken .git", "a link to it"])
def test_no_repository_is_found_that_others_laid_around_it(
    below_shared: Path, marker: Path, own: str
):
    """HEAD, objects, refs and a config are a repository, wherever they lie: in /tmp, which is
    root's, git takes them for root's own.
    """
    shared = below_shared.parent
    trap(marker.parent / "monitor", marker)
    lines = ("repositoryformatversion = 0", "bare = false", f"worktree = {shared}")
    settings = "\n\t".join(("[core]", *lines, f"fsmonitor = {marker.parent / 'monitor'}"))
    open_way(shared / "HEAD")
    laid = 'cd "$1"; mkdir objects refs; echo ref: refs/heads/x > HEAD; printf %s "$2" > config'
    assert run_as_other(laid, shared, settings).returncode == 0
    place = below_shared
    if own == "a broken .git":
        (place / ".git").mkdir()
    if own == "a link to it":
        place = shared.parent / "link"
        place.symlink_to(below_shared)
    subprocess.run(["git", "status"], cwd=place, check=False, capture_output=True)
    assert marker.exists(), "the trap is real"
    marker.unlink()
    assert read_standing(place / "rollout.toml") is None
    with pytest.raises(RecordError):
        commit_file(place / "rollout.toml", "x")
    assert not marker.exists()


def test_a_repository_with_room_for_others_is_not_used(below_shared: Path):
    """What they have not laid yet they could lay at any moment."""
    for name in ("objects", "refs"):
        (below_shared.parent / name).mkdir()
    (below_shared.parent / "HEAD").write_text("ref: refs/heads/main\n")
    with pytest.raises(RecordError, match="has room for others"):
        commit_file(below_shared / "rollout.toml", "x")


def test_settings_that_others_can_write_are_not_used_wherever_they_are(
    repository: Path, marker: Path
):
    """A file that the person's own settings include, as teams share one."""
    shared = marker.parent / "team.gitconfig"
    shared.write_text("")
    config = repository / ".git" / "config"
    config.write_text(f"{config.read_text()}[include]\n\tpath = {shared}\n")
    path = repository / "rollout.toml"
    shared.write_text("[alias]\n\tx = y\n")
    assert commit_file(path, "x").commit
    trap(marker.parent / "monitor", marker)
    shared.write_text(f"[core]\n\tfsmonitor = {marker.parent / 'monitor'}\n")
    shared.chmod(0o666)
    assert read_standing(path) is None
    with pytest.raises(RecordError, match=r"team\.gitconfig can be written by others"):
        commit_file(path, "x")
    assert not marker.exists()


# Other places in which something may lie in wait.


def test_under_umask_0_nobody_else_can_write_the_stage_file(repository: Path):
    before = os.umask(0)
    try:
        path = stage_file_path(repository / "canary.toml", "new.toml")
        write_stage_file(path, "ion-api", StageRecord(1, 5, 0.0))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o022 == 0


@needs_root
def test_a_pipe_of_somebody_else_in_the_place_of_a_plan_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "canary.toml")
    os.chown(tmp_path / "canary.toml", OTHER_UID, OTHER_UID)
    said: list[str] = []

    def read() -> None:
        with pytest.raises(PlanError) as caught:
            read_plan(tmp_path / "canary.toml")
        said.append(str(caught.value))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(20)
    assert said, "still waiting for the pipe"
    assert "a pipe of somebody else's" in said[0]


def test_a_device_in_the_place_of_a_plan_is_an_empty_one(tmp_path: Path):
    """Through a link, which in /tmp anybody may have laid; nothing is there, nor waited for."""
    (tmp_path / "canary.toml").symlink_to("/dev/ptmx")
    assert read_plan(tmp_path / "canary.toml") == b""


@needs_root
def test_init_does_not_wait_for_a_pipe_of_others_where_the_plan_is_to_be(tmp_path: Path):
    path = tmp_path / "canary.toml"
    os.mkfifo(path)
    os.chown(path, OTHER_UID, OTHER_UID)
    ended = CliRunner().invoke(init, ["--force", "--yes", str(path)])
    assert isinstance(ended.exception, UsageError)
    assert "is no plan: it is a pipe of somebody else's" in str(ended.exception)


def test_what_is_copied_goes_through_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    kept = tmp_path / "state" / "canary-console"
    kept.mkdir(parents=True)
    (kept / "summary.txt").symlink_to(mine)
    with pytest.raises(OSError, match=r"[Ss]ymbolic|links"):
        save("text", {"XDG_STATE_HOME": str(tmp_path / "state")})
    assert save("text", {"XDG_STATE_HOME": "state"}).is_relative_to(tmp_path / "home")
    assert mine.read_text() == "mine"
