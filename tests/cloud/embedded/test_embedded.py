"""The embedded cloud as a process: started, joined, steered, left."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from canary.cloud.connection.clients import Connection
from canary.cloud.embedded import process
from canary.cloud.embedded.control import open_lease, request_json
from canary.cloud.embedded.embedded import (
    STATE_FILE,
    EmbeddedCloud,
    open_embedded,
    revive_embedded,
)
from canary.cloud.embedded.process import begin_embedded, build_config
from canary.cloud.router.choice import open_router
from canary.rollout.change.stage_record import decode_record
from canary.rollout.errors import Rejected, Unavailable
from tests.embedded import DEFAULT_PLAN, Embed, with_router
from tests.forked import begin_forked

BY_PYTHON = (
    "test_a_console_starts_it_another_joins_it_and_both_see_one_state",
    "test_one_that_does_not_come_up_says_why",
    "test_its_log_is_for_its_owner_alone",
    "test_one_that_was_killed_lives_again_where_it_was_with_what_was_set",
)
"""The tests that start Python; what the others are about does not depend on it."""


@pytest.fixture(autouse=True)
def _forked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.originalname not in BY_PYTHON:
        monkeypatch.setattr(process, "begin_process", begin_forked)


@contextlib.asynccontextmanager
async def opened(state_dir: Path, *, fresh: bool = False) -> AsyncIterator[EmbeddedCloud]:
    """The embedded cloud of the default plan, gone when the block ends."""
    cloud = await open_embedded(DEFAULT_PLAN, state_dir, fresh=fresh)
    try:
        yield cloud
    finally:
        await end(cloud, signal.SIGTERM)
        await cloud.close()


async def end(cloud: EmbeddedCloud, how: signal.Signals) -> None:
    """End the process, instead of waiting out its grace after the last lease."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(cloud.pid, how)
    await cloud.wait_lost()


async def test_a_console_starts_it_another_joins_it_and_both_see_one_state(
    state_dir: Path,
) -> None:
    async with opened(state_dir) as first:
        second = await open_embedded(DEFAULT_PLAN, state_dir)
        assert (first.shared, second.shared) == (False, True)
        assert second.pid == first.pid
        assert second.endpoints == first.endpoints
        await first.set_scenario("error-spike")
        await second.refresh()
        assert second.scenario == "error-spike"
        await second.close()
        await first.refresh()


async def test_one_begun_ahead_is_opened_and_one_begun_beside_it_is_the_same(
    state_dir: Path,
) -> None:
    ahead = begin_embedded(DEFAULT_PLAN, state_dir)
    first = await open_embedded(DEFAULT_PLAN, state_dir, starting=ahead)
    beside = begin_embedded(DEFAULT_PLAN, state_dir)
    second = await open_embedded(DEFAULT_PLAN, state_dir, starting=beside)
    assert (first.shared, second.shared) == (False, True)
    assert second.pid == first.pid
    await second.close()
    await end(first, signal.SIGTERM)
    await first.close()


async def test_starting_over_does_not_join_the_one_that_the_last_console_left(
    state_dir: Path,
) -> None:
    left = await open_embedded(DEFAULT_PLAN, state_dir)
    await left.close()
    async with opened(state_dir, fresh=True) as anew:
        assert not anew.shared
        assert anew.pid != left.pid
        # Under the eyes of another console nothing starts over.
        beside = await open_embedded(DEFAULT_PLAN, state_dir, fresh=True)
        assert (beside.shared, beside.pid) == (True, anew.pid)
        await beside.close()


async def test_its_addresses_serve_googles_clients_and_its_clock_is_theirs(
    state_dir: Path,
) -> None:
    async with opened(state_dir) as cloud:
        connection = Connection(cloud.endpoints)
        state = await open_router(DEFAULT_PLAN, connection).service("ion-api")
        await connection.close()
        assert state.percent == DEFAULT_PLAN.percent_of(DEFAULT_PLAN.local.stage)
        assert state.record is not None
        hours = (cloud.clock.now() - state.record.entered_at) / 3600
        assert hours == pytest.approx(DEFAULT_PLAN.local.soaked_hours, abs=0.2)
        assert cloud.clock.speed == DEFAULT_PLAN.local.speed
        assert set(cloud.service_urls) == {"ion-api", "ion-api-canary"}


async def test_what_was_set_is_found_again_after_it_ended(state_dir: Path) -> None:
    async with opened(state_dir) as cloud:
        await cloud.set_scenario("slow-burn")
        first = cloud.pid
    async with opened(state_dir) as cloud:
        await cloud.refresh()
        assert cloud.pid != first
        assert cloud.scenario == "slow-burn"
    async with opened(state_dir, fresh=True) as cloud:
        await cloud.refresh()
        assert cloud.scenario == "healthy"


