"""The stage file in git: that one file, never a question, every refusal in one sentence."""

import os
import select
import subprocess
from pathlib import Path

import pytest

from canary.rollout.errors import RecordError
from canary.store.stage_file import commit_file, read_standing

MESSAGE = "feat: Stage 2 canary rollout (10% traffic)\n\nbody"


def git(where: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=where, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def author(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """No configuration of this host's user takes part."""
    for name in [n for n in os.environ if n.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "On Call")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "oncall@example.com")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "rollout"
    path.mkdir()
    git(path, "init", "--quiet", "--initial-branch=main")
    return path


@pytest.fixture
def stage_file(repository: Path) -> Path:
    path = repository / "rollout.toml"
    path.write_text("stage = 2\n")
    return path


def hook(repository: Path, name: str, script: str) -> None:
    path = repository / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_file_is_committed_with_the_message(repository: Path, stage_file: Path):
    done = commit_file(stage_file, MESSAGE)
    assert git(repository, "log", "-1", "--format=%h %s") == f"{done.commit} {MESSAGE[:42]}"
    assert git(repository, "log", "-1", "--format=%b") == "body"
    assert not done.pushed


def test_nothing_else_is_committed_and_what_was_staged_stays_staged(
    repository: Path, stage_file: Path
):
    commit_file(stage_file, MESSAGE)
    (repository / "other.txt").write_text("mine")
    git(repository, "add", "other.txt")
    stage_file.write_text("stage = 3\n")
    commit_file(stage_file, "second")
    assert git(repository, "show", "--name-only", "--format=", "HEAD") == "rollout.toml"
    assert git(repository, "diff", "--cached", "--name-only") == "other.txt"


def test_nothing_to_commit_is_no_mistake(repository: Path, stage_file: Path):
    commit_file(stage_file, MESSAGE)
    assert commit_file(stage_file, MESSAGE).commit == ""
    assert git(repository, "rev-list", "--count", "HEAD") == "1"


def test_a_file_below_the_top_of_the_repository_is_found(repository: Path):
    path = repository / "ops" / ":odd *.toml"
    path.parent.mkdir()
    path.write_text("x")
    commit_file(path, MESSAGE)
    assert "odd" in git(repository, "show", "--name-only", "--format=", "HEAD")


def refusal(path: Path, **options) -> str:
    with pytest.raises(RecordError) as caught:
        commit_file(path, MESSAGE, **options)
    assert "traffic" in caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value.message


def test_outside_a_repository_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    path = tmp_path / "rollout.toml"
    path.write_text("x")
    assert "not a git repository" in refusal(path)
    assert read_standing(path) is None


def test_without_git_it_is_said(stage_file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "git is not installed" in refusal(stage_file)


def test_a_hook_that_refuses_is_quoted_plainly(repository: Path, stage_file: Path):
    hook(repository, "pre-commit", "printf 'ticket \\033[31mmissing\\033[0m\\n' >&2; exit 1")
    assert "committing: ticket missing." in refusal(stage_file)


def test_a_hook_that_hangs_is_ended_with_all_that_it_started(repository: Path, stage_file: Path):
    # Whoever of them lives holds the writing end as its standard input: the end is seen when all
    # are gone. Their process ids would be there still, until somebody has reaped them.
    fifo = repository / "held"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    hook(repository, "pre-commit", f"exec 0<>{fifo}; echo begun >&0; sleep 600; true")
    assert "unfinished after 2 s" in refusal(stage_file, limit_s=2.0)
    said = []
    for _ in range(2):
        assert select.select([reading], [], [], 10)[0]  # killed is not yet gone
        said.append(os.read(reading, 64))
    os.close(reading)
    assert said == [b"begun\n", b""]


@pytest.mark.parametrize("deaf", ["", "trap '' TERM; "])
def test_a_commit_that_is_ended_leaves_no_lock_behind(
    repository: Path, stage_file: Path, deaf: str
):
    """git takes its locks away on SIGTERM, and never on SIGKILL."""
    commit_file(stage_file, MESSAGE)
    stage_file.write_text("stage = 3\n")
    hook(repository, "pre-commit", f"{deaf}sleep 600; true")
    assert "unfinished after 1 s" in refusal(stage_file, limit_s=1.0)
    assert list((repository / ".git").glob("*.lock")) == []
    hook(repository, "pre-commit", "true")
    assert commit_file(stage_file, MESSAGE).commit


def test_an_ignored_file_is_said(repository: Path, stage_file: Path):
    (repository / ".gitignore").write_text("rollout.toml\n")
    assert "ignored" in refusal(stage_file)


def test_it_is_pushed_and_a_rejected_push_leaves_the_commit(
    repository: Path, stage_file: Path, tmp_path: Path
):
    bare = tmp_path / "bare.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    git(repository, "remote", "add", "origin", str(bare))
    commit_file(stage_file, MESSAGE)
    git(repository, "push", "--quiet", "--set-upstream", "origin", "main")
    stage_file.write_text("stage = 3\n")
    assert commit_file(stage_file, "third", push=True).pushed
    assert git(bare, "log", "-1", "--format=%s", "main") == "third"
    assert read_standing(stage_file).pushed is True
    # Somebody else pushed in between.
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(bare), str(other))
    (other / "x").write_text("x")
    git(other, "add", "x")
    git(other, "commit", "--quiet", "-m", "theirs")
    git(other, "push", "--quiet")
    stage_file.write_text("stage = 4\n")
    assert "pushing" in refusal(stage_file, push=True)
    assert git(repository, "log", "-1", "--format=%s") == MESSAGE[:42]
    assert read_standing(stage_file).pushed is False


def test_a_push_without_a_remote_is_said(stage_file: Path):
    assert "pushing" in refusal(stage_file, push=True)


def test_a_token_in_the_remotes_address_is_not_repeated(repository: Path, stage_file: Path):
    commit_file(stage_file, MESSAGE)
    git(repository, "remote", "add", "origin", "https://me:s3cret@127.0.0.1:1/x.git")
    git(repository, "config", "push.default", "current")
    assert "s3cret" not in refusal(stage_file, push=True)


def test_how_the_file_stands_is_told(repository: Path, stage_file: Path):
    assert read_standing(stage_file).state == "untracked"
    done = commit_file(stage_file, MESSAGE)
    standing = read_standing(stage_file)
    assert (standing.state, standing.commit, standing.pushed) == ("committed", done.commit, None)
    assert standing.at is not None
    stage_file.write_text("stage = 9\n")
    assert read_standing(stage_file).state == "changed"
