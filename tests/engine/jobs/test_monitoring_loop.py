"""The monitoring loop on a real embedded cloud, whose clock is moved instead of waited for."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from canary.cloud.embedded.embedded import EmbeddedCloud, open_embedded
from canary.engine.jobs.monitoring_loop import (
    EMBEDDED_PAUSE_S,
    LoopOrder,
    MonitoringLoop,
    TakenSnapshot,
    next_turn,
)
from canary.rollout.errors import CanaryError
from canary.rollout.export.monitor_document import time_of_name
from canary.rollout.plan.plan import Plan
from canary.store.monitoring import LoopState, read_state
from canary.store.paths import state_dir
from tests.embedded import DEFAULT_PLAN

pytestmark = pytest.mark.usefixtures("state_dir")
HALF_HOUR = 1800.0
SLACK_S = 300.0
"""What an overloaded host may take for one turn: 5 s, in the cloud's time."""


class Watched:
    """A loop and the cloud that it watches; waiting moves the cloud's clock."""

    def __init__(self, plan: Plan, cloud: EmbeddedCloud, directory: Path) -> None:
        self.plan, self.cloud, self.directory = plan, cloud, directory
        self.out = directory / "outputs"
        self.taken: list[TakenSnapshot] = []
        self.pauses: list[float] = []
        self.end_after: int | None = None

    async def wait(self, pause_s: float) -> bool:
        self.pauses.append(pause_s)
        with contextlib.suppress(CanaryError):
            await self.cloud.set_clock(advance_s=pause_s * self.plan.local.speed)
        return self.end_after is not None and len(self.taken) >= self.end_after

    async def run(self, every_s: float | None, for_s: float | None) -> LoopState:
        order = LoopOrder(str(self.out), every_s, for_s)
        self.loop = MonitoringLoop(
            self.plan,
            self.directory / "canary.toml",
            state_dir(self.plan),
            order,
            self.taken.append,
            wait=self.wait,
        )
        return await self.loop.run()


@pytest.fixture(name="watched")
async def watched_fixture(tmp_path: Path) -> AsyncIterator[Watched]:
    async with watching(DEFAULT_PLAN, tmp_path) as watched:
        yield watched


@contextlib.asynccontextmanager
async def watching(plan: Plan, directory: Path) -> AsyncIterator[Watched]:
    cloud = await open_embedded(plan, state_dir(plan))
    try:
        yield Watched(plan, cloud, directory)
    finally:
        await cloud.close()


async def test_a_snapshot_every_half_hour_into_files_that_fit(watched: Watched) -> None:
    ended = await watched.run(HALF_HOUR, 3 * HALF_HOUR)
    files = sorted(watched.out.glob("monitor_*.json"))
    times = [time_of_name(path.name) or 0.0 for path in files]
    assert len(files) == ended.files == 4
    # No drift: each is where a multiple of the interval says, however long the others took.
    for index, at in enumerate(times):
        assert 0 <= at - times[0] - index * HALF_HOUR <= SLACK_S
    newest = json.loads(files[-1].read_text())
    assert newest["canary"]["data"] == "ok"
    assert 0 < newest["canary"]["error_rate"] < 0.05
    assert 0.8 < newest["canary"]["avg_confidence_score"] < 0.9
    assert files[-1].stat().st_mode & 0o777 == 0o600


async def test_its_state_tells_the_last_word(watched: Watched) -> None:
    ended = await watched.run(HALF_HOUR, HALF_HOUR)
    assert read_state(state_dir(watched.plan)) == ended
    assert (ended.ended_by, ended.next_at, ended.verdict) == ("time", None, "continue")
    assert ended.pid == os.getpid()
    assert ended.last_file == str(watched.taken[-1].path)


async def test_asked_to_end_it_ends_and_writes_no_more(watched: Watched) -> None:
    watched.end_after = 2
    ended = await watched.run(HALF_HOUR, 0)
    assert (ended.ended_by, ended.files, ended.until) == ("signal", 2, None)


async def test_it_waits_in_cloud_time_and_never_spins(watched: Watched) -> None:
    await watched.run(HALF_HOUR, HALF_HOUR)
    assert max(watched.pauses) <= EMBEDDED_PAUSE_S
    # Half an hour at ×60 is 30 s: three long pauses, and at most a few short ones to the point.
    assert len(watched.pauses) <= 6


@pytest.mark.parametrize(
    ("scenario", "source"),
    [("run-outage", "Cloud Run"), ("monitoring-outage", "Cloud Monitoring")],
)
async def test_an_outage_is_written_as_such_and_survived(
    watched: Watched, scenario: str, source: str
) -> None:
    await watched.cloud.set_scenario(scenario)
    first = await watched.run(HALF_HOUR, HALF_HOUR)
    assert first.files == 2
    assert source in watched.taken[0].trouble
    if scenario == "monitoring-outage":
        assert watched.taken[-1].document["canary"]["error_rate"] is None
    await watched.cloud.set_scenario("healthy")
    await watched.run(HALF_HOUR, HALF_HOUR)
    assert watched.taken[-1].trouble == ""


class Deadly(Watched):
    """Its cloud is killed while the loop waits for the second turn."""

    async def wait(self, pause_s: float) -> bool:
        if not self.pauses:
            os.kill(self.cloud.pid, signal.SIGKILL)
            await self.cloud.wait_lost()
        self.pauses.append(pause_s)
        return self.end_after is not None and len(self.taken) >= self.end_after


async def test_a_cloud_that_dies_is_opened_again(tmp_path: Path) -> None:
    # So fast that the loop's next turn is due at once by the clock that nobody corrects any more.
    local = msgspec.structs.replace(DEFAULT_PLAN.local, speed=3600.0)
    plan = msgspec.structs.replace(DEFAULT_PLAN, local=local)
    async with watching(plan, tmp_path) as watched:
        deadly = Deadly(plan, watched.cloud, tmp_path)
        deadly.end_after = 2
        ended = await deadly.run(60.0, 0)
    assert ended.ended_by == "signal"
    assert deadly.taken[-1].snapshot is not None
    assert "Cloud Run" not in deadly.taken[-1].trouble


async def test_a_disk_that_cannot_be_written_is_said_and_survived(watched: Watched) -> None:
    watched.out.write_text("in the way")
    ended = await watched.run(HALF_HOUR, HALF_HOUR)
    assert (ended.files, len(watched.taken)) == (0, 2)
    assert "could not be written" in ended.trouble


@pytest.mark.parametrize(
    ("stage", "every_s", "length_s"),
    [(2, 1800.0, 86_400.0), (3, 1800.0, 172_800.0), (5, 3600.0, None)],
)
async def test_without_being_told_it_keeps_to_the_procedure(
    tmp_path: Path, stage: int, every_s: float, length_s: float | None
) -> None:
    local = msgspec.structs.replace(DEFAULT_PLAN.local, stage=stage)
    async with watching(msgspec.structs.replace(DEFAULT_PLAN, local=local), tmp_path) as watched:
        watched.end_after = 1
        ended = await watched.run(None, None)
    assert ended.every_s == every_s
    assert ended.until == (None if length_s is None else ended.since + length_s)


@pytest.mark.parametrize(
    ("now", "following"),
    [
        (100.0, 160.0),
        (159.999, 160.0),
        (160.0, 220.0),
        # Turns that were slept through are left out.
        (1000.0, 1060.0),
        # A clock that went back is followed, not waited for.
        (40.0, 100.0),
        (30.0, 40.0),
    ],
)
def test_turns_are_multiples_of_the_interval(now: float, following: float) -> None:
    assert next_turn(100.0, 60.0, now) == following
