"""Services read and changed over real gRPC."""

import asyncio
import contextlib

import msgspec
import pytest

from canary.cloud.connection.clients import Connection
from canary.cloud.router.choice import open_router
from canary.cloud.views import ServiceState
from canary.rollout.change.change import Guard, SetScale, SetTraffic
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    Denied,
    NotFound,
    OperationFailed,
    OutcomeUnknown,
    QuotaExhausted,
    Unavailable,
)
from canary.rollout.plan.plan import ScalePreset
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router

RECORD = StageRecord(stage=1, percent=5, entered_at=1_760_000_000.0, change="change-1")
SPLIT_PLAN = with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")
SETTLED_S = 60.0


def traffic_step(state: ServiceState, percent: int, guarded: Guard | None = None) -> SetTraffic:
    """A step guarded by what was read, or by another guard."""
    return SetTraffic(
        service=state.name,
        before_percent=state.percent,
        percent=percent,
        record=msgspec.structs.replace(RECORD, percent=percent),
        guard=guarded or Guard(state.name, state.etag, state.percent),
    )


def held_against(state: ServiceState, **fields: object) -> Guard:
    """The guard of what was read, with fields replaced."""
    return msgspec.structs.replace(Guard(state.name, state.etag, state.percent), **fields)


async def settle(cloud: Embedded, operation: str) -> CanaryError | None:
    cloud.advance(SETTLED_S)
    state = await cloud.writer.operation(operation)
    assert state.done
    return state.error


async def test_the_router_service_tells_share_record_scale_and_address(embedded: Embedded) -> None:
    state = await embedded.run.service("ion-api")
    assert (state.percent, state.ready, state.reconciling) == (10, True, False)
    assert state.record is not None
    assert (state.record.stage, state.record.percent) == (2, 10)
    assert state.record.entered_at == pytest.approx(embedded.world.entered_at, abs=0.01)
    assert state.scale == ScalePreset(1, 10)
    assert state.revision == "ion-api-00001-leg"
    assert state.uri.startswith("http://127.0.0.1:")


async def test_the_other_service_has_neither_share_nor_record(embedded: Embedded) -> None:
    state = await embedded.run.service("ion-api-canary")
    assert (state.percent, state.record, state.record_error) == (None, None, "")


async def test_a_service_that_does_not_exist_is_not_found(embedded: Embedded) -> None:
    with pytest.raises(NotFound, match="no-such"):
        await embedded.run.service("no-such")


async def test_setting_the_share_writes_the_record_in_the_same_update(embedded: Embedded) -> None:
    before = await embedded.run.service("ion-api")
    operation = await embedded.writer.send(traffic_step(before, 5))
    assert not (await embedded.writer.operation(operation)).done
    assert await settle(embedded, operation) is None
    after = await embedded.run.service("ion-api")
    assert after.percent == 5
    assert after.record is not None
    assert after.record.change == "change-1"
    assert after.etag != before.etag
    assert after.revision != before.revision
    assert embedded.world.timeline.split_at(embedded.now) == 5


async def test_other_environment_and_annotations_survive_a_change(embedded: Embedded) -> None:
    before = await embedded.run.service("ion-api")
    await settle(embedded, await embedded.writer.send(traffic_step(before, 25)))
    message = await embedded.run.run.message("ion-api")
    variables = {v.name: v.value for v in message.template.containers[0].env}
    assert variables == {
        "ION_MODEL": "legacy",
        "LOG_LEVEL": "info",
        "DATABASE_URL": "",  # a secret's
        "CANARY_TRAFFIC_PERCENTAGE": "25",
    }


async def test_a_record_without_a_new_share_makes_no_new_revision(embedded: Embedded) -> None:
    before = await embedded.run.service("ion-api")
    await settle(embedded, await embedded.writer.send(traffic_step(before, 10)))
    after = await embedded.run.service("ion-api")
    assert after.revision == before.revision
    assert after.record is not None
    assert after.record.change == "change-1"


@pytest.mark.parametrize("guard", [{"etag": '"old"'}, {"percent": 9}, {"percent": 0}])
async def test_a_guard_that_does_not_hold_is_a_conflict_and_changes_nothing(
    embedded: Embedded, guard: dict[str, object]
) -> None:
    before = await embedded.run.service("ion-api")
    with pytest.raises(Conflict):
        await embedded.writer.send(traffic_step(before, 5, held_against(before, **guard)))
    embedded.advance(SETTLED_S)
    assert await embedded.run.service("ion-api") == before