async def test_a_stale_address_file_is_not_believed(state_dir: Path) -> None:
    stale = state_dir / f"{STATE_FILE}.endpoint.json"
    dead = {
        "pid": 1,
        "grpc": "127.0.0.1:9",
        "http": "http://127.0.0.1:9",
        "router": "http://127.0.0.1:9",
        "services": {},
        "speed": 60.0,
        "now": 0.0,
    }
    stale.write_bytes(msgspec.json.encode(dead))
    async with opened(state_dir) as cloud:
        assert not cloud.shared


async def test_one_that_does_not_come_up_says_why(state_dir: Path) -> None:
    (state_dir / STATE_FILE).write_bytes(b"this is no state file, and is left alone" * 100)
    with pytest.raises(Unavailable, match="did not come up"):
        await open_embedded(DEFAULT_PLAN, state_dir)


async def test_its_log_is_for_its_owner_alone(state_dir: Path) -> None:
    async with opened(state_dir):
        assert (state_dir / "cloud.log").stat().st_mode & 0o077 == 0


async def test_its_clock_can_be_moved_and_the_console_follows(state_dir: Path) -> None:
    async with opened(state_dir) as cloud:
        before = cloud.clock.now()
        await cloud.set_clock(speed=1.0, advance_s=3600.0)
        assert cloud.clock.speed == 1.0
        assert cloud.clock.now() >= before + 3600


async def test_a_scenario_that_does_not_exist_is_refused(state_dir: Path) -> None:
    async with opened(state_dir) as cloud:
        with pytest.raises(Rejected, match="no-such"):
            await cloud.set_scenario("no-such")


async def test_one_that_is_gone_is_unavailable(state_dir: Path) -> None:
    async with opened(state_dir) as cloud:
        await end(cloud, signal.SIGKILL)
        with pytest.raises(Unavailable):
            await cloud.refresh()


async def test_one_that_was_killed_lives_again_where_it_was_with_what_was_set(
    state_dir: Path,
) -> None:
    async with opened(state_dir) as cloud:
        connection = Connection(cloud.endpoints)
        reader = open_router(DEFAULT_PLAN, connection)
        await cloud.set_scenario("slow-burn")
        await cloud.set_clock(speed=30.0)
        other = await open_embedded(DEFAULT_PLAN, state_dir)
        follower = await open_embedded(DEFAULT_PLAN, state_dir)
        lost = follower._lease
        first, seen_at = cloud.pid, cloud.clock.now()
        await end(cloud, signal.SIGKILL)

        await revive_embedded(cloud, DEFAULT_PLAN, state_dir)
        await cloud.refresh()
        assert cloud.pid != first
        assert (cloud.scenario, cloud.clock.speed) == ("slow-burn", 30.0)
        assert cloud.clock.now() >= seen_at
        assert (await reader.service("ion-api")).percent == 10

        await revive_embedded(other, DEFAULT_PLAN, state_dir)
        assert other.pid == cloud.pid
        await other.close()

        await follower.refresh()
        assert follower._lease.held
        assert lost._writer.is_closing()
        await follower.close()
        await connection.close()


async def test_a_lease_is_held_until_it_is_given_back(embed: Embed) -> None:
    async with embed(http=True) as cloud:
        lease = await open_lease(cloud.control_url)
        assert lease.held
        await lease.close()
        await lease.close()
        assert not lease.held


async def test_requests_of_the_control_side_are_answered(embed: Embed) -> None:
    async with embed(http=True) as cloud:
        status, body = await request_json(
            cloud.control_url, "POST", "/_cloud/clock", {"advance_s": 60, "speed": None}
        )
        assert status == 200
        assert msgspec.json.decode(body)["now"] == cloud.now


@pytest.mark.parametrize("stage", range(6))
def test_the_first_record_is_that_of_the_stage(stage: int) -> None:
    local = msgspec.structs.replace(DEFAULT_PLAN.local, stage=stage)
    config = build_config(msgspec.structs.replace(DEFAULT_PLAN, local=local), None)
    text = config["record"]
    assert text.count("@ENTERED_AT@") == 1
    record = decode_record(text.replace("@ENTERED_AT@", "1760000000.000"))
    assert (record.stage, record.percent) == (stage, DEFAULT_PLAN.percent_of(stage))
    assert record.entered_at == 1_760_000_000.0
    assert record.enabled is (stage < 5)


def test_the_embedded_cloud_has_the_table_and_groups_that_the_plan_asks_for() -> None:
    test = msgspec.structs.replace(
        DEFAULT_PLAN.ab_test, table="naeda-genesis.trial.rows", legacy_group="old"
    )
    config = build_config(msgspec.structs.replace(DEFAULT_PLAN, ab_test=test), None)
    assert config["ab_test"] == {
        "table": "trial.rows",
        "location": "US",
        "legacy_group": "old",
        "canary_group": "canary",
    }


def test_between_revisions_both_sides_are_the_routers_service() -> None:
    plan = with_router(DEFAULT_PLAN, kind="revisions", service="api", candidate="next")
    config = build_config(plan, None)
    assert config["legacy"] == "api"
    assert config["router"]["canary_tag"] == "next"
