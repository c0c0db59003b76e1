"""A program of the team's: real scripts, without a shell, bounded."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from canary.cloud.router import program
from canary.cloud.router.program import OUTPUT_KEPT, run_command
from canary.rollout.errors import ToolFailed

Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def write(text: str) -> str:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o700)
        return str(path)

    return write


async def test_the_exit_code_and_the_output_come_back(script: Script):
    ended = await run_command([script("echo set to $1; echo warned >&2; exit 3"), "25"], 10)
    assert (ended.code, ended.said) == (3, "set to 25 warned")
    assert ended.words == "ended with exit code 3, said: set to 25 warned"


async def test_arguments_meet_no_shell(script: Script, tmp_path: Path):
    trap = tmp_path / "trap"
    ended = await run_command([script('printf %s "$1"'), f"$(touch {trap}); `id`"], 10)
    assert ended.said == f"$(touch {trap}); `id`"
    assert not trap.exists()


async def test_what_it_says_is_made_plain_and_cut(script: Script):
    ended = await run_command([script("printf '\\033[31mred\\033[0m\\007'")], 10)
    assert "\x1b" not in ended.said
    assert "\x07" not in ended.said
    long = await run_command([script("yes long | head -c 100000; echo the end")], 10)
    assert len(long.said) <= OUTPUT_KEPT
    assert long.said.endswith("the end")


async def test_too_long_means_ended_with_all_that_it_started(script: Script, tmp_path: Path):
    pid = tmp_path / "pid"
    ended = await run_command([script(f"sleep 300 & echo $! > {pid}; wait")], 0.3)
    assert ended.code is None
    assert ended.words == "took too long and was ended"
    assert not _lives(int(pid.read_text()))


async def test_what_it_started_and_does_not_want_to_end_is_killed(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The program itself goes at once; what is left of it could set the share later."""
    monkeypatch.setattr(program, "KILL_AFTER_S", 0.2)
    pid = tmp_path / "pid"
    stubborn = "(trap '' TERM; while :; do sleep 9; done)"
    ended = await run_command([script(f"{stubborn} & echo $! > {pid}; wait")], 0.3)
    assert ended.code is None
    for _ in range(100):  # a killed one is gone in a moment, not at once
        if not _lives(int(pid.read_text())):
            break
        await asyncio.sleep(0.02)
    assert not _lives(int(pid.read_text()))


async def test_a_program_that_is_not_there_is_said():
    with pytest.raises(ToolFailed, match="is not there"):
        await run_command(["no-such-program-anywhere"], 1)


async def test_a_file_that_is_no_program_is_said(tmp_path: Path):
    path = tmp_path / "program"
    path.write_bytes(b"\x00\x01 nonsense")
    path.chmod(0o700)
    with pytest.raises(ToolFailed, match="cannot be started"):
        await run_command([str(path)], 1)


async def test_giving_up_the_wait_leaves_the_program_running(script: Script, tmp_path: Path):
    begun, go, done = tmp_path / "begun", tmp_path / "go", tmp_path / "done"
    os.mkfifo(begun)
    os.mkfifo(go)
    program = script(
        f"echo x > {begun}; read line < {go}; echo said; touch {done}; echo x > {begun}"
    )
    task = asyncio.create_task(run_command([program], 60))
    await asyncio.to_thread(begun.read_text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(go.write_text, "\n")
    await asyncio.to_thread(begun.read_text)
    assert done.exists()


def _lives(pid: int) -> bool:
    """Whether a process still runs; a dead one that nobody has collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="kept in memory on Linux alone")
async def test_what_it_says_needs_no_room_that_others_can_fill(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A program that cannot say what it does ends in the middle of it: /tmp is everybody's."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "full"))
    ended = await run_command([script("echo set to $1"), "0"], 10)
    assert (ended.code, ended.said) == (0, "set to 0")
