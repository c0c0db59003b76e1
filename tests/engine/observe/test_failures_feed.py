"""The scenarios with a cause, through the real protocols: what the request log shows of it, and
what the application's own lines say.
"""

import asyncio
import contextlib
import random

import msgspec
import pytest

from canary.cloud.logging import tail as tail_module
from canary.cloud.logging.past import read_failing, read_lines
from canary.cloud.logging.tail import LogTail
from canary.cloud.monitoring.statuses import read_statuses
from canary.engine.observe.failures_feed import FailuresFeed
from canary.rollout.failures.lines import fold
from canary.rollout.failures.requests import FailedRequest
from canary.rollout.failures.statuses import StatusMinute
from canary.rollout.failures.view import FailureGroup, FailuresView
from canary.simulator.api import logging as logging_api
from canary.simulator.world.traffic.causes import REMOTE_IP, USER_AGENT
from tests.embedded import DEFAULT_PLAN, Embedded, embed
from tests.engine.observe.wire import Wire

STEP_S = 2.5
SERVER_TICK_S = 0.002


async def gather(cloud: Embedded, seconds: float, *, back: bool = False) -> FailuresView:
    """What the tail shows of so many seconds, all of it taken."""
    with pytest.MonkeyPatch.context() as patched:
        # As time passes fast here, the other end must look more often than for people.
        patched.setattr(logging_api, "TICK_S", SERVER_TICK_S)
        patched.setattr(tail_module, "MOST_PER_S", 1e9)
        return await _gathered(cloud, seconds, Wire(patched), back=back)


async def _gathered(cloud: Embedded, seconds: float, wire: Wire, *, back: bool) -> FailuresView:

    async def past(since: float, until: float) -> tuple[tuple[FailedRequest, ...], bool]:
        return await read_failing(cloud.connection, cloud.plan, since, until)

    feed = FailuresFeed(cloud.clock, past if back else None)
    feed.follow_split(cloud.now)
    await feed.look_back()
    tail = LogTail(
        cloud.connection,
        cloud.plan,
        cloud.clock,
        rng=random.Random(1),
        on_failures=feed.take,
    )

    async def follow() -> None:
        async for _ in tail.windows():
            pass

    task = asyncio.create_task(follow())
    try:
        await wire.all_taken(cloud.now)
        for _ in range(int(seconds / STEP_S)):
            cloud.advance(STEP_S)
            await wire.all_taken(cloud.now)
        view = feed.view(msgspec.structs.replace(tail.view, off=""), (), ())
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert view is not None
    return view


def first_of(view: FailuresView) -> FailureGroup:
    return view.groups[0]


def world(scenario: str, requests_per_s: float = 100.0, **params: float):
    return embed(
        DEFAULT_PLAN,
        scenario=scenario,
        scenario_params=params,
        requests_per_s=requests_per_s,
        percent=10,
        soaked_hours=0.01,
    )


@pytest.mark.parametrize(
    ("scenario", "method", "route", "status"),
    [
        ("route-fails", "POST", "/api/v2/recommend/personalized", "500"),
        ("dependency-timeout", "POST", "/chat", "504"),
        ("new-exception", "GET", "/users/{id}/orders", "500"),
    ],
)
async def test_the_route_that_fails_comes_first_within_half_a_minute(
    scenario, method, route, status
):
    async with world(scenario) as cloud:
        first = first_of(await gather(cloud, 40.0))
    assert (first.key.method, first.key.route, first.key.status) == (method, route, status)
    assert first.is_beyond_chance
    assert first.canary >= 5
    if scenario == "dependency-timeout":
        assert first.requests[0].latency_ms == 10_000.0
        assert first.mark == "new"


async def test_one_bad_instance_stands_at_every_request_that_failed():
    async with world("instance-fails", ratio=0.2) as cloud:
        view = await gather(cloud, 60.0)
    failed = [r for group in view.groups for r in group.requests if r.status == 500]
    instances = [r.instance for r in failed]
    worst = max(set(instances), key=instances.count)
    assert instances.count(worst) >= 0.9 * len(instances)
    assert len({r.route for r in failed}) >= 3


async def test_while_nothing_is_wrong_nothing_is_beyond_chance():
    async with world("healthy") as cloud:
        view = await gather(cloud, 120.0)
    assert view.beyond_chance == 0
    assert view.canary > 500


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("route-fails", "KeyError: 'tier' (5 lines)"),
        ("dependency-timeout", "vector-store.internal:6333: deadline of 10 s exceeded"),
        (
            "new-exception",
            "java.lang.IllegalStateException: currency is missing in order (4 lines)",
        ),
    ],
)
async def test_the_applications_lines_tell_the_cause(scenario, said):
    async with world(scenario) as cloud:
        view = await gather(cloud, 40.0)
        request = first_of(view).requests[0]
        lines = await read_lines(cloud.connection, cloud.plan, request)
        assert said in [fold(line.text) for line in lines]
        bare = msgspec.structs.replace(request, trace="")
        around = await read_lines(cloud.connection, cloud.plan, bare)
        assert said in [fold(line.text) for line in around]
        assert len(around) <= 50
        assert all(line.instance == request.instance for line in around)


