"""The console's engine on its own thread, against the embedded cloud over real gRPC."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from canary.engine.console.console import ConsoleEngine
from canary.engine.console.console_loop import only_news
from canary.engine.observe import poll_loop
from canary.engine.observe.observer import Observer
from canary.engine.observe.poll_loop import PollLoop
from canary.rollout.change.change import Change, Request
from canary.rollout.change.moves import rollback_all
from canary.rollout.errors import ReadOnly, Unavailable
from canary.rollout.recording.player import Recording
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.journal import Journal
from canary.store.paths import journal_path, recording_path
from canary.store.paths import state_dir as directory_of
from canary.store.recording import RecordingFile
from tests.embedded import DEFAULT_PLAN, Embed, Embedded

pytestmark = pytest.mark.usefixtures("state_dir")
PATIENCE_S = 30.0


class Screen:
    """What a screen does with the engine's words: keeps them, and waits for the one it wants."""

    def __init__(self) -> None:
        self.snapshots: list[Snapshot] = []
        self.troubles: list[str] = []
        self._news = threading.Condition()

    def show(self, snapshot: Snapshot) -> None:
        with self._news:
            self.snapshots.append(snapshot)
            self._news.notify_all()

    def complain(self, text: str) -> None:
        with self._news:
            self.troubles.append(text)
            self._news.notify_all()

    async def until(self, wanted: Callable[[Snapshot], bool]) -> Snapshot:
        """The first snapshot from now on that is wanted; the test's loop serves the cloud."""

        def wait() -> Snapshot:
            with self._news:
                found = self._news.wait_for(
                    lambda: bool(self.snapshots) and wanted(self.snapshots[-1]), PATIENCE_S
                )
                assert found, (self.snapshots[-1:], self.troubles)
                return self.snapshots[-1]

        return await asyncio.to_thread(wait)

    async def until_trouble(self) -> str:
        def wait() -> str:
            with self._news:
                assert self._news.wait_for(lambda: bool(self.troubles), PATIENCE_S)
                return self.troubles[-1]

        return await asyncio.to_thread(wait)


class Running:
    """An engine that runs, and its screen."""

    def __init__(self, plan: Any, **options: Any) -> None:
        self.screen = Screen()
        self.engine = ConsoleEngine(plan, **options)

    async def __aenter__(self) -> Running:
        self.engine.start(self.screen.show, self.screen.complain)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.engine.stop)


def live(embed: Embed, **config: Any) -> AbstractAsyncContextManager[Embedded]:
    """A cloud whose clock is this host's, as the real one's is."""
    return embed(start_unix=time.time(), monotonic=time.monotonic, **config)


def has_numbers(snapshot: Snapshot) -> bool:
    return snapshot.canary.window.requests is not None and snapshot.standing is not None


def has_ended(engine: ConsoleEngine) -> bool:
    """Whether its thread has, which was asked to: a busy machine may take longer than `stop` waits,
    and much less than what hangs here does.
    """
    assert engine._thread is not None
    engine._thread._thread.join(30.0)
    return not engine._thread.is_alive


def everybody_off(engine: ConsoleEngine, snapshot: Snapshot) -> Change:
    assert snapshot.standing is not None
    return rollback_all(
        engine.plan, snapshot.standing, Request("c-1", engine.author, snapshot.as_of)
    )


async def test_live_numbers_come_and_then_the_whole_soak(embed: Embed) -> None:
    async with live(embed, soaked_hours=10.0) as cloud, Running(cloud.plan, read_only=True) as it:
        first = await it.screen.until(has_numbers)
        assert first.decision.verdict == "continue"
        whole = await it.screen.until(lambda s: s.backfilled)
        assert whole.canary.samples[0].start <= cloud.world.entered_at
    assert it.screen.troubles == []


