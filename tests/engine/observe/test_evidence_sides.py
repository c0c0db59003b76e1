"""Whose requests the comparison rests on: a tag that moves, and clients that stay on a side."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from random import Random

import pytest

from canary.cloud.logging.tail import LogTail
from canary.cloud.logging.windows import MOVED
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_feed import EvidenceFeed
from canary.rollout.evidence.verdict import AFFINITY
from canary.rollout.plan.plan import Plan
from canary.simulator.api import logging as logging_api
from canary.store.evidence import EvidenceRecord
from tests.embedded import DEFAULT_PLAN, Embedded, embed, with_router
from tests.engine.comparing import Comparing
from tests.engine.watching import Watching
from tests.hands import deploy, message_of

LEGACY, OLD = "ion-api-00001-leg", "ion-api-00002-can"
SPLIT: Plan = with_router(DEFAULT_PLAN, kind="revisions")


@pytest.fixture(autouse=True)
def a_server_that_looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """As time passes fast here, the other end must look more often than for people."""
    monkeypatch.setattr(logging_api, "TICK_S", 0.004)


@contextlib.asynccontextmanager
async def passing(cloud: Embedded) -> AsyncIterator[None]:
    async def jump() -> None:
        while True:
            await asyncio.sleep(0.01)
            cloud.advance(1.0)

    task = asyncio.create_task(jump())
    try:
        yield
    finally:
        task.cancel()


def opened(cloud: Embedded, record: EvidenceRecord | None = None) -> tuple[EvidenceFeed, Watching]:
    tail = LogTail(cloud.connection, cloud.plan, cloud.clock)
    feed = EvidenceFeed(cloud.plan, tail, cloud.clock, EventLog(), record)
    return feed, Watching(cloud, comparison=feed)


async def test_after_a_tag_has_moved_nothing_of_the_old_canary_is_judged_as_canarys(tmp_path):
    record = EvidenceRecord(tmp_path / "evidence.db")
    async with embed(SPLIT, percent=50) as cloud:
        feed, watching = opened(cloud, record)
        await watching.observer.refresh()
        await watching.backfill()
        watching.observer.judge()
        async with aclosing(feed.follow_tail(None)) as windows, asyncio.timeout(60):
            async with passing(cloud):
                for _ in range(4):
                    await anext(windows)
            await deploy(cloud, (LEGACY, 50, ""), (OLD, 50, ""), ("NEW", 0, "canary"))
            moved_at = cloud.now
            async with passing(cloud):  # the tail is ahead of the next look at Cloud Run
                for _ in range(4):
                    await anext(windows)
            await watching.observer.read_run()
            async with passing(cloud):
                for _ in range(8):
                    await anext(windows)
        feed.keep()
    kept = record.load(moved_at - 60)
    assert MOVED in {w.unfit for w in kept}
    assert not [w for w in kept if not w.unfit and OLD in w.canary.revisions and w.end > moved_at]
    record.close()


def test_windows_that_showed_the_old_canary_are_taken_back():
    comparing = Comparing(plan=SPLIT)
    comparing.begin()
    comparing.feed.follow_sides("can-1", "leg-1")
    comparing.run(Random(1), 60, 4)
    before = comparing.feed.state
    assert before is not None
    assert before.judged_s > 0
    comparing.feed.follow_sides("can-2", "leg-1")
    assert comparing.feed.state is not None
    assert comparing.feed.state.judged_s < before.judged_s


@pytest.mark.parametrize("service", ["ion-api", "ion-api-canary"])
async def test_session_affinity_of_either_side_makes_the_feeds_comparison_inconclusive(
    service: str,
):
    async with embed() as cloud:
        _, watching = opened(cloud)
        await watching.observer.refresh()
        view = (await watching.observer.refresh()).evidence
        assert view is not None
        assert AFFINITY not in {m.why for m in view.metrics}
        message = await message_of(cloud, service)
        update = type(message)(name=message.name)
        update.template.CopyFrom(message.template)
        update.template.revision = ""
        update.template.session_affinity = True
        await cloud.run.run.update(update, ["template"], "by hand", validate_only=False)
        cloud.advance(60)
        view = (await watching.observer.refresh()).evidence
    assert view is not None
    assert view.metrics
    assert {(m.verdict, m.why) for m in view.metrics} == {("inconclusive", AFFINITY)}