async def test_a_guard_without_etag_and_share_compares_neither(embedded: Embedded) -> None:
    before = await embedded.run.service("ion-api")
    step = traffic_step(before, 5, Guard("ion-api", "", None))
    assert await settle(embedded, await embedded.writer.send(step)) is None


@pytest.mark.parametrize("code", ["ABORTED", "FAILED_PRECONDITION", "ALREADY_EXISTS"])
async def test_every_code_for_a_stale_etag_is_a_conflict(embedded: Embedded, code: str) -> None:
    before = await embedded.run.service("ion-api")
    embedded.break_method("UpdateService", code=code, times=1)
    with pytest.raises(Conflict):
        await embedded.writer.send(traffic_step(before, 5))


async def test_somebody_else_who_is_faster_makes_it_a_conflict(embedded: Embedded) -> None:
    embedded.set_scenario("conflict")
    before = await embedded.run.service("ion-api")
    with pytest.raises(Conflict):
        await embedded.writer.send(traffic_step(before, 5))


@pytest.mark.parametrize("code", ["DEADLINE_EXCEEDED", "UNAVAILABLE", "UNKNOWN", "INTERNAL"])
async def test_a_lost_answer_is_an_unknown_outcome_of_a_change_made_once(
    embedded: Embedded, code: str
) -> None:
    before = await embedded.run.service("ion-api")
    embedded.break_method("UpdateService", code=code, after_apply=True, times=1)
    with pytest.raises(OutcomeUnknown):
        await embedded.writer.send(traffic_step(before, 5))
    embedded.advance(SETTLED_S)
    after = await embedded.run.service("ion-api")
    assert after.percent == 5
    assert after.generation == before.generation + 1


async def test_an_answer_that_does_not_come_in_time_is_an_unknown_outcome(
    embedded: Embedded,
) -> None:
    before = await embedded.run.service("ion-api")
    embedded.break_method("UpdateService", delay_s=30.0, times=1)
    writer = open_router(embedded.plan, embedded.connection, change_timeout_s=0.05)
    with pytest.raises(OutcomeUnknown):
        await writer.send(traffic_step(before, 5))


async def test_without_permission_a_change_is_denied_and_reads_go_on(embedded: Embedded) -> None:
    embedded.set_scenario("denied")
    before = await embedded.run.service("ion-api")
    with pytest.raises(Denied):
        await embedded.writer.send(traffic_step(before, 5))
    wanted = ["run.services.get", "run.services.update"]
    assert await embedded.run.run.permissions("ion-api", wanted) == {"run.services.get"}


async def test_an_operation_that_fails_says_so_and_leaves_the_share(embedded: Embedded) -> None:
    embedded.set_scenario("failing-operation")
    before = await embedded.run.service("ion-api")
    operation = await embedded.writer.send(traffic_step(before, 5))
    assert isinstance(await settle(embedded, operation), OperationFailed)
    assert embedded.world.timeline.split_at(embedded.now) == 10


async def test_a_stuck_operation_is_never_done(embedded: Embedded) -> None:
    embedded.set_scenario("stuck-operation")
    before = await embedded.run.service("ion-api")
    operation = await embedded.writer.send(traffic_step(before, 5))
    embedded.advance(3600)
    assert not (await embedded.writer.operation(operation)).done
    assert (await embedded.run.service("ion-api")).reconciling


async def test_an_operation_nobody_knows_is_not_found(embedded: Embedded) -> None:
    with pytest.raises(NotFound):
        await embedded.writer.operation(
            "projects/naeda-genesis/locations/us-central1/operations/none"
        )


async def test_validation_alone_changes_nothing(embedded: Embedded) -> None:
    before = await embedded.run.service("ion-api")
    await embedded.writer.send(traffic_step(before, 5), validate_only=True)
    embedded.advance(SETTLED_S)
    assert await embedded.run.service("ion-api") == before


async def test_scaling_sets_the_service_limits_without_a_new_revision(embedded: Embedded) -> None:
    before = await embedded.run.service("ion-api-canary")
    step = SetScale("ion-api-canary", before.scale, ScalePreset(0, 3))
    assert await settle(embedded, await embedded.writer.send(step)) is None
    after = await embedded.run.service("ion-api-canary")
    assert (after.scale, after.revision) == (ScalePreset(0, 3), before.revision)


async def test_a_scale_before_the_split_on_the_same_service_is_no_conflict(
    embedded: Embedded,
) -> None:
    before = await embedded.run.service("ion-api")
    scale = SetScale("ion-api", before.scale, ScalePreset(2, 20))
    assert await settle(embedded, await embedded.writer.send(scale)) is None
    operation = await embedded.writer.send(traffic_step(before, 0))
    assert await settle(embedded, operation) is None
    after = await embedded.run.service("ion-api")
    assert (after.percent, after.scale) == (0, ScalePreset(2, 20))