async def test_what_it_showed_is_in_the_recording(embed: Embed) -> None:
    async with live(embed) as cloud:
        async with Running(cloud.plan, read_only=True) as it:
            await it.screen.until(has_numbers)
        with RecordingFile(recording_path(directory_of(cloud.plan)), read_only=True) as file:
            shown = Recording(file).read(Recording(file).find(it.screen.snapshots[-1].as_of))
    assert shown.frame.snapshot.canary.window == it.screen.snapshots[-1].canary.window


async def test_after_stop_the_thread_is_gone_and_nothing_is_said_any_more(embed: Embed) -> None:
    async with live(embed) as cloud, Running(cloud.plan, read_only=True) as it:
        await it.screen.until(has_numbers)
        await asyncio.to_thread(it.engine.stop)
        assert has_ended(it.engine)
        said = len(it.screen.snapshots)
        it.engine.refresh_now()
        it.engine.probe()
        assert len(it.screen.snapshots) == said


async def test_a_cloud_that_hangs_does_not_hold_up_the_end(
    embed: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_loop, "FIRST_LOOK_S", 0.0)
    async with live(embed) as cloud:
        cloud.break_method("*", delay_s=60.0)
        async with Running(cloud.plan, read_only=True) as it:
            await it.screen.until(lambda s: s.stage.index is None)
            await asyncio.to_thread(it.engine.stop)
            assert has_ended(it.engine)


async def test_stopping_before_anything_came_is_fine() -> None:
    async with Running(DEFAULT_PLAN) as it:
        pass
    assert has_ended(it.engine)


async def test_a_hanging_monitoring_does_not_hold_up_cloud_run(embed: Embed) -> None:
    async with live(embed) as cloud:
        cloud.break_method("ListTimeSeries", delay_s=60.0)
        async with Running(cloud.plan, read_only=True) as it:
            snapshot = await it.screen.until(lambda s: s.standing is not None)
    assert snapshot.decision.verdict == "no_data"


async def test_a_confirmed_rollback_is_carried_out_and_its_outcome_comes_back(
    embed: Embed,
) -> None:
    async with live(embed, operation_s=0.5) as cloud, Running(cloud.plan) as it:
        change = everybody_off(it.engine, await it.screen.until(has_numbers))
        it.engine.submit(change)
        done = await it.screen.until(lambda s: bool(s.changes) and s.changes[0].outcome is not None)
        assert done.changes[0].outcome is not None
        assert done.changes[0].outcome.state == "done"
        off = await it.screen.until(lambda s: s.traffic.canary_percent == 0)
        assert off.stage.index == 0
        assert off.canary.data != "ok"
        it.engine.acknowledge("c-1")
        await it.screen.until(lambda s: s.changes[0].acknowledged)


async def test_an_intent_is_in_the_journal_when_submit_returns(embed: Embed) -> None:
    async with live(embed, operation_s=0.5) as cloud, Running(cloud.plan) as it:
        change = everybody_off(it.engine, await it.screen.until(has_numbers))
        it.engine.submit(change)
        with Journal(journal_path(directory_of(cloud.plan)), read_only=True) as journal:
            entry = journal.entry("c-1")
        assert entry is not None
        await it.screen.until(lambda s: bool(s.changes) and s.changes[0].outcome is not None)


async def test_a_read_only_engine_refuses_and_writes_nothing(embed: Embed) -> None:
    async with live(embed) as cloud, Running(cloud.plan, read_only=True) as it:
        change = everybody_off(it.engine, await it.screen.until(has_numbers))
        with pytest.raises(ReadOnly):
            it.engine.submit(change)
        with Journal(journal_path(directory_of(cloud.plan)), read_only=True) as journal:
            assert journal.recent(9) == ()


async def test_after_its_end_the_engine_takes_no_change(embed: Embed) -> None:
    async with live(embed) as cloud:
        async with Running(cloud.plan) as it:
            change = everybody_off(it.engine, await it.screen.until(has_numbers))
        with pytest.raises(Unavailable, match="ended"):
            it.engine.submit(change)


