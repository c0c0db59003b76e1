"""The record in git after a change: shown, and never in the way of the traffic."""

import subprocess
from pathlib import Path

import msgspec
import pytest

from canary.store.journal import Journal
from tests.embedded import DEFAULT_PLAN, Embed
from tests.engine.carried import ask, carry, router_service

IN_GIT = msgspec.structs.replace(
    DEFAULT_PLAN, record=msgspec.structs.replace(DEFAULT_PLAN.record, git=True)
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "On Call")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "oncall@example.com")
    path = tmp_path / "repository"
    subprocess.run(["git", "init", "--quiet", str(path)], check=True)
    return path


def log(repository: Path) -> list[str]:
    command = ["git", "log", "--format=%s"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


async def test_a_promotion_is_committed_with_the_procedures_message(
    embed: Embed, journal: Journal, repository: Path
):
    async with embed(IN_GIT) as cloud:
        change = await ask(cloud, "promote")
        outcome = await carry(cloud, journal, change, stage_file=repository / "rollout.toml")
    assert outcome.state == "done"
    assert "rollout.toml is committed as" in outcome.message
    assert log(repository) == ["feat: Stage 3 canary rollout (25% traffic)"]
    remarks = [n.detail for n in journal.entry("c1").notes if n.state == "remark"]
    assert remarks[0] == "putting rollout.toml into git"
    assert remarks[1].startswith("rollout.toml is committed as")


async def test_a_hook_that_refuses_is_a_remark_on_a_change_that_is_done(
    embed: Embed, journal: Journal, repository: Path
):
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no ticket >&2\nexit 1\n")
    hook.chmod(0o755)
    async with embed(IN_GIT) as cloud:
        change = await ask(cloud, "rollback_all")
        outcome = await carry(cloud, journal, change, stage_file=repository / "rollout.toml")
        assert (await router_service(cloud)).percent == 0
    assert outcome.state == "done"
    assert "no ticket" in outcome.message
    assert any("no ticket" in n.detail for n in journal.entry("c1").notes)


async def test_outside_a_repository_the_change_is_done_and_says_so(
    embed: Embed, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    async with embed(IN_GIT) as cloud:
        change = await ask(cloud, "step_back")
        outcome = await carry(cloud, journal, change, stage_file=tmp_path / "rollout.toml")
    assert outcome.state == "done"
    assert "not a git repository" in outcome.message


async def test_git_is_left_alone_unless_the_plan_asks(
    embed: Embed, journal: Journal, repository: Path
):
    async with embed() as cloud:
        change = await ask(cloud, "promote")
        await carry(cloud, journal, change, stage_file=repository / "rollout.toml")
    assert (repository / "rollout.toml").exists()
    assert not list((repository / ".git" / "objects").glob("??/*"))
