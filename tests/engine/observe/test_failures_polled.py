"""Who shows what fails has it polled; a guard asks Cloud Logging for nothing more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from canary.cloud.logging.past import read_failing
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_feed import EvidenceFeed
from canary.engine.observe.failures_feed import FailuresFeed
from canary.engine.observe.observer import Observer
from canary.engine.observe.poll_loop import PollLoop
from canary.rollout.failures.requests import FailedRequest
from canary.rollout.snapshot.snapshot import Snapshot
from tests.embedded import DEFAULT_PLAN, Embedded, embed


def polling(cloud: Embedded, hear: Callable[[Snapshot], None]) -> PollLoop:
    async def past(since: float, until: float) -> tuple[tuple[FailedRequest, ...], bool]:
        return await read_failing(cloud.connection, cloud.plan, since, until)

    observer = Observer(
        cloud.plan,
        cloud.run,
        cloud.monitoring,
        None,
        None,
        cloud.clock,
        comparison=EvidenceFeed(cloud.plan, None, cloud.clock, EventLog(), None),
        failures=FailuresFeed(cloud.clock, past),
    )
    loop = PollLoop(observer, None, lambda _: None)
    loop.subscribe(lambda snapshot, _: hear(snapshot))
    return loop


@pytest.mark.parametrize("shows", [True, False])
async def test_failing_requests_are_listed_only_for_whom_shows_them(shows: bool) -> None:
    seen: list[Snapshot] = []
    enough = asyncio.Event()

    def hear(snapshot: Snapshot) -> None:
        seen.append(snapshot)
        if snapshot.backfilled and is_enough(snapshot, shows=shows):
            enough.set()

    config = {"requests_per_s": 50.0, "percent": 10, "soaked_hours": 0.2}
    async with embed(DEFAULT_PLAN, scenario="route-fails", **config) as cloud:
        cloud.advance(600)
        loop = polling(cloud, hear)
        if shows:
            loop.follow_failures()
        task = asyncio.ensure_future(loop.run())
        try:
            async with asyncio.timeout(30):
                await enough.wait()
        finally:
            task.cancel()
            await asyncio.wait([task])
        assert (cloud.world.calls["ListLogEntries"] > 0) is shows
    view = seen[-1].failures
    assert view is not None
    if shows:
        assert view.groups[0].key.route == "/api/v2/recommend/personalized"
    else:
        assert view.source == "monitoring"


def is_enough(snapshot: Snapshot, *, shows: bool) -> bool:
    view = snapshot.failures
    return view is not None and (not shows or view.source == "log") and bool(view.groups)