async def test_health_arrives_as_events(embed: Embed) -> None:
    async with live(embed, http=True) as cloud, Running(cloud.plan, read_only=True) as it:
        await it.screen.until(has_numbers)
        it.engine.probe()
        told = await it.screen.until(
            lambda s: sum(e.text.startswith("health of") for e in s.events) == 2
        )
    assert all("healthy in" in e.text for e in told.events if e.text.startswith("health of"))


async def test_a_real_cloud_plays_no_scenarios_and_says_so(embed: Embed) -> None:
    async with live(embed) as cloud, Running(cloud.plan, read_only=True) as it:
        await it.screen.until(has_numbers)
        assert it.engine.scenarios() == {}
        it.engine.set_scenario("latency")
        assert "no embedded cloud" in await it.screen.until_trouble()


async def test_the_embedded_cloud_plays_what_it_is_told() -> None:
    async with Running(DEFAULT_PLAN, read_only=True) as it:
        await it.screen.until(has_numbers)
        await it.screen.until(lambda s: s.scenario == "healthy")
        assert "error-spike" in it.engine.scenarios()
        it.engine.set_scenario("quota")
        told = await it.screen.until(lambda s: s.scenario == "quota")
        assert told.speed == DEFAULT_PLAN.local.speed
        await it.screen.until(lambda s: any(x.state == "failing" for x in s.sources))
        it.engine.set_scenario("no such thing")
        assert "no such thing" in await it.screen.until_trouble()


async def test_what_nobody_foresaw_is_logged_and_shown_and_observing_goes_on(
    embed: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistakes = [ZeroDivisionError("a mistake of ours")]
    looked = PollLoop._poll_run

    async def fail_once(self: PollLoop) -> float:
        if mistakes:
            raise mistakes.pop()
        return await looked(self)

    monkeypatch.setattr(PollLoop, "_poll_run", fail_once)
    monkeypatch.setattr(poll_loop, "FIRST_LOOK_S", 0.0)
    async with live(embed) as cloud, Running(cloud.plan, read_only=True) as it:
        assert "ZeroDivisionError" in await it.screen.until_trouble()
        await it.screen.until(lambda s: s.canary.window.requests is not None)
        it.engine.refresh_now()
        await it.screen.until(has_numbers)
        log = (directory_of(cloud.plan) / "engine.log").read_text()
    assert "a mistake of ours" in log


async def test_a_snapshot_goes_out_only_when_it_says_something_else(embedded: Embedded) -> None:
    screen, now = Screen(), [0.0]
    cloud = embedded
    observer = Observer(cloud.plan, cloud.run, cloud.monitoring, None, None, cloud.clock)
    polls = PollLoop(observer, None, screen.complain, monotonic=lambda: now[0])
    polls.subscribe(only_news(screen.show, lambda: now[0]))
    await observer.refresh()
    polls.publish(changed=False)
    polls.publish(changed=False)
    assert len(screen.snapshots) == 1
    now[0] += 5.0
    polls.publish(changed=False)
    assert len(screen.snapshots) == 2
    cloud.advance(600)  # nothing is read, and yet: the data has become stale
    polls.publish(changed=False)
    assert screen.snapshots[-1].decision.verdict == "no_data"
    polls.publish(changed=True)
    assert len(screen.snapshots) == 4


def test_who_asks_is_the_user_and_the_host() -> None:
    author = ConsoleEngine(DEFAULT_PLAN).author
    assert author.user
    assert author.host


def test_before_the_start_there_is_nothing_to_ask() -> None:
    engine = ConsoleEngine(DEFAULT_PLAN)
    assert engine.scenarios() == {}
    with pytest.raises(Unavailable):
        engine.acknowledge("c-1")


async def test_a_trouble_of_a_moment_is_kept_in_the_event_log(
    embed: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next snapshot takes it off the screen."""

    async def fail(_: Observer) -> bool:
        raise Unavailable("The readiness is away.")

    monkeypatch.setattr(Observer, "read_readiness", fail)
    async with live(embed) as cloud, Running(cloud.plan, read_only=True) as it:
        assert await it.screen.until_trouble() == "The readiness is away."
        await it.screen.until(lambda s: any("readiness is away" in e.text for e in s.events))
