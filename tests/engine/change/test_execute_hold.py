"""A hold on the embedded cloud: guarded, looked up, and only in the way of a promotion."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.change import moves
from canary.rollout.change.change import Change, Request
from canary.rollout.change.hold import Hold, find_hold
from canary.store.journal import Journal
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router
from tests.engine.carried import AUTHOR, ask, carry, router_service, standing_of

PLANS = {
    "env": DEFAULT_PLAN,
    "revisions": with_router(DEFAULT_PLAN, kind="revisions"),
    "url-map": MAP_PLAN,
}
UPDATE = "/google.cloud.run.v2.Services/UpdateService"


async def wish(cloud: Embedded, change_id: str, until: float | None = None) -> Change:
    standing = await standing_of(cloud)
    hold = (await router_service(cloud)).hold
    standing = msgspec.structs.replace(standing, hold=hold)
    request = Request(change_id, AUTHOR, cloud.now, reason="the database moves")
    return moves.hold(cloud.plan, standing, request, until)


@pytest.mark.parametrize("router", PLANS)
async def test_a_hold_is_written_beside_the_record_and_moves_nothing(
    embed: Embed, journal: Journal, router: str
):
    async with embed(PLANS[router], http=True) as cloud:
        before = await router_service(cloud)
        outcome = await carry(cloud, journal, await wish(cloud, "h1", cloud.now + 3600))
        assert outcome.state == "done", outcome
        assert outcome.message.startswith("Held by oncall@bastion until ")
        after = await router_service(cloud)
        assert (after.percent, after.record, after.revision) == (
            before.percent,
            before.record,
            before.revision,
        )
        assert after.hold is not None
        assert (after.hold.change, after.hold.by) == ("h1", "oncall")
        assert find_hold(after.hold, cloud.now) is not None
        assert find_hold(after.hold, after.hold.until or 0.0) is None


@pytest.mark.parametrize("router", PLANS)
async def test_a_promotion_that_was_decided_before_the_hold_is_refused_and_a_rollback_is_not(
    embed: Embed, journal: Journal, router: str
):
    async with embed(PLANS[router], http=True) as cloud:
        promotion = await ask(cloud, "promote", "p1")
        back = await ask(cloud, "rollback_all", "b1")
        assert (await carry(cloud, journal, await wish(cloud, "h1"))).state == "done"
        refused = await carry(cloud, journal, promotion)
        assert refused.state == "refused", refused
        assert (await router_service(cloud)).percent == 10
        gone_back = await carry(cloud, journal, back)
        assert gone_back.state == "done", gone_back
        after = await router_service(cloud)
        assert (after.percent, after.hold and after.hold.change) == (0, "h1")


async def test_of_two_people_who_hold_at_once_the_second_is_told(embed: Embed, journal: Journal):
    async with embed(DEFAULT_PLAN) as cloud:
        first, second = await wish(cloud, "h1"), await wish(cloud, "h2")
        assert (await carry(cloud, journal, first)).state == "done"
        refused = await carry(cloud, journal, second)
        assert refused.state == "refused", refused
        hold = (await router_service(cloud)).hold
        assert hold is not None
        assert hold.change == "h1"


async def test_a_lost_answer_is_looked_up_and_found(embed: Embed, journal: Journal):
    async with embed(DEFAULT_PLAN) as cloud:
        change = await wish(cloud, "h1")
        cloud.break_method(UPDATE, code="UNAVAILABLE", after_apply=True, times=1)
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done", outcome


async def test_a_release_leaves_who_ended_it(embed: Embed, journal: Journal):
    async with embed(DEFAULT_PLAN) as cloud:
        await carry(cloud, journal, await wish(cloud, "h1"))
        hold = (await router_service(cloud)).hold
        standing = msgspec.structs.replace(await standing_of(cloud), hold=hold)
        request = Request("r1", AUTHOR, cloud.now, reason="done")
        outcome = await carry(cloud, journal, moves.release(cloud.plan, standing, request))
        assert outcome.state == "done", outcome
        after = (await router_service(cloud)).hold
        assert isinstance(after, Hold)
        assert (after.released, after.reason, after.change) == (True, "done", "r1")


async def test_a_mark_is_on_canarys_service_and_leaves_the_split_alone(
    embed: Embed, journal: Journal
):
    async with embed(DEFAULT_PLAN) as cloud:
        before = await router_service(cloud)
        request = Request("m1", AUTHOR, cloud.now)
        change = moves.mark_irreversible(cloud.plan, await standing_of(cloud), request, "schema 42")
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done", outcome
        canary = await cloud.run.service("ion-api-canary")
        assert canary.irreversible is not None
        assert (canary.irreversible.what, canary.irreversible.change) == ("schema 42", "m1")
        assert (await router_service(cloud)).etag == before.etag


async def test_what_a_deploy_wrote_on_the_revision_is_read(embed: Embed):
    async with embed(DEFAULT_PLAN) as cloud:
        message = await cloud.run.run.message("ion-api-canary")
        update = type(message)()
        update.CopyFrom(message)
        update.template.annotations["canary-console/irreversible"] = "schema 42"
        update.template.revision = ""
        await cloud.run.run.update(update, ["template"], "deploying", validate_only=False)
        cloud.advance(120)
        canary = await cloud.run.service("ion-api-canary")
        assert (canary.irreversible, canary.deployed_mark) == (None, "schema 42")


async def test_notes_of_two_people_stand_beside_each_other(embed: Embed, journal: Journal):
    async with embed(DEFAULT_PLAN) as cloud:
        standing = await standing_of(cloud)
        for change_id, text in (("n1", "the cache is warm"), ("n2", "TODO: tell Ann")):
            request = Request(change_id, AUTHOR, cloud.now)
            change = moves.note(cloud.plan, standing, request, text)
            outcome = await carry(cloud, journal, change)
            assert outcome.state == "done", outcome
        canary = await cloud.run.service("ion-api-canary")
        assert [m.text for m in canary.marks] == ["TODO: tell Ann", "the cache is warm"]
        assert (await router_service(cloud)).percent == 10


async def test_a_note_whose_answer_is_lost_is_found_among_the_others(
    embed: Embed, journal: Journal
):
    async with embed(DEFAULT_PLAN) as cloud:
        change = moves.note(cloud.plan, await standing_of(cloud), Request("n1", AUTHOR, 1.0), "x")
        cloud.break_method(UPDATE, code="UNAVAILABLE", after_apply=True, times=1)
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done", outcome
        assert len((await cloud.run.service("ion-api-canary")).marks) == 1