async def test_what_failed_before_the_console_came_is_asked_for_and_is_not_new():
    async with world("healthy", requests_per_s=30.0) as cloud:
        view = await gather(cloud, 20.0, back=True)
        assert cloud.world.calls["ListLogEntries"] >= 1
    assert view.seen_s == 3_600.0
    assert {g.mark for g in view.groups if g.key.status in ("404", "500")} <= {""}


async def test_the_past_has_as_many_failing_requests_as_monitoring_counts():
    async with world("route-fails") as cloud:
        since, until = cloud.now - 1_800, cloud.now - 600
        found, is_whole = await read_failing(cloud.connection, cloud.plan, since, until)
        legacy = (await cloud.monitoring.read(since, until)).legacy
    assert is_whole
    counted = sum(
        s.responses.server_5xx + s.responses.client_4xx
        for s in legacy
        if s.responses is not None and since <= s.start and s.end <= until
    )
    seen = sum(r.side == "legacy" for r in found)
    assert counted > 50
    assert seen == pytest.approx(counted, rel=0.1)


async def test_where_the_log_is_not_tailed_failing_requests_are_listed():
    off = tail_module.TailView(off="off, because 6000 entries a second at ×60 are too many")
    async with world("route-fails") as cloud:
        cloud.advance(900)

        async def past(since: float, until: float) -> tuple[tuple[FailedRequest, ...], bool]:
            return await read_failing(cloud.connection, cloud.plan, since, until)

        feed = FailuresFeed(cloud.clock, past)
        feed.follow_split(cloud.now - 900)
        reading = await cloud.monitoring.read(cloud.now - 900, cloud.now)
        assert await feed.list_anew(off, reading.legacy, reading.canary)
        view = feed.view(off, reading.legacy, reading.canary)
    assert view is not None
    first = first_of(view)
    assert (first.key.route, first.key.status) == ("/api/v2/recommend/personalized", "500")
    assert first.is_beyond_chance
    assert "as the tail is off" in view.missing
    assert view.canary > 100


async def test_what_may_not_be_read_is_not_asked_for_again():
    off = tail_module.TailView(off="denied")
    async with world("route-fails") as cloud:
        service = "/google.logging.v2.LoggingServiceV2/ListLogEntries"
        cloud.break_method(service, code="PERMISSION_DENIED", message="no")

        async def past(since: float, until: float) -> tuple[tuple[FailedRequest, ...], bool]:
            return await read_failing(cloud.connection, cloud.plan, since, until)

        feed = FailuresFeed(cloud.clock, past)
        feed.follow_split(cloud.now - 900)
        for _ in range(3):
            assert not await feed.list_anew(off, (), ())
        assert cloud.world.calls["ListLogEntries"] == 1


async def test_without_the_right_the_response_codes_are_counted():
    off = tail_module.TailView(off="it takes logging.logEntries.list")
    async with world("dependency-timeout", ratio=0.2) as cloud:
        cloud.advance(900)

        async def codes(since: float, until: float) -> tuple[StatusMinute, ...]:
            return await read_statuses(cloud.connection, cloud.plan, since, until)

        feed = FailuresFeed(cloud.clock, None, codes)
        feed.follow_split(cloud.now - 900)
        assert await feed.list_anew(off, (), ())
        view = feed.view(off, (), ())
    assert view is not None
    first = first_of(view)
    assert (first.key.status, first.is_beyond_chance, first.mark) == ("504", True, "new")
    assert "no routes" in view.missing


async def test_nothing_of_the_caller_is_kept():
    """No query string, body, client address or user agent: not in any field, not in any form."""
    async with world("route-fails", ratio=0.3) as cloud:
        view = await gather(cloud, 60.0, back=True)
    kept = msgspec.json.encode(view).decode()
    assert "/api/v2/recommend/personalized" in kept
    queries = ("example.com", "session", "user=", "email", "?", "run.app")
    for secret in (REMOTE_IP, USER_AGENT, *queries):
        assert secret not in kept, secret
    assert set(FailedRequest.__struct_fields__) == {
        "side",
        "at",
        "method",
        "route",
        "status",
        "latency_ms",
        "revision",
        "instance",
        "trace",
        "refused",
    }


async def test_without_the_request_log_the_classes_of_status_are_told_and_what_is_missing():
    async with world("error-spike", ratio=0.2) as cloud:
        cloud.advance(1_200)
        reading = await cloud.monitoring.read(cloud.now - 1_200, cloud.now)
        feed = FailuresFeed(cloud.clock)
        feed.follow_split(cloud.now - 1_200)
        off = "it takes logging.logEntries.list"
        view = feed.view(tail_module.TailView(off=off), reading.legacy, reading.canary)
    assert view is not None
    assert view.source == "monitoring"
    assert (view.groups[0].key.status, view.groups[0].is_beyond_chance) == ("5xx", True)
    assert "no routes" in view.missing
    assert off in view.missing
