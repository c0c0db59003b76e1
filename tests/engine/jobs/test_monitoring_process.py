"""The monitoring loop as a process: one at a time, replaced politely, ended cleanly by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from canary.engine.jobs import monitoring_process
from canary.engine.jobs.monitoring_loop import LoopOrder
from canary.engine.jobs.monitoring_process import (
    has_begun,
    last_line,
    start_detached,
    state,
    stop,
    take_over,
)
from canary.host import children
from canary.rollout.errors import Conflict
from canary.rollout.plan.plan import Plan
from canary.store.monitoring import LoopState, loop_lock, write_state
from canary.store.paths import state_dir
from tests.embedded import DEFAULT_PLAN
from tests.store.test_monitoring import hold

pytestmark = pytest.mark.usefixtures("state_dir")

ROOT = Path(__file__).parents[3]


def fast_plan() -> Plan:
    """Half an hour of the cloud's time takes half a second."""
    local = msgspec.structs.replace(DEFAULT_PLAN.local, speed=3600.0)
    return msgspec.structs.replace(DEFAULT_PLAN, local=local)


@contextmanager
def monitor(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`canary monitor` of its own process, killed in the end if it still runs."""
    plan = directory / "canary.toml"
    plan.write_text((ROOT / "canary.toml").read_text().replace("speed = 60.0", "speed = 3600.0"))
    with subprocess.Popen(
        [sys.executable, "-m", "canary.cli.main", "monitor", "--config", str(plan), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_with_a_last_line(tmp_path: Path, number: signal.Signals) -> None:
    with monitor(tmp_path, "--for", "0", "--every", "1d") as process:
        assert "monitor_" in first_line(process)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    # Where it works is said first, and nothing else on standard error.
    assert err == "LOCAL CLOUD, naeda-genesis/us-central1: ion-api and ion-api-canary\n"
    assert out.startswith("Monitoring ended (it was asked to end): 1 file since ")
    assert len(list((tmp_path / "outputs").glob("monitor_*.json"))) == 1


def test_it_ends_by_itself_when_its_time_is_over(tmp_path: Path) -> None:
    with monitor(tmp_path, "--for", "1h", "--every", "30m", "--out-dir", "o") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Monitoring ended (its time is over)" in out.splitlines()[-1]
    assert list((tmp_path / "o").glob("monitor_*.json"))


def test_a_new_loop_replaces_the_old_one_and_says_so(tmp_path: Path) -> None:
    with ExitStack() as stack:
        old = stack.enter_context(monitor(tmp_path, "--for", "0", "--every", "1d"))
        assert "monitor_" in first_line(old)
        new = stack.enter_context(monitor(tmp_path, "--for", "0", "--every", "1d"))
        assert "monitor_" in first_line(new)
        assert old.wait(30) == 0
        new.terminate()
        _, err = new.communicate(timeout=30)
    assert f"Replaced the monitoring loop of process {old.pid} (since " in err


async def test_a_loop_that_does_not_end_is_a_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitoring_process, "ask_to_end", lambda _: 7)
    waited: list[float] = []

    async def sleep(pause_s: float) -> None:
        waited.append(pause_s)

    other = loop_lock(tmp_path)
    assert other.acquire()
    with pytest.raises(Conflict, match="did not end"):
        await take_over(tmp_path, loop_lock(tmp_path), lambda _: None, asyncio.Event(), sleep=sleep)
    other.release()
    assert sum(waited) == pytest.approx(20, abs=0.5)


async def test_taking_over_names_what_was_replaced(tmp_path: Path) -> None:
    said: list[str] = []
    process = hold(tmp_path)
    ran = LoopState(process.pid, 0.0, 1800.0, None, "/x", files=3)
    write_state(tmp_path, ran)

    async def sleep(_: float) -> None:
        if said:
            process.wait()

    lock = loop_lock(tmp_path)
    with process:
        assert await take_over(tmp_path, lock, said.append, asyncio.Event(), sleep=sleep)
    lock.release()
    assert said[-1].endswith("(since 1970-01-01 00:00:00Z, 3 files, every 30 m).")


def test_started_apart_it_runs_is_seen_and_can_be_stopped(tmp_path: Path) -> None:
    plan = fast_plan()
    assert (state(plan).is_running, stop(plan)) == (False, None)
    pid = start_detached(plan, tmp_path / "canary.toml", LoopOrder(str(tmp_path), 86_400.0, 0.0))
    process = next(p for p in children._apart if p.pid == pid)
    assert has_begun(plan, pid, 60.0)
    assert not has_begun(plan, pid + 1, 0.0)
    seen = state(plan)
    assert seen.is_running
    while seen.state is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.fail(f"ended with {process.wait(0.05)}")
        seen = state(plan)
    assert (seen.pid, seen.state.files) == (pid, 1)
    assert stop(plan) == pid
    assert process.wait(30) == 0
    ended = state(plan)
    assert not ended.is_running
    assert ended.state is not None
    assert (ended.state.ended_by, ended.state.next_at) == ("signal", None)
    log = (state_dir(plan) / "monitor.log").read_text()
    assert log.splitlines()[-1].startswith("Monitoring ended (it was asked to end): 1 file")


def test_without_a_snapshot_the_last_line_says_so() -> None:
    assert last_line(None) == "Monitoring ended before the first snapshot."
