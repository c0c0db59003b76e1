"""A host's clock that is set while we wait, forward or back, changes no outcome."""

import asyncio
import re
from pathlib import Path

import pytest

from canary.cloud.connection.clock import SystemClock
from canary.engine.change.executor import CloudClients, Executor
from canary.engine.guard.guard import AutomaticRollback
from canary.rollout.change.change import Outcome
from canary.store.journal import Journal
from canary.store.locks import Owner
from tests.embedded import Embedded
from tests.engine.carried import AUTHOR, PACE, ask, carry, router_service

JUMPS = (-10.0 * 365 * 86_400.0, -86_400.0, -600.0, 0.0, 600.0, 86_400.0, 10.0 * 365 * 86_400.0)


class Host:
    """A clock on the wall that somebody sets, and a steady one that goes with the cloud's."""

    def __init__(self, cloud: Embedded) -> None:
        self.cloud = cloud
        self.set_by_s = 0.0
        cloud.clock = SystemClock(wall=self.wall, steady=lambda: cloud.now - 1_000_000.0)
        self._advance = cloud.advance
        cloud.advance = self.advance

    def wall(self) -> float:
        return self.cloud.now + self.set_by_s

    def advance(self, cloud_s: float) -> None:
        self.cloud.world.clock.advance(cloud_s)
        self.cloud.world.settle()


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


@pytest.mark.parametrize("jump_s", JUMPS)
async def test_settling_takes_as_long_as_it_takes(
    embedded: Embedded, journal: Journal, jump_s: float
):
    host = Host(embedded)
    change = await ask(embedded, "rollback_all")
    embedded.set_scenario("stuck-operation")
    looks = []

    async def between() -> None:
        looks.append(embedded.now)
        if len(looks) == 3:
            host.set_by_s = jump_s

    outcome = await carry(embedded, journal, change, step_s=60.0, between=between)
    assert outcome.state == "unknown"
    assert "has not finished it in 10 m" in outcome.message
    assert looks[-1] - looks[0] == pytest.approx(600.0, abs=60.0)


@pytest.mark.parametrize("jump_s", JUMPS)
async def test_a_rollback_is_done_whatever_the_clock_does(
    embedded: Embedded, journal: Journal, jump_s: float
):
    host = Host(embedded)
    change = await ask(embedded, "rollback_all")

    async def between() -> None:
        host.set_by_s = jump_s

    outcome = await carry(embedded, journal, change, between=between)
    assert outcome.state == "done"
    assert outcome.at == pytest.approx(embedded.now, abs=1.0)


@pytest.mark.parametrize("jump_s", JUMPS)
async def test_an_intent_that_is_just_written_is_not_too_old(
    embedded: Embedded, tmp_path: Path, jump_s: float
):
    """The clock was set between the console's writing and the executor's looking."""
    wall, steady = [1_000_000_000.0], [50.0]
    with (
        Journal(tmp_path / "journal.db", wall=lambda: wall[0]) as journal,
        Owner(tmp_path) as owner,
    ):
        clients = CloudClients(embedded.writer, embedded.run, embedded.clock)
        executor = Executor(
            embedded.plan,
            clients,
            journal,
            owner,
            pace=PACE,
            wall=lambda: wall[0],
            steady=lambda: steady[0],
            sleep=lambda _: asyncio.sleep(0),
        )
        executor.take_up()
        change = await ask(embedded, "rollback_all")
        journal.intend(change)
        wall[0] += jump_s
        steady[0] += 5.0
        executor.take_up()
        embedded.advance(60.0)
        while executor.is_busy:
            embedded.advance(1.0)
            await asyncio.sleep(0)
        assert journal.entry("c1").outcome.state == "done"
        assert (await router_service(embedded)).percent == 0


async def test_an_old_intent_stays_old_for_an_executor_that_begins(
    embedded: Embedded, tmp_path: Path
):
    with (
        Journal(tmp_path / "journal.db", wall=lambda: 1_000.0) as journal,
        Owner(tmp_path) as owner,
    ):
        journal.intend(await ask(embedded, "rollback_all"))
        clients = CloudClients(embedded.writer, embedded.run, embedded.clock)
        executor = Executor(embedded.plan, clients, journal, owner, wall=lambda: 10_000.0)
        executor.take_up()
        await executor.finish()
        assert journal.entry("c1").outcome.state == "not_begun"


@pytest.mark.parametrize("jump_s", JUMPS)
async def test_the_limit_of_a_day_is_a_day_of_the_guards_own_clock(
    embedded: Embedded, journal: Journal, jump_s: float
):
    wall, steady = [1_760_000_000.0], [50.0]
    journal._wall = lambda: wall[0]
    guard = AutomaticRollback(
        embedded.plan,
        journal,
        AUTHOR,
        lambda _: None,
        lambda _, __: None,
        monotonic=lambda: steady[0],
        wall=lambda: wall[0],
    )
    change = await ask(embedded, "rollback_all", cause="r0:critical")
    journal.intend(change)
    journal.settle("c1", Outcome("refused", "x", embedded.now))
    assert [a.age_s for a in guard._attempts()] == [0.0]
    wall[0] += jump_s
    steady[0] += 100.0
    assert [a.age_s for a in guard._attempts()] == [100.0]


def test_no_wait_is_measured_by_the_clock_on_the_wall():
    """`time.time()` is read where a moment is written down or shown, never to measure a wait."""
    root = Path(__file__).parents[2]
    measured = re.compile(
        r"time\.time\(\)\s*[-<>]|[-<>]=?\s*time\.time\(\)|datetime\.now\([^)]*\) -"
    )
    found = [
        f"{path.relative_to(root)}:{number}"
        for package in ("canary", "tui", "widgets")
        for path in sorted((root / package).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if measured.search(line)
    ]
    assert found == []
