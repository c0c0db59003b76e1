"""What the console runs beside observing, against the embedded cloud: load test, A/B test, loop."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.engine.jobs.monitoring_process import Monitoring, view_monitoring
from canary.rollout.errors import ReadOnly
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.tables import LoadProfile, LoadRequest
from canary.rollout.trials.jobs import JobsView, MonitoringView
from canary.rollout.trials.load_test import LoadTestSettings
from canary.store.locks import hold_load_lock
from canary.store.monitoring import LoopState
from canary.store.paths import state_dir as directory_of
from tests.embedded import Embed, Embedded
from tests.engine.console.test_console import Screen, has_numbers
from tests.engine.jobs.test_verification import at_router

pytestmark = pytest.mark.usefixtures("state_dir")
needs_locust = pytest.mark.skipif(find_spec("locust") is None, reason="Locust is not installed")
PATIENCE_S = 40.0
PROFILE = LoadProfile((LoadRequest("/chat", "POST", "{}"),), 0.02, 0.06)


class Desk:
    """An engine that runs, and what it tells of the procedure."""

    def __init__(self, plan: Plan, tmp_path: Path, **options: Any) -> None:
        from canary.engine.console.console import ConsoleEngine

        self.screen = Screen()
        self.engine = ConsoleEngine(plan, tmp_path / "canary.toml", **options)
        self.seen: list[JobsView] = []
        self._news = threading.Condition()

    async def __aenter__(self) -> Desk:
        self.engine.start(self.screen.show, self.screen.complain, self._take)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.engine.stop)

    def _take(self, procedure: JobsView) -> None:
        with self._news:
            self.seen.append(procedure)
            self._news.notify_all()

    async def until(self, wanted: Callable[[JobsView], bool]) -> JobsView:
        """The first procedure that is wanted, from the newest one on."""

        def wait() -> JobsView:
            with self._news:
                found = self._news.wait_for(
                    lambda: bool(self.seen) and wanted(self.seen[-1]), PATIENCE_S
                )
                assert found, (self.seen[-1:], self.screen.troubles)
                return self.seen[-1]

        return await asyncio.to_thread(wait)


def reaching(cloud: Embedded) -> Plan:
    """The cloud's plan with its router and BigQuery."""
    plan = at_router(cloud)
    endpoints = msgspec.structs.replace(plan.target.endpoints, bigquery=cloud.control_url)
    target = msgspec.structs.replace(plan.target, endpoints=endpoints)
    return msgspec.structs.replace(plan, target=target)


def live(embed: Embed) -> Any:
    return embed(http=True, start_unix=time.time(), monotonic=time.monotonic)


def settings(seconds: float) -> LoadTestSettings:
    return LoadTestSettings("short", PROFILE, 5, 20.0, seconds, 10.0)


def texts(desk: Desk) -> list[str]:
    return [e.text for e in desk.screen.snapshots[-1].events]


@needs_locust
async def test_a_load_test_is_told_as_it_goes_written_and_said(
    embed: Embed, tmp_path: Path
) -> None:
    async with live(embed) as cloud, Desk(reaching(cloud), tmp_path) as desk:
        await desk.screen.until(has_numbers)
        work = desk.engine.procedure
        assert work.load_target() == cloud.control_url
        work.start_load_test(settings(4.0))
        running = await desk.until(lambda p: p.load_test.progress is not None)
        assert running.load_test.is_running
        assert running.load_test.by == str(desk.engine.author)
        ended = await desk.until(lambda p: p.load_test.summary is not None)
        said = await desk.screen.until(
            lambda s: any(
                e.text.startswith(("load test PASSED", "load test FAILED")) for e in s.events
            )
        )
    assert not ended.load_test.is_running
    assert ended.load_test.summary is not None
    assert ended.load_test.summary.ended == "time"
    written = json.loads((tmp_path / "outputs" / "load_test_summary.json").read_text())
    assert written["status"] == ended.load_test.summary.status
    assert any(e.by == str(desk.engine.author) for e in said.events)


@needs_locust
async def test_a_stopped_load_test_keeps_what_it_has_seen(embed: Embed, tmp_path: Path) -> None:
    async with live(embed) as cloud, Desk(reaching(cloud), tmp_path) as desk:
        await desk.screen.until(has_numbers)
        work = desk.engine.procedure
        work.start_load_test(settings(600.0))
        await desk.until(lambda p: p.load_test.progress is not None)
        work.stop()
        ended = await desk.until(lambda p: p.load_test.summary is not None)
        assert ended.load_test.summary is not None
        assert ended.load_test.summary.ended == "stopped"
        assert f"by {desk.engine.author}" in ended.load_test.summary.reasons[0]
        assert ended.load_test.waiting is not None
        work.acknowledge("load_test")
        seen = await desk.until(lambda p: p.load_test.acknowledged)
        assert seen.load_test.waiting is None


