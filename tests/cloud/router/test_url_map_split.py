"""A split by a URL map: read and changed over real REST, beside Cloud Run over real gRPC."""

import msgspec
import pytest

from canary.cloud.views import ServiceState
from canary.rollout.change.change import Guard, SetScale, SetTraffic
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    Denied,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    Unavailable,
)
from canary.rollout.plan.plan import ScalePreset
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router

MAP_PLAN = with_router(
    DEFAULT_PLAN,
    kind="url-map",
    url_map="ion-api-map",
    legacy_backend="ion-api-backend",
    canary_backend="ion-api-canary-backend",
)
PATCH = "/google.cloud.compute.v1.UrlMaps/Patch"
GET = "/google.cloud.compute.v1.UrlMaps/Get"


@pytest.fixture
async def cloud(embed: Embed):
    async with embed(MAP_PLAN, http=True) as opened:
        yield opened


async def state_of(cloud: Embedded) -> ServiceState:
    return await cloud.run.service(MAP_PLAN.router_service)


def step_to(state: ServiceState, to: int, change: str = "c1", **guard: object) -> SetTraffic:
    record = StageRecord(1, to, 1_760_000_000.0, change=change)
    given = {"etag": state.etag, "percent": state.percent, **guard}
    return SetTraffic(
        state.name,
        state.percent,
        to,
        record,
        Guard(state.name, **given),  # type: ignore[arg-type]
    )


async def test_the_share_and_the_record_are_the_maps(cloud: Embedded):
    state = await state_of(cloud)
    assert (state.name, state.percent, state.record_error) == ("ion-api-canary", 10, "")
    assert state.record is not None
    assert (state.record.stage, state.record.change) == (2, "demo-start")
    assert state.etag


async def test_the_other_service_tells_nothing_of_the_split(cloud: Embedded):
    legacy = await cloud.run.service("ion-api")
    assert (legacy.percent, legacy.record) == (None, None)


async def test_one_patch_sets_share_and_record_together(cloud: Embedded):
    before = await state_of(cloud)
    operation = await cloud.writer.send(step_to(before, 5))
    assert not (await cloud.writer.operation(operation)).done
    assert (await state_of(cloud)).percent == 10
    cloud.advance(60)
    assert (await cloud.writer.operation(operation)).done
    after = await state_of(cloud)
    assert (after.percent, after.record.change, after.record.percent) == (5, "c1", 5)
    assert after.etag != before.etag


async def test_a_stale_fingerprint_is_a_conflict_and_changes_nothing(cloud: Embedded):
    state = await state_of(cloud)
    with pytest.raises(Conflict):
        await cloud.writer.send(step_to(state, 5, etag="b2xk"))
    assert (await state_of(cloud)).percent == 10


async def test_another_share_than_decided_on_is_a_conflict(cloud: Embedded):
    with pytest.raises(Conflict, match="is 10 %; this was decided at 25 %"):
        await cloud.writer.send(step_to(await state_of(cloud), 5, percent=25))


async def test_somebody_faster_by_a_moment_is_met_by_412_and_a_conflict(cloud: Embedded):
    state = await state_of(cloud)
    cloud.set_scenario("conflict")
    with pytest.raises(Conflict):
        await cloud.writer.send(step_to(state, 5))


async def test_a_second_change_before_the_first_is_done_is_a_conflict(cloud: Embedded):
    state = await state_of(cloud)
    await cloud.writer.send(step_to(state, 5))
    with pytest.raises(Conflict):
        await cloud.writer.send(step_to(state, 25, "c2"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"code": "PERMISSION_DENIED"}, Denied),
        ({"code": "NOT_FOUND"}, NotFound),
        ({"code": "RESOURCE_EXHAUSTED"}, QuotaExhausted),
        ({"code": "UNAVAILABLE"}, OutcomeUnknown),
        ({"code": "INTERNAL"}, OutcomeUnknown),
        ({"code": "UNAVAILABLE", "after_apply": True}, OutcomeUnknown),
        ({"shape": "cut"}, OutcomeUnknown),
    ],
)
async def test_a_patch_that_fails_is_told_apart(
    cloud: Embedded, fault: dict[str, object], error: type[CanaryError]
):
    state = await state_of(cloud)
    cloud.break_method(PATCH, times=1, **fault)
    with pytest.raises(error):
        await cloud.writer.send(step_to(state, 5))


async def test_a_read_is_tried_again_and_says_unavailable_in_the_end(cloud: Embedded):
    cloud.break_method(GET, code="UNAVAILABLE", times=1)
    assert (await state_of(cloud)).percent == 10
    cloud.break_method(GET, code="UNAVAILABLE")
    with pytest.raises(Unavailable):
        await state_of(cloud)


async def test_an_operation_that_fails_says_why(cloud: Embedded):
    cloud.set_scenario("failing-operation")
    operation = await cloud.writer.send(step_to(await state_of(cloud), 5))
    cloud.advance(60)
    done = await cloud.writer.operation(operation)
    assert done.done
    assert "An internal error has occurred" in str(done.error)
    assert (await state_of(cloud)).percent == 10


async def test_only_validated_means_not_sent(cloud: Embedded):
    assert await cloud.writer.send(step_to(await state_of(cloud), 5), validate_only=True) == ""
    cloud.advance(60)
    assert (await state_of(cloud)).percent == 10


async def test_a_scale_goes_to_cloud_run(cloud: Embedded):
    operation = await cloud.writer.send(SetScale("ion-api", None, ScalePreset(2, 7)))
    cloud.advance(60)
    assert (await cloud.writer.operation(operation)).done
    assert (await cloud.run.service("ion-api")).scale == ScalePreset(2, 7)


async def test_a_map_that_is_not_there_is_not_found(embed: Embed):
    target = MAP_PLAN.target
    other = msgspec.structs.replace(target.router, url_map="other")
    async with embed(MAP_PLAN, http=True) as cloud:
        plan = msgspec.structs.replace(
            cloud.plan, target=msgspec.structs.replace(cloud.plan.target, router=other)
        )
        from canary.cloud.router.choice import open_router

        router = open_router(plan, cloud.connection, cloud.endpoints)
        with pytest.raises(NotFound):
            await router.service(plan.router_service)
        await router.close()