async def test_somebody_elses_change_after_our_own_scale_is_a_conflict(embedded: Embedded) -> None:
    before = await embedded.run.service("ion-api")
    scale = SetScale("ion-api", before.scale, ScalePreset(2, 20))
    await settle(embedded, await embedded.writer.send(scale))
    other = open_router(embedded.plan, embedded.connection)
    now = await embedded.run.service("ion-api")
    await settle(embedded, await other.send(traffic_step(now, 10)))
    with pytest.raises(Conflict):
        await embedded.writer.send(traffic_step(before, 0))


async def test_a_read_is_tried_again_when_the_service_is_briefly_away(embedded: Embedded) -> None:
    embedded.break_method("GetService", code="UNAVAILABLE", times=1)
    assert (await embedded.run.service("ion-api")).percent == 10


async def test_a_read_is_not_tried_again_against_a_quota(embedded: Embedded) -> None:
    embedded.break_method("GetService", code="RESOURCE_EXHAUSTED", times=1)
    with pytest.raises(QuotaExhausted):
        await embedded.run.service("ion-api")
    assert (await embedded.run.service("ion-api")).percent == 10


async def test_a_read_of_a_service_that_is_away_gives_up(embedded: Embedded) -> None:
    embedded.set_scenario("run-outage")
    with pytest.raises(Unavailable):
        await embedded.run.service("ion-api")


async def test_a_read_that_takes_too_long_is_unavailable(embedded: Embedded) -> None:
    embedded.break_method("GetService", delay_s=30.0)
    with pytest.raises(Unavailable):
        await open_router(embedded.plan, embedded.connection, read_timeout_s=0.02).service(
            "ion-api"
        )


async def test_a_change_is_not_sent_when_the_read_before_it_fails(embedded: Embedded) -> None:
    before = await embedded.run.service("ion-api")
    embedded.set_scenario("run-outage")
    with pytest.raises(Unavailable):
        await embedded.writer.send(traffic_step(before, 5))


async def test_between_revisions_the_share_is_that_of_the_tagged_one(embed: Embed) -> None:
    async with embed(SPLIT_PLAN) as cloud:
        state = await cloud.run.service("ion-api")
        assert (state.percent, state.served_percent) == (10, 10)
        assert state.revision == "ion-api-00002-can"


async def test_between_revisions_the_tag_stays_through_0_and_100_percent(embed: Embed) -> None:
    async with embed(SPLIT_PLAN) as cloud:
        for percent in (100, 0, 25):
            state = await cloud.run.service("ion-api")
            operation = await cloud.writer.send(traffic_step(state, percent))
            assert await settle(cloud, operation) is None
            message = await cloud.run.run.message("ion-api")
            shares = {t.revision.rpartition("/")[2]: t.percent for t in message.traffic}
            assert shares.get("ion-api-00002-can", 0) == percent
            assert shares.get("ion-api-00001-leg", 0) == 100 - percent
            assert [t.tag for t in message.traffic if t.tag] == ["canary"]


async def test_revisions_come_newest_first(embed: Embed) -> None:
    async with embed() as cloud:
        state = await cloud.run.service("ion-api")
        await settle(cloud, await cloud.writer.send(traffic_step(state, 5)))
        revisions = await cloud.run.run.revisions("ion-api")
        newest = (await cloud.run.service("ion-api")).revision
        assert [r.name for r in revisions] == [newest, "ion-api-00001-leg"]
        assert all(r.ready for r in revisions)


async def test_a_cloud_that_comes_back_is_found_again(embed: Embed) -> None:
    async with embed() as first:
        assert (await first.run.service("ion-api")).percent == 10
        port = int((first.endpoints.run or "").rpartition(":")[2])
        connection = Connection(first.endpoints)
        reader = open_router(first.plan, connection)
        await reader.service("ion-api")
    with pytest.raises(Unavailable):
        await reader.service("ion-api")
    async with embed(grpc_port=port), asyncio.timeout(30):
        while True:
            with contextlib.suppress(Unavailable):
                assert (await reader.service("ion-api")).percent == 10
                break
    await connection.close()


async def test_revisions_of_one_moment_stay_in_the_order_of_their_making(embed: Embed):
    plan = with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")
    async with embed(plan) as cloud:
        found = await cloud.router.run.revisions("ion-api")
    assert len({revision.created_at for revision in found}) == 1
    assert [r.name for r in found] == ["ion-api-00002-can", "ion-api-00001-leg"]