@needs_locust
async def test_a_load_test_ends_with_its_console(embed: Embed, tmp_path: Path) -> None:
    async with live(embed) as cloud:
        async with Desk(reaching(cloud), tmp_path) as desk:
            await desk.screen.until(has_numbers)
            desk.engine.procedure.start_load_test(settings(600.0))
            await desk.until(lambda p: p.load_test.progress is not None)
            run = desk.engine.procedure.load_test._run
            assert run is not None
            assert run.pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(run.pid, 0)


async def test_a_second_load_test_of_the_rollout_is_refused_by_name(
    embed: Embed, tmp_path: Path
) -> None:
    async with live(embed) as cloud, Desk(reaching(cloud), tmp_path) as desk:
        await desk.screen.until(has_numbers)
        with hold_load_lock(directory_of(desk.engine.plan)):
            desk.engine.procedure.start_load_test(settings(1.0))
            ended = await desk.until(lambda p: bool(p.load_test.trouble))
    assert not ended.load_test.is_running
    assert f"runs already (process {os.getpid()})" in ended.load_test.trouble


async def test_the_ab_test_is_asked_for_written_and_said(embed: Embed, tmp_path: Path) -> None:
    async with live(embed) as cloud, Desk(reaching(cloud), tmp_path) as desk:
        await desk.screen.until(has_numbers)
        desk.engine.procedure.run_ab_test()
        found = await desk.until(lambda p: p.ab_test.analysis is not None and not p.ab_test.running)
        await desk.screen.until(
            lambda s: any(e.text.startswith("A/B test approves Canary:") for e in s.events)
        )
    assert found.ab_test.analysis is not None
    assert found.ab_test.analysis.status == "APPROVED"
    written = json.loads((tmp_path / "outputs" / "ab_test_analysis.json").read_text())
    assert written["approved"]


async def test_a_bigquery_that_refuses_is_said(embed: Embed, tmp_path: Path) -> None:
    async with live(embed) as cloud, Desk(reaching(cloud), tmp_path) as desk:
        await desk.screen.until(has_numbers)
        cloud.break_method("/google.cloud.bigquery.v2.JobService/Query", code="PERMISSION_DENIED")
        desk.engine.procedure.run_ab_test()
        found = await desk.until(lambda p: bool(p.ab_test.trouble))
    assert not found.ab_test.running
    assert found.ab_test.analysis is None
    assert not (tmp_path / "outputs" / "ab_test_analysis.json").exists()


async def test_a_verification_is_acknowledged_until_the_next_one(
    embed: Embed, tmp_path: Path
) -> None:
    async with live(embed) as cloud:
        plan = reaching(cloud)
        quick = msgspec.structs.replace(plan.verify, requests=30, delay_ms=0.0)
        async with Desk(msgspec.structs.replace(plan, verify=quick), tmp_path) as desk:
            await desk.screen.until(has_numbers)
            work = desk.engine.procedure
            work.verify()
            await desk.until(lambda p: p.verification.waiting is not None)
            work.acknowledge("verification")
            await desk.until(lambda p: p.verification.acknowledged)
            work.verify()
            again = await desk.until(lambda p: p.verification.waiting is not None)
    assert again.verification.progress is None


async def test_a_read_only_engine_loads_nothing_and_leaves_the_loop_alone(
    embed: Embed, tmp_path: Path
) -> None:
    async with live(embed) as cloud, Desk(reaching(cloud), tmp_path, read_only=True) as desk:
        work = desk.engine.procedure
        for refused in (
            lambda: work.start_load_test(settings(1.0)),
            work.start_monitoring,
            work.stop_monitoring,
        ):
            with pytest.raises(ReadOnly):
                refused()


async def test_the_loops_state_is_looked_at_from_the_beginning(
    embed: Embed, tmp_path: Path
) -> None:
    async with live(embed) as cloud, Desk(reaching(cloud), tmp_path) as desk:
        seen = await desk.until(lambda p: p.monitoring is not None)
    assert seen.monitoring == MonitoringView()


SAID = LoopState(pid=7, since=100.0, every_s=1800.0, until=None, out_dir="/o", files=3)


@pytest.mark.parametrize(
    ("found", "running", "files"),
    [
        (Monitoring(7, SAID), True, 3),
        (Monitoring(None, SAID), False, 3),
        # The file is the last word of another loop; this one has not written yet.
        (Monitoring(8, SAID), True, 0),
        # It is just beginning, and has no number yet.
        (Monitoring(0, SAID), True, 0),
        (Monitoring(None, None), False, 0),
    ],
)
def test_a_loops_state_is_its_own(found: Monitoring, running: bool, files: int) -> None:
    view = view_monitoring(found)
    assert (view.running, view.files) == (running, files)
