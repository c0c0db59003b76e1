"""`canary guard` over the real protocols: what it reads, how fast it sees, how it acts and ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from canary.engine.clients import Cloud
from canary.engine.guard.command import GuardEnd, GuardLoop, GuardOrder
from canary.engine.notify import telling
from canary.engine.observe.poll_loop import wait_for_event
from canary.engine.session import Session, open_files
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.simulator.api import logging as logging_api
from canary.store.journal import Entry, Journal
from canary.store.locks import Owner
from canary.store.paths import journal_path
from tests.embedded import DEFAULT_PLAN, START, Embed, Embedded
from tests.engine.carried import AUTHOR, router_service

TICK_S, STEP_S = 0.01, 0.5
"""The clock is moved by hand: half a second of the cloud's each hundredth of a real one."""

COUNTDOWN_S = 5.0


def plan_that(on_regression: str) -> Plan:
    """Canary has half of the requests: it takes the fewest to know something of both sides."""
    evidence = msgspec.structs.replace(DEFAULT_PLAN.evidence, on_regression=on_regression)
    local = msgspec.structs.replace(DEFAULT_PLAN.local, stage=4)
    return msgspec.structs.replace(DEFAULT_PLAN, evidence=evidence, local=local)


class Guarding:
    """A guard on a cloud whose clock is moved by hand, and what it says."""

    def __init__(self, cloud: Embedded, directory: Path) -> None:
        self.cloud, self.directory = cloud, directory
        self.said: list[str] = []
        self.asked = asyncio.Event()
        self._news = asyncio.Event()

    def say(self, severity: str, text: str) -> None:
        self.said.append(f"{severity}: {text}")
        self._news.set()

    async def until_said(self, words: str) -> None:
        """Wait until it has said so."""
        async with asyncio.timeout(60):
            while not any(words in line for line in self.said):
                self._news.clear()
                await self._news.wait()

    async def until_seen(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        """Wait for a snapshot that is so."""
        seen: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()

        def look(snapshot: Snapshot, _: bool) -> None:
            if not seen.done() and condition(snapshot):
                seen.set_result(snapshot)

        self.guard.polls.subscribe(look)
        return await asyncio.wait_for(seen, 60)

    @property
    def entries(self) -> tuple[Entry, ...]:
        with Journal(journal_path(self.directory), read_only=True) as journal:
            return journal.recent(9)

    @contextlib.asynccontextmanager
    async def running(self, *, once: bool = False) -> AsyncIterator[asyncio.Task[GuardEnd]]:
        """The guard, while time passes."""
        cloud, files = self.cloud, open_files(self.directory)
        opened = Cloud(cloud.connection, cloud.endpoints, cloud.router, cloud.clock, None)
        self.session = Session(
            cloud.plan,
            self.directory / "canary.toml",
            self.directory,
            files,
            opened,
            contextlib.AsyncExitStack(),
        )
        assert files.journal is not None
        plan = cloud.plan
        with Owner(self.directory) as owner:
            async with telling(plan, self.directory, self.said.append) as notifier:
                self.guard = GuardLoop(
                    self.session,
                    files.journal,
                    owner,
                    notifier,
                    AUTHOR,
                    self.say,
                    monotonic=lambda: cloud.now - START,
                    wait=lambda event, pause: wait_for_event(event, pause * TICK_S / STEP_S),
                )
                moving = asyncio.ensure_future(self._move())
                order = GuardOrder(COUNTDOWN_S, once)
                guard = asyncio.ensure_future(self.guard.run(order, self.asked))
                try:
                    yield guard
                    self.asked.set()
                    await guard
                finally:
                    moving.cancel()
                    guard.cancel()
        files.close()

    async def _move(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.cloud.advance(STEP_S)


@pytest.fixture(autouse=True)
def a_server_that_looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """As time passes fast here, the other end must look more often than for people."""
    monkeypatch.setattr(logging_api, "TICK_S", TICK_S)


def follows_the_log(snapshot: Snapshot) -> bool:
    evidence = snapshot.evidence
    return evidence is not None and evidence.source == "tail" and snapshot.canary.data == "ok"


async def test_it_sees_a_regression_in_seconds_by_the_request_log_and_acts(
    embed: Embed, tmp_path: Path
) -> None:
    async with embed(plan_that("rollback"), requests_per_s=24.0) as cloud:
        guarding = Guarding(cloud, tmp_path)
        async with guarding.running():
            await guarding.until_seen(follows_the_log)
            began = cloud.now
            cloud.set_scenario("error-spike", ratio=0.3)
            snapshot = await guarding.until_seen(lambda s: s.advice is not None)
            assert snapshot.as_of - began < 60
            assert snapshot.evidence.source == "tail"
            # Cloud Monitoring has not shown a single minute of it: that takes it minutes.
            assert snapshot.canary.samples[-1].end <= began
            assert snapshot.decision.verdict == "continue"
            assert any("evidence: Canary is worse now" in e.text for e in snapshot.events)
            await guarding.until_said("automatic rollback: done")
        assert (await router_service(cloud)).percent < 50
        (entry,) = guarding.entries
        assert entry.outcome is not None
        assert entry.outcome.state == "done"


async def test_once_it_looks_at_everything_and_ends_where_nothing_is_to_be_done(
    embed: Embed, tmp_path: Path
) -> None:
    async with embed() as cloud:
        guarding = Guarding(cloud, tmp_path)
        async with guarding.running(once=True) as guard, asyncio.timeout(60):
            end = await guard
        assert end.outcome is None
        assert end.snapshot is not None
        assert end.snapshot.backfilled
        assert end.snapshot.decision.verdict == "continue"
        assert guarding.entries == ()


async def test_once_it_acts_on_what_it_finds_and_ends_with_the_outcome(
    embed: Embed, tmp_path: Path
) -> None:
    async with embed() as cloud:
        cloud.set_scenario("error-spike", ratio=0.3)
        cloud.advance(1200)
        guarding = Guarding(cloud, tmp_path)
        async with guarding.running(once=True) as guard, asyncio.timeout(60):
            end = await guard
        assert end.outcome is not None
        assert end.outcome.state == "done"
        assert (await router_service(cloud)).percent == 0


async def test_a_cloud_that_fails_is_in_the_snapshot_and_ends_nothing(
    embed: Embed, tmp_path: Path
) -> None:
    async with embed() as cloud:
        cloud.break_method("GetService", code="UNAVAILABLE")
        guarding = Guarding(cloud, tmp_path)
        async with guarding.running() as guard:
            await guarding.until_seen(lambda s: any(x.state == "failing" for x in s.sources))
            cloud.world.faults.clear()
            await guarding.until_seen(lambda s: s.standing is not None)
            assert not guard.done()
