"""The tail through Google's own asyncio client, on the embedded cloud over real gRPC."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from canary.cloud.logging.entries import demand_log_right
from canary.cloud.logging.tail import CUT, MOST_PER_S, REOPENED, SUPPRESSED, LogTail
from canary.cloud.logging.windows import MOVED
from canary.rollout.errors import Denied
from canary.rollout.evidence.window import EvidenceWindow
from canary.simulator.api import logging as logging_api
from tests.embedded import DEFAULT_PLAN, Embedded, embed, with_router
from tests.hands import deploy

TICK_S, SERVER_TICK_S = 0.01, 0.004
"""Real seconds between two small jumps of the clock, and between two looks of the server."""

FEW_STREAMS = 2


@pytest.fixture(autouse=True)
def a_server_that_looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """As time passes fast here, the other end must look more often than for people."""
    monkeypatch.setattr(logging_api, "TICK_S", SERVER_TICK_S)


@pytest.fixture
def few_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with fewer streams than the real ten: to open them all takes a while."""
    monkeypatch.setattr(logging_api, "MOST_STREAMS", FEW_STREAMS)


class SmallSteps(random.Random):
    """Pauses of no length: what waits for a cut to mend need not be waited for here."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


def tail_of(cloud: Embedded) -> LogTail:
    return LogTail(cloud.connection, cloud.plan, cloud.clock, rng=SmallSteps())


@contextlib.asynccontextmanager
async def passing(cloud: Embedded, step_s: float = 0.5) -> AsyncIterator[None]:
    """Time passes by small jumps, for both ends of the stream at once."""

    async def jump() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            cloud.advance(step_s)

    task = asyncio.create_task(jump())
    try:
        yield
    finally:
        task.cancel()


async def take(windows: AsyncIterator[EvidenceWindow], count: int) -> list[EvidenceWindow]:
    async with asyncio.timeout(30):
        return [await anext(windows) for _ in range(count)]


@pytest.fixture
def opened() -> Any:
    return contextlib.aclosing


async def test_windows_hold_both_sides_counts_at_the_rate_of_the_traffic(opened):
    async with (
        embed(requests_per_s=100.0, percent=20) as cloud,
        passing(cloud),
        opened(tail_of(cloud).windows()) as windows,
    ):
        found = await take(windows, 6)
    per_s = sum(w.legacy.requests + w.canary.requests for w in found) / 30
    share = sum(w.canary.requests for w in found) / (per_s * 30)
    assert per_s == pytest.approx(100, rel=0.35)  # the daily curve
    assert share == pytest.approx(0.2, abs=0.03)
    assert [w.start for w in found] == [found[0].start + 5 * i for i in range(6)]
    assert not any(w.unfit for w in found)


async def test_errors_latencies_and_revisions_are_in_the_windows(opened):
    scenario = {"scenario": "error-spike", "scenario_params": {"ratio": 0.3}}
    async with (
        embed(requests_per_s=100.0, **scenario) as cloud,
        passing(cloud),
        opened(tail_of(cloud).windows()) as windows,
    ):
        found = await take(windows, 4)
    canary = [w.canary for w in found]
    ratio = sum(s.bad for s in canary) / sum(s.requests for s in canary)
    assert ratio == pytest.approx(0.3, abs=0.12)
    assert all(s.latency is not None and s.latency.count == s.requests for s in canary)
    assert {s.revisions for s in canary} == {("ion-api-canary-00001-can",)}


async def test_with_two_revisions_of_one_service_the_candidate_is_canary(opened):
    plan = with_router(DEFAULT_PLAN, kind="revisions")
    async with (
        embed(plan, percent=50) as cloud,
        passing(cloud),
        opened(tail_of(cloud).windows()) as windows,
    ):
        (window,) = await take(windows, 1)
    assert window.canary.revisions == ("ion-api-00002-can",)
    assert window.legacy.revisions == ("ion-api-00001-leg",)


async def test_a_suppressed_window_is_unfit_and_the_count_is_known(opened):
    async with embed() as cloud, passing(cloud):
        tail = tail_of(cloud)
        async with opened(tail.windows()) as windows:
            await take(windows, 1)
            cloud.break_method("TailLogEntries", shape="suppress", times=1)
            found = await take(windows, 4)
    assert SUPPRESSED in {w.unfit for w in found}
    assert found[-1].unfit == ""
    assert tail.view.suppressed > 0


async def test_a_cut_stream_is_opened_again_and_the_time_between_is_not_judged(opened):
    async with embed() as cloud, passing(cloud):
        tail = tail_of(cloud)
        async with opened(tail.windows()) as windows:
            before = await take(windows, 2)
            cloud.break_method("TailLogEntries", code="UNAVAILABLE", times=1)
            found = await take(windows, 6)
    assert before[-1].unfit == ""
    assert CUT in {w.unfit for w in found}
    assert found[-1].unfit == ""
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert tail.view.off == ""


class NoPauses(random.Random):
    """Nothing waits here: a pause that is asked for is the failure."""

    def uniform(self, a: float, b: float) -> float:
        raise AssertionError("it paused before it was opened again")


async def test_a_tail_that_ends_after_its_hour_is_opened_again_at_once(opened, monkeypatch):
    # gcloud's tailing.py: OUT_OF_RANGE after an hour; "the same request may be repeated".
    monkeypatch.setattr(logging_api, "LONGEST_S", 90.0)
    async with embed() as cloud, passing(cloud):
        tail = LogTail(cloud.connection, cloud.plan, cloud.clock, rng=NoPauses())
        async with opened(tail.windows()) as windows:
            found = await take(windows, 24)
    unfit = [w.unfit for w in found if w.unfit]
    assert set(unfit) == {REOPENED}
    assert len(unfit) <= 4
    assert found[-1].unfit == ""
    assert (tail.view.off, tail.view.trouble) == ("", "")


async def test_a_login_that_has_expired_does_not_turn_the_tail_off(opened):
    async with embed() as cloud, passing(cloud):
        cloud.break_method("TailLogEntries", code="UNAUTHENTICATED", times=3)
        tail = tail_of(cloud)
        async with opened(tail.windows()) as windows:
            found = await take(windows, 4)
    assert found[-1].unfit == ""
    assert tail.view.off == ""


async def test_without_the_right_it_is_off_and_says_why():
    async with embed() as cloud:
        cloud.break_method("TailLogEntries", code="PERMISSION_DENIED")
        tail = tail_of(cloud)
        assert [w async for w in tail.windows()] == []
    assert "refused access" in tail.view.off
    assert tail.view.off.endswith(
        "It takes logging.logEntries.list (roles/logging.viewer on the project)."
    )


async def test_the_right_is_there_when_nothing_refuses_it():
    async with embed() as cloud:
        await demand_log_right(cloud.connection, cloud.plan, 0.05)


async def test_the_right_is_missing_when_the_tail_is_refused():
    async with embed() as cloud:
        cloud.break_method("TailLogEntries", code="PERMISSION_DENIED")
        with pytest.raises(Denied, match="tailing the request log"):
            await demand_log_right(cloud.connection, cloud.plan, 10.0)


@pytest.mark.usefixtures("few_streams")
async def test_asking_for_the_right_gives_the_stream_back():
    async with embed() as cloud:
        for _ in range(FEW_STREAMS + 2):
            await demand_log_right(cloud.connection, cloud.plan, 0.05)


@pytest.mark.usefixtures("few_streams")
async def test_with_all_streams_taken_it_is_off_and_says_why(opened):
    async with embed() as cloud, contextlib.AsyncExitStack() as held, passing(cloud):
        for _ in range(FEW_STREAMS):
            windows = await held.enter_async_context(opened(tail_of(cloud).windows()))
            await take(windows, 1)
        tail = tail_of(cloud)
        assert [w async for w in tail.windows()] == []
    assert "session" in tail.view.off


async def test_a_server_that_does_not_speak_it_turns_it_off():
    async with embed() as cloud:
        cloud.break_method("TailLogEntries", code="INVALID_ARGUMENT")
        tail = tail_of(cloud)
        assert [w async for w in tail.windows()] == []
    assert tail.view.off


async def test_on_a_fast_clock_it_steps_aside_above_the_rate_that_it_names():
    async with embed(speed=60.0) as cloud:
        cloud.clock.follow(cloud.now, 60.0)
        tail = tail_of(cloud)
        assert [w async for w in tail.windows(expected_per_s=45.0)] == []
    assert "2700 entries a second at ×60" in tail.view.off
    assert tail.view.limit_per_s == MOST_PER_S


async def test_at_real_speed_a_high_rate_is_sampled():
    async with embed() as cloud:
        cloud.clock.follow(cloud.now, 1.0)
        cloud.break_method("TailLogEntries", code="PERMISSION_DENIED")
        tail = tail_of(cloud)
        assert [w async for w in tail.windows(expected_per_s=4000.0)] == []
    assert tail.view.sampled == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("rates", "sampled"),
    [
        ((10_000.0, 100.0), 1.0),
        ((10_000.0, 1_600.0), 0.5),
        ((1_600.0, 1_900.0), 0.5),  # still below what is read
        ((1_600.0, 2_500.0), 0.32),
        ((1_600.0, 900.0), 0.5),  # not worth the cut of the stream
    ],
)
async def test_the_sample_follows_the_rate_where_it_is_worth_it(rates, sampled):
    async with embed() as cloud:
        cloud.clock.follow(cloud.now, 1.0)
        cloud.break_method("TailLogEntries", code="PERMISSION_DENIED")
        tail = tail_of(cloud)
        for rate in rates:
            assert [w async for w in tail.windows(expected_per_s=rate)] == []
    assert tail.view.sampled == pytest.approx(sampled)


async def test_a_sample_shrinks_both_sides_alike(opened):
    async with embed(requests_per_s=200.0, percent=50) as cloud, passing(cloud):
        cloud.clock.follow(cloud.now, 1.0)
        tail = LogTail(cloud.connection, cloud.plan, cloud.clock)
        async with opened(tail.windows(expected_per_s=4 * MOST_PER_S)) as windows:
            found = await take(windows, 4)
    legacy, canary = (
        sum(getattr(w, side).requests for w in found) for side in ("legacy", "canary")
    )
    assert (legacy + canary) / 20 < 120
    assert canary / (legacy + canary) == pytest.approx(0.5, abs=0.1)


@pytest.mark.usefixtures("few_streams")
async def test_closing_it_gives_the_stream_back(opened):
    async with embed() as cloud, passing(cloud):
        for _ in range(FEW_STREAMS + 2):
            async with opened(tail_of(cloud).windows()) as windows:
                await take(windows, 1)


async def test_a_tail_says_before_it_is_opened_that_it_is_not():
    async with embed() as cloud:
        assert tail_of(cloud).view.off


async def test_an_open_tail_follows_a_tag_that_moves(opened):
    """deploy-cloudrun#529: the revision that had the tag keeps its percent without it."""
    plan = with_router(DEFAULT_PLAN, kind="revisions")
    legacy, old = "ion-api-00001-leg", "ion-api-00002-can"
    async with embed(plan, percent=50) as cloud:
        tail = tail_of(cloud)
        async with opened(tail.windows()) as windows:
            async with passing(cloud):
                before = await take(windows, 1)
            new = await deploy(cloud, (legacy, 50, ""), (old, 50, ""), ("NEW", 0, "canary"))
            tail.follow_sides(new, legacy)
            moved_at = cloud.now
            async with passing(cloud):
                after = await take(windows, 24)
    assert before[0].canary.revisions == (old,)
    assert MOVED in {w.unfit for w in after}
    since = [w for w in after if w.start >= moved_at + 5]
    assert since
    assert not any(w.unfit or w.canary.requests for w in since)
    assert {w.legacy.revisions for w in since} == {(legacy,)}
