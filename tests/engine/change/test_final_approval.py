"""Into production and back: several steps in their order, each journaled, none left in the dark."""

from pathlib import Path

import msgspec
import pytest

from canary.rollout.change import moves
from canary.rollout.change.change import Guard, Request, SetScale, SetTraffic
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Journal
from canary.store.stage_file import read_stage_file
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router
from tests.engine.carried import AUTHOR, ask, carry, router_service, standing_of

BACKUP, PRODUCTION = ScalePreset(0, 1), ScalePreset(1, 10)
AT_HALF = msgspec.structs.replace(
    DEFAULT_PLAN, local=msgspec.structs.replace(DEFAULT_PLAN.local, stage=4)
)


async def scales(cloud: Embedded) -> tuple[ScalePreset, ScalePreset]:
    legacy = await cloud.run.service("ion-api")
    canary = await cloud.run.service("ion-api-canary")
    return legacy.scale, canary.scale


async def scale_canary_low(cloud: Embedded) -> None:
    await cloud.writer.send(SetScale("ion-api-canary", None, ScalePreset(0, 4)))
    cloud.advance(60.0)


async def approve(cloud: Embedded, journal: Journal, tmp_path: Path | None = None, **how):
    await scale_canary_low(cloud)
    change = await ask(cloud, "promote")
    assert [type(s).__name__ for s in change.steps] == ["SetScale", "SetTraffic", "SetScale"]
    stage_file = tmp_path / "rollout.toml" if tmp_path else None
    return await carry(cloud, journal, change, stage_file=stage_file, **how)


async def test_final_approval_makes_canary_production_and_legacy_the_backup(
    embed: Embed, journal: Journal, tmp_path: Path
):
    async with embed(AT_HALF) as cloud:
        outcome = await approve(cloud, journal, tmp_path)
        assert outcome.state == "done", outcome
        after = await router_service(cloud)
        assert await scales(cloud) == (BACKUP, PRODUCTION)
        assert (after.percent, after.record.stage, after.record.enabled) == (100, 5, False)
        assert after.record.production_service == "ion-api-canary"
        written = read_stage_file(tmp_path / "rollout.toml")
        assert (written.enabled, written.percent, written.stage) == (False, 100, 5)
        assert written.production_service == "ion-api-canary"
    steps = [(n.step, n.state) for n in journal.entry("c1").notes if n.state == "settled"]
    assert steps == [(0, "settled"), (1, "settled"), (2, "settled")]
    assert "it is production, the canary mode has ended" in outcome.message


async def test_between_revisions_the_one_service_keeps_its_instances(
    embed: Embed, journal: Journal
):
    plan = with_router(AT_HALF, kind="revisions", candidate="canary")
    async with embed(plan) as cloud:
        outcome = await carry(cloud, journal, await ask(cloud, "promote"))
        assert outcome.state == "done", outcome
        after = await router_service(cloud)
        assert (after.percent, after.scale) == (100, PRODUCTION)


async def test_legacy_keeps_its_instances_until_the_traffic_has_left_it(
    embed: Embed, journal: Journal
):
    async with embed(AT_HALF) as cloud:
        cloud.set_scenario("stuck-operation")
        change = await ask(cloud, "promote")
        outcome = await carry(cloud, journal, change, step_s=60.0)
        assert outcome.state == "unknown"
        assert (await scales(cloud))[0] == PRODUCTION
        assert "Not begun: ion-api to 0 to 1 instances." in outcome.message


async def test_a_traffic_step_that_fails_leaves_both_sides_able_to_serve(
    embed: Embed, journal: Journal
):
    async with embed(AT_HALF) as cloud:

        async def deny():
            if journal.entry("c1").state_of(0) == "accepted":
                cloud.set_scenario("denied")

        outcome = await approve(cloud, journal, between=deny)
        assert outcome.state == "failed", outcome
        assert await scales(cloud) == (PRODUCTION, PRODUCTION)
        assert (await router_service(cloud)).percent == 50
        assert "asked again, only what is missing is done" in outcome.remedy
        cloud.set_scenario("healthy")
        again = await ask(cloud, "promote", "c2")
        assert [type(s).__name__ for s in again.steps] == ["SetTraffic", "SetScale"]
        assert (await carry(cloud, journal, again)).state == "done"
        assert await scales(cloud) == (BACKUP, PRODUCTION)


async def test_a_last_step_that_fails_says_that_canary_is_production_and_what_is_missing(
    embed: Embed, journal: Journal
):
    async with embed(AT_HALF) as cloud:

        async def deny():
            if journal.entry("c1").state_of(1) == "accepted":
                cloud.set_scenario("denied")

        outcome = await approve(cloud, journal, between=deny)
        assert outcome.state == "failed", outcome
        assert "Done before, and it stays:" in outcome.message
        assert "Canary has 100 %" in outcome.message
        assert "`canary promote` again" in outcome.remedy
        assert "canary rollback" in outcome.remedy
        assert (await router_service(cloud)).percent == 100
        cloud.set_scenario("healthy")
        request = Request("c2", AUTHOR, cloud.now)
        rest = moves.complete_approval(cloud.plan, await standing_of(cloud), request)
        assert (await carry(cloud, journal, rest)).state == "done"
        assert await scales(cloud) == (BACKUP, PRODUCTION)


async def test_legacy_is_not_cut_down_when_somebody_has_taken_the_traffic_back(
    embed: Embed, journal: Journal
):
    async with embed(AT_HALF) as cloud:
        meddled = []

        async def take_back():
            state = await router_service(cloud)
            if state.percent == 100 and not state.reconciling and not meddled:
                meddled.append(True)
                record = StageRecord(4, 50, cloud.now, by="eve", change="theirs")
                await cloud.writer.send(
                    SetTraffic("ion-api", 100, 50, record, Guard("ion-api", "", None))
                )

        outcome = await approve(cloud, journal, between=take_back)
        assert meddled
        assert outcome.state == "refused", outcome
        assert (await scales(cloud))[0] == PRODUCTION
        assert (await router_service(cloud)).percent == 50


@pytest.mark.parametrize(("kind", "percent"), [("rollback_all", 0), ("step_back", 50)])
async def test_going_back_from_production_brings_legacy_up_first(
    embed: Embed, journal: Journal, kind: str, percent: int
):
    async with embed(AT_HALF) as cloud:
        assert (await approve(cloud, journal)).state == "done"
        change = await ask(cloud, kind, "c2")
        assert change.steps[0] == SetScale("ion-api", BACKUP, PRODUCTION)
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done", outcome
        after = await router_service(cloud)
        assert (after.percent, after.scale, after.record.enabled) == (percent, PRODUCTION, True)
        assert "ion-api runs 1 to 10 instances (was 0 to 1), scaled first" in outcome.message
