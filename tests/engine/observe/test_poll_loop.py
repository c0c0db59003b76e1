"""The one poll loop: its own interval for each source, wakes, errors told, subscribers served."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from canary.engine.observe.observer import Observer
from canary.engine.observe.poll_loop import (
    ERROR_PAUSE_S,
    FIRST_LOOK_S,
    LEAST_METRICS_S,
    LEAST_PAUSE_S,
    METRICS,
    RUN,
    Beside,
    PollLoop,
    pause_until,
)
from canary.rollout.decision.guard import GuardView
from canary.rollout.errors import Unavailable
from canary.rollout.snapshot.snapshot import Snapshot
from tests.embedded import Embedded


class Polling:
    """A poll loop whose waits end when the test says so, and what it hands out."""

    def __init__(self, cloud: Embedded) -> None:
        self.snapshots: list[tuple[Snapshot, bool]] = []
        self.errors: list[str] = []
        self.pauses: list[float] = []
        self.waiting = asyncio.Event()
        self.monotonic = time.monotonic
        observer = Observer(cloud.plan, cloud.run, cloud.monitoring, None, None, cloud.clock)
        self.loop = PollLoop(
            observer,
            None,
            self.errors.append,
            beside=lambda: Beside(guard=GuardView(armed=True)),
            monotonic=lambda: self.monotonic(),
            wait=self._wait,
        )
        self.loop.subscribe(lambda *handed: self.snapshots.append(handed))

    async def _wait(self, event: asyncio.Event, pause_s: float) -> None:
        self.pauses.append(pause_s)
        self.waiting.set()
        await event.wait()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.loop.run())
        try:
            async with asyncio.timeout(30):
                yield
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_every_source_is_read_at_once_and_subscribers_get_each_snapshot(
    embedded: Embedded,
) -> None:
    polling, both = Polling(embedded), asyncio.Event()
    polling.loop.subscribe(
        lambda s, _: s.standing is not None and s.canary.window.requests is not None and both.set()
    )
    async with polling.running():
        await both.wait()
    snapshot, _ = polling.snapshots[-1]
    assert snapshot.guard is not None
    assert snapshot.guard.armed
    assert any(changed for _, changed in polling.snapshots)
    assert polling.errors == []


async def test_nothing_is_shown_before_cloud_run_was_looked_at(embedded: Embedded) -> None:
    polling = Polling(embedded)
    polling.monotonic = lambda: 1000.0
    polling.loop._begun_at = 1000.0
    polling.loop.publish(changed=True)
    assert polling.snapshots == []
    await polling.loop._poll_run()
    assert [snapshot.standing is not None for snapshot, _ in polling.snapshots] == [True]


async def test_a_cloud_run_that_takes_its_time_is_not_waited_for_for_long(
    embedded: Embedded,
) -> None:
    polling = Polling(embedded)
    polling.loop._begun_at = 1000.0
    polling.monotonic = lambda: 1000.0 + FIRST_LOOK_S + 0.1
    polling.loop.publish(changed=False)
    assert [snapshot.standing for snapshot, _ in polling.snapshots] == [None]


async def test_a_cloud_run_that_fails_at_once_is_shown_at_once(embedded: Embedded) -> None:
    embedded.break_method("GetService", code="UNAVAILABLE")
    polling = Polling(embedded)
    polling.monotonic = lambda: 1000.0
    polling.loop._begun_at = 1000.0
    await polling.loop._poll_run()
    ((snapshot, _),) = polling.snapshots
    assert any(source.state == "failing" for source in snapshot.sources)


async def test_a_poll_that_fails_is_told_and_tried_again_when_woken(embedded: Embedded) -> None:
    polling, done = Polling(embedded), asyncio.Event()
    mistakes = [Unavailable("It is away."), ZeroDivisionError("a mistake of ours")]
    told = asyncio.Event()

    async def poll() -> float:
        if mistakes:
            told.set()
            raise mistakes.pop(0)
        done.set()
        return 1.0

    polling.loop.add("one of ours", poll)
    async with polling.running():
        for _ in range(2):
            await told.wait()
            told.clear()
            while len(polling.errors) + len(mistakes) < 2:
                polling.waiting.clear()
                await polling.waiting.wait()
            polling.loop.wake("one of ours")
        await done.wait()
    assert polling.errors[0].startswith("It is away.")
    assert "one of ours failed (ZeroDivisionError)" in polling.errors[1]
    assert polling.pauses.count(ERROR_PAUSE_S) >= 2


async def test_what_is_read_and_is_the_same_is_not_judged_again_just_after_a_look(
    embedded: Embedded,
) -> None:
    polling = Polling(embedded)
    polling.monotonic = lambda: 1000.0
    await polling.loop.poll_all()
    await polling.loop._poll_run()
    assert len(polling.snapshots) == 1
    polling.monotonic = lambda: 1000.0 + LEAST_PAUSE_S
    await polling.loop._poll_run()
    assert [changed for _, changed in polling.snapshots] == [True, False]


async def test_waking_what_does_not_run_is_nothing(embedded: Embedded) -> None:
    polling = Polling(embedded)
    polling.loop.wake(RUN)
    polling.loop.wake(METRICS)
    polling.loop.wake_all()
    assert polling.snapshots == []


async def test_all_sources_are_read_once_on_demand(embedded: Embedded) -> None:
    polling = Polling(embedded)
    snapshot = await polling.loop.poll_all(past=True)
    assert snapshot.backfilled
    assert snapshot.canary.samples[0].start <= embedded.world.entered_at
    assert [handed for handed, _ in polling.snapshots] == [snapshot]


@pytest.mark.parametrize(
    ("wait_s", "speed", "pause_s"),
    [
        (57.0, 1.0, 57.0),
        (0.2, 1.0, 60.2),
        (0.5, 1.0, 0.5),
        (57.0, 60.0, 0.95),
        (12.0, 60.0, 1.2),
        (57.0, 600.0, 0.595),
        (-30.0, 60.0, 1.0),
    ],
)
def test_metrics_are_asked_for_just_after_a_minute_is_visible_but_not_too_often(
    wait_s: float, speed: float, pause_s: float
) -> None:
    assert pause_until(wait_s, speed) == pytest.approx(pause_s)
    assert pause_until(wait_s, speed) >= LEAST_METRICS_S
