"""A question is answered into a world that has moved: refused, or looked at again and gone on."""

import msgspec
import pytest

from canary.rollout.change import moves
from canary.rollout.change.change import Change, Outcome, Request, SetScale
from canary.rollout.errors import Conflict
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.store.journal import Journal
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import DEFAULT_PLAN, Embed, Embedded
from tests.engine.carried import AUTHOR, ask, carry, router_service, standing_of

BACKUP, PRODUCTION = ScalePreset(0, 1), ScalePreset(1, 10)


def at_stage(plan: Plan, stage: int) -> Plan:
    return msgspec.structs.replace(plan, local=msgspec.structs.replace(plan.local, stage=stage))


async def legacy(cloud: Embedded) -> ScalePreset | None:
    return (await cloud.run.service("ion-api")).scale


async def completion(cloud: Embedded, change_id: str = "c1") -> Change:
    request = Request(change_id, AUTHOR, cloud.now)
    return moves.complete_approval(cloud.plan, await standing_of(cloud), request)


async def preset(cloud: Embedded, side: str, after: ScalePreset, change_id: str = "c1") -> Change:
    request = Request(change_id, AUTHOR, cloud.now)
    return moves.scale(cloud.plan, await standing_of(cloud), request, side, after)


async def done(cloud: Embedded, journal: Journal, change: Change) -> Outcome:
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "done", outcome
    return outcome


async def scale_legacy(cloud: Embedded, after: ScalePreset) -> None:
    """By somebody else."""
    await cloud.writer.send(SetScale("ion-api", None, after))
    cloud.advance(60.0)


@pytest.mark.parametrize("plan", [DEFAULT_PLAN, MAP_PLAN], ids=["env", "url-map"])
@pytest.mark.parametrize("by_hand", [False, True])
async def test_making_legacy_the_backup_is_refused_once_somebody_rolled_back(
    embed: Embed, journal: Journal, plan: Plan, by_hand: bool
):
    async with embed(at_stage(plan, 5), http=True) as cloud:
        asked = await (preset(cloud, "legacy", BACKUP) if by_hand else completion(cloud))
        await done(cloud, journal, await ask(cloud, "rollback_all", "theirs"))
        outcome = await carry(cloud, journal, asked)
        assert outcome.state == "refused", outcome
        assert "Nothing was changed" in outcome.message
        assert await legacy(cloud) == PRODUCTION


async def test_a_scale_is_refused_when_the_side_was_scaled_meanwhile(
    embedded: Embedded, journal: Journal
):
    asked = await preset(embedded, "legacy", ScalePreset(1, 5))
    await scale_legacy(embedded, ScalePreset(4, 40))
    outcome = await carry(embedded, journal, asked)
    assert outcome.state == "refused", outcome
    assert "4 to 40" in outcome.message
    assert await legacy(embedded) == ScalePreset(4, 40)


async def test_a_promotion_is_refused_when_canary_was_scaled_down_meanwhile(
    embedded: Embedded, journal: Journal
):
    asked = await ask(embedded, "promote")
    await done(embedded, journal, await preset(embedded, "canary", BACKUP, "theirs"))
    outcome = await carry(embedded, journal, asked)
    assert outcome.state == "refused", outcome
    assert (await router_service(embedded)).percent == 10


async def test_an_approval_is_not_completed_while_legacy_serves(embed: Embed, journal: Journal):
    async with embed(at_stage(DEFAULT_PLAN, 4)) as cloud:
        cloud.break_method("UpdateService", fails=True, times=1)
        outcome = await carry(cloud, journal, await ask(cloud, "promote"))
        assert outcome.state == "failed", outcome
        assert (await router_service(cloud)).percent == 100
        assert cloud.world.timeline.split_at(cloud.now) == 50
        with pytest.raises(Conflict, match="Legacy may still serve"):
            await completion(cloud, "c2")
        # Nor where the question was opened by somebody who could not know it.
        knowing = msgspec.structs.replace(await standing_of(cloud), in_doubt=False, served=None)
        request = Request("c3", AUTHOR, cloud.now)
        refused = await carry(cloud, journal, moves.complete_approval(cloud.plan, knowing, request))
        assert refused.state == "refused", refused
        assert await legacy(cloud) == PRODUCTION


@pytest.mark.parametrize("kind", ["rollback_all", "step_back", "revert"])
async def test_legacy_is_raised_first_where_it_became_the_backup_meanwhile(
    embed: Embed, journal: Journal, kind: str
):
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        asked = await ask(cloud, "rollback_all" if kind == "revert" else kind)
        asked = msgspec.structs.replace(asked, kind=kind)
        assert [type(step).__name__ for step in asked.steps] == ["SetTraffic"]
        await done(cloud, journal, await completion(cloud, "theirs"))
        assert await legacy(cloud) == BACKUP
        outcome = await done(cloud, journal, asked)
        assert "ion-api was raised to 1 to 10 instances first (was 0 to 1)." in outcome.message
        assert await legacy(cloud) == PRODUCTION
        assert (await router_service(cloud)).percent == asked.steps[0].percent


async def test_legacy_that_cannot_be_raised_gets_nobody_back_and_it_is_said(
    embed: Embed, journal: Journal
):
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        asked = await ask(cloud, "rollback_all")
        await scale_legacy(cloud, BACKUP)
        cloud.break_method("UpdateService", code="PERMISSION_DENIED")
        outcome = await carry(cloud, journal, asked)
        assert outcome.state == "failed", outcome
        assert "ion-api is in backup size and could not be raised" in outcome.message
        assert (await router_service(cloud)).percent == 100


async def test_a_scale_ahead_of_a_split_takes_nothing_away(embed: Embed, journal: Journal):
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        await scale_legacy(cloud, BACKUP)
        asked = await ask(cloud, "rollback_all")
        assert [type(step).__name__ for step in asked.steps] == ["SetScale", "SetTraffic"]
        await scale_legacy(cloud, ScalePreset(5, 50))
        await done(cloud, journal, asked)
        assert await legacy(cloud) == ScalePreset(5, 50)


async def test_who_makes_legacy_the_backup_puts_it_back_where_a_rollback_crossed(
    embed: Embed, journal: Journal
):
    """The rollback goes out between the last look and the scale."""
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        asked = await completion(cloud)
        theirs = await ask(cloud, "rollback_all", "theirs")
        crossed = []

        async def cross():
            if not crossed and await legacy(cloud) == BACKUP:
                crossed.append(True)
                cloud.advance(1.0)
                await cloud.writer.send(theirs.steps[-1])
                cloud.advance(60.0)

        outcome = await carry(cloud, journal, asked, between=cross)
        assert crossed
        assert outcome.state == "refused", outcome
        assert "Legacy serves again, so it keeps its instances" in outcome.message
        assert await legacy(cloud) == PRODUCTION


async def narrow(cloud: Embedded, service: str, most: int) -> None:
    """The template's own maximum, below that of the service."""
    message = await cloud.run.run.message(service)
    message.template.revision = ""
    message.template.scaling.max_instance_count = most
    await cloud.run.run.update(message, ["template"], "narrowing it", validate_only=False)
    cloud.advance(60.0)


@pytest.mark.parametrize("fault", [{"code": "UNAVAILABLE", "after_apply": True}, {"fails": True}])
@pytest.mark.parametrize("narrowed", [False, True])
@pytest.mark.parametrize("plan", [DEFAULT_PLAN, MAP_PLAN], ids=["env", "url-map"])
async def test_going_back_goes_on_behind_a_scale_that_is_set(
    embed: Embed, journal: Journal, plan: Plan, fault: dict[str, object], narrowed: bool
):
    async with embed(at_stage(plan, 5), http=True) as cloud:
        await scale_legacy(cloud, BACKUP)
        if narrowed:
            await narrow(cloud, "ion-api", 4)
        asked = await ask(cloud, "rollback_all")
        cloud.break_method("UpdateService", **fault, times=1)
        outcome = await done(cloud, journal, asked)
        assert outcome.percent == 0
        assert (await router_service(cloud)).percent == 0
        assert (await cloud.run.service("ion-api")).limits == PRODUCTION


async def test_a_lost_raise_of_legacy_is_given_again(embed: Embed, journal: Journal):
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        await scale_legacy(cloud, BACKUP)
        asked = await ask(cloud, "rollback_all")
        cloud.break_method("UpdateService", code="DEADLINE_EXCEEDED", times=1)
        await done(cloud, journal, asked)
        assert await legacy(cloud) == PRODUCTION


async def test_a_template_that_narrows_canary_does_not_keep_the_approval_half_way(
    embed: Embed, journal: Journal
):
    async with embed(at_stage(DEFAULT_PLAN, 4)) as cloud:
        await narrow(cloud, "ion-api-canary", 4)
        outcome = await done(cloud, journal, await ask(cloud, "promote"))
        assert outcome.percent == 100
        with pytest.raises(Exception, match="nothing is missing"):
            await completion(cloud, "c2")
