"""What moves after a step was compared with what it rests on, and before it takes effect.

The moment is the last one in which anything can still be read: the step is "sent" on the disk.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from canary.cloud.router.choice import open_router
from canary.engine.change.in_process import why_given_up
from canary.engine.observe.journal_view import view_change
from canary.rollout.change import moves
from canary.rollout.change.change import (
    Basis,
    Change,
    DeleteService,
    Request,
    SetScale,
    SetTraffic,
)
from canary.rollout.errors import OperationFailed
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Journal
from tests.chaos.routers import PLANS, change_by_others, install_program
from tests.cloud.router.test_command_moment import behind_the_intent, write_intent
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import Embed, Embedded, with_router
from tests.engine.carried import AUTHOR, ask, carry, router_service, standing_of
from tests.engine.change.test_moved_world import (
    BACKUP,
    PRODUCTION,
    at_stage,
    completion,
    legacy,
    preset,
    scale_legacy,
)
from tests.hands import deploy, set_traffic


@pytest.fixture
def cloud(on_each_router: Embedded) -> Embedded:
    """On one of the four routers, at 10 %."""
    return on_each_router


def once_it_is_sent(
    cloud: Embedded, moment: Callable[[], Awaitable[Any]], kind: type = SetTraffic
) -> list[str]:
    """Have `moment` happen once, just before the first step of a kind is sent; the list that is
    returned is not empty then.
    """
    router, happened = cloud.router, []
    send = router.send

    async def sending(step: Any, **how: Any) -> str:
        if isinstance(step, kind) and not happened:
            happened.append("once")
            await moment()
        return await send(step, **how)

    router.send = sending  # type: ignore[method-assign]
    return happened


async def hold(cloud: Embedded) -> None:
    request = Request("h1", AUTHOR, cloud.now, reason="the database moves")
    wish = moves.hold(cloud.plan, await standing_of(cloud), request, None)
    await cloud.writer.send(wish.steps[0])
    cloud.advance(60.0)


async def test_a_hold_keeps_a_promotion_from_going_out(cloud: Embedded, journal: Journal):
    asked = await ask(cloud, "promote")
    happened = once_it_is_sent(cloud, lambda: hold(cloud))
    outcome = await carry(cloud, journal, asked)
    assert happened
    assert outcome.state == "refused", outcome
    assert (await router_service(cloud)).percent == 10


async def test_a_promotion_is_not_sent_to_a_canary_that_was_scaled_down(
    cloud: Embedded, journal: Journal
):
    asked = await ask(cloud, "promote")

    async def scale_down() -> None:
        theirs = await preset(cloud, "canary", ScalePreset(0, 2), "theirs")
        await cloud.writer.send(theirs.steps[0])
        cloud.advance(60.0)

    happened = once_it_is_sent(cloud, scale_down)
    outcome = await carry(cloud, journal, asked)
    assert happened
    assert outcome.state == "refused", outcome
    assert (await router_service(cloud)).percent == 10


@pytest.mark.parametrize("kind", ["step_back", "rollback_all", "promote"])
async def test_no_share_that_somebody_sets_is_overwritten(
    cloud: Embedded, journal: Journal, kind: str
):
    asked = await ask(cloud, kind)

    async def meddle() -> None:
        change_by_others(cloud, 1)
        cloud.advance(60.0)

    happened = once_it_is_sent(cloud, meddle)
    outcome = await carry(cloud, journal, asked)
    assert happened
    assert outcome.state == "refused", outcome
    assert (await router_service(cloud)).percent == 1


@pytest.mark.parametrize("touched", [False, True])
async def test_a_step_back_gives_no_more_than_what_serves_by_then(
    embed: Embed, journal: Journal, touched: bool
):
    """Somebody binds the traffic to a revision with 1 %: what is set stays 50 %, and the record."""
    async with embed(at_stage(PLANS["env"], 4), operation_s=0.0) as cloud:
        least = await deploy(cloud, CANARY_TRAFFIC_PERCENTAGE="1")
        await deploy(cloud, CANARY_TRAFFIC_PERCENTAGE="50")
        asked = await ask(cloud, "step_back")
        assert asked.steps[-1].percent == 25

        async def bind() -> None:
            await set_traffic(cloud, (least, 100, ""))

        async def touch() -> None:  # its etag is another, so that it is sent once more
            await deploy(cloud, OTHER="1")
            once_it_is_sent(cloud, bind)

        happened = once_it_is_sent(cloud, touch if touched else bind)
        outcome = await carry(cloud, journal, asked)
        assert happened
        assert outcome.state == "refused", outcome
        after = await router_service(cloud)
        assert (after.percent, after.served_percent) == (50, 1)


@pytest.mark.parametrize("automatic", [True, False])
async def test_automatic_rollback_stands_down_over_what_was_marked_meanwhile(
    cloud: Embedded, journal: Journal, automatic: bool
):
    asked = await ask(cloud, "rollback_all", cause="error_ratio" if automatic else "")
    request = Request("m1", AUTHOR, cloud.now)
    mark = moves.mark_irreversible(cloud.plan, await standing_of(cloud), request, "schema 42")

    async def mark_it() -> None:
        await cloud.writer.send(mark.steps[0])
        cloud.advance(60.0)

    happened = once_it_is_sent(cloud, mark_it)
    outcome = await carry(cloud, journal, asked)
    assert happened
    assert outcome.state == ("refused" if automatic else "done"), outcome
    assert ("schema 42" in outcome.message) == automatic
    assert (await router_service(cloud)).percent == (10 if automatic else 0)


async def generation(cloud: Embedded) -> int:
    return (await cloud.run.service("ion-api")).generation


@pytest.mark.parametrize("by_hand", [False, True])
async def test_legacy_is_never_made_the_backup_under_a_rollback(
    embed: Embed, journal: Journal, by_hand: bool
):
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        asked = await (preset(cloud, "legacy", BACKUP) if by_hand else completion(cloud))
        theirs, before = await ask(cloud, "rollback_all", "theirs"), await generation(cloud)

        async def roll_back() -> None:
            await cloud.writer.send(theirs.steps[-1])
            cloud.advance(60.0)

        happened = once_it_is_sent(cloud, roll_back, SetScale)
        outcome = await carry(cloud, journal, asked)
        assert happened
        assert outcome.state == "refused", outcome
        assert "Nothing was changed" in outcome.message
        assert await generation(cloud) == before


async def test_a_scale_that_somebody_sets_is_not_overwritten(embedded: Embedded, journal: Journal):
    asked = await preset(embedded, "legacy", ScalePreset(1, 5))
    happened = once_it_is_sent(
        embedded, lambda: scale_legacy(embedded, ScalePreset(4, 40)), SetScale
    )
    outcome = await carry(embedded, journal, asked)
    assert happened
    assert outcome.state == "refused", outcome
    assert await legacy(embedded) == ScalePreset(4, 40)


async def test_a_scale_ahead_of_a_rollback_takes_nothing_away(embed: Embed, journal: Journal):
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        await scale_legacy(cloud, BACKUP)
        asked = await ask(cloud, "rollback_all")
        happened = once_it_is_sent(cloud, lambda: scale_legacy(cloud, ScalePreset(5, 50)), SetScale)
        outcome = await carry(cloud, journal, asked)
        assert happened
        assert outcome.state == "done", outcome
        assert await legacy(cloud) == ScalePreset(5, 50)


@pytest.mark.parametrize("theirs", [ScalePreset(5, 50), ScalePreset(0, 50)])
async def test_a_raise_of_legacy_takes_nothing_away(
    embed: Embed, journal: Journal, theirs: ScalePreset
):
    """It was made the backup behind the question; somebody else raises it in the same moment."""
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        asked = await ask(cloud, "rollback_all")
        assert [type(step) for step in asked.steps] == [SetTraffic]
        await scale_legacy(cloud, BACKUP)
        happened = once_it_is_sent(cloud, lambda: scale_legacy(cloud, theirs), SetScale)
        outcome = await carry(cloud, journal, asked)
        assert happened
        assert outcome.state == "done", outcome
        assert await legacy(cloud) == ScalePreset(max(theirs.min, PRODUCTION.min), theirs.max)


async def test_legacy_is_raised_before_it_serves_again(embed: Embed, journal: Journal):
    """Made the backup in the last moment: the split goes out once it is raised, not before."""
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        asked = await ask(cloud, "rollback_all")
        seen: list[ScalePreset | None] = []
        patch = cloud.router._map.patch  # type: ignore[attr-defined]

        async def patching(*arguments: Any) -> str:
            seen.append(await legacy(cloud))
            return str(await patch(*arguments))

        cloud.router._map.patch = patching  # type: ignore[attr-defined]
        happened = once_it_is_sent(cloud, lambda: scale_legacy(cloud, BACKUP))
        outcome = await carry(cloud, journal, asked)
        assert happened
        assert outcome.state == "done", outcome
        assert seen == [PRODUCTION]


@pytest.mark.parametrize("router", ["env", "url-map", "command"])
async def test_legacy_is_not_deleted_under_a_rollback(
    embed: Embed, journal: Journal, tmp_path: Path, router: str
):
    async with embed(at_stage(PLANS[router], 5), http=True, operation_s=0.0) as cloud:
        if router == "command":
            install_program(cloud, tmp_path)
        standing, state = await standing_of(cloud), await cloud.run.service("ion-api")
        step = DeleteService("ion-api", state.etag, 100)
        basis = Basis(standing.guard, idle=True)
        asked = Change("c1", "retire", "a", (step,), AUTHOR, cloud.now, basis=basis)
        theirs = await ask(cloud, "rollback_all", "theirs")

        async def roll_back() -> None:
            await cloud.writer.send(theirs.steps[-1])
            cloud.advance(60.0)

        happened = once_it_is_sent(cloud, roll_back, DeleteService)
        outcome = await carry(cloud, journal, asked)
        assert happened
        assert outcome.state == "refused", outcome
        assert await generation(cloud) >= 1
        assert (await router_service(cloud)).percent == 0


async def test_a_rollback_waits_for_the_others_program_and_goes_out_when_it_has_ended(
    embed: Embed, journal: Journal, tmp_path: Path
):
    """Theirs is a promotion that runs, and fails in the end: never two programs at once."""
    async with embed(PLANS["command"], http=True, operation_s=0.0) as cloud:
        install_program(cloud, tmp_path)
        ends, share = tmp_path / "ends", str(tmp_path / "share")
        os.mkfifo(ends)
        script = tmp_path / "slow"
        script.write_text(
            f'#!/bin/sh\n[ "$1" = 25 ] && read -r _ < {ends} && exit 1\nexec {share} set "$1"\n'
        )
        script.chmod(0o700)
        cloud.plan = with_router(
            cloud.plan, kind="command", set=(str(script), "{percent}"), read=(share, "read")
        )
        cloud.router = cloud.run = cloud.writer = open_router(cloud.plan, cloud.connection)
        asked, theirs = await ask(cloud, "rollback_all"), await ask(cloud, "promote", "theirs")
        begun = asyncio.Event()

        async def begin() -> None:
            begun.set()

        behind_the_intent(cloud, begin)
        running = asyncio.create_task(cloud.writer.send(theirs.steps[0]))
        await begun.wait()
        waited: list[str] = []

        async def end_it() -> None:
            entry = journal.entry("c1")
            if entry is not None and entry.waiting_since is not None and not waited:
                waited.append(f"{view_change(entry).step}: {entry.last and entry.last.detail}")
                waited.append(why_given_up(entry, 0.0))
                await asyncio.to_thread(ends.write_text, "now\n")
                with pytest.raises(OperationFailed):
                    await running

        outcome = await carry(cloud, journal, asked, between=end_it)
        assert outcome.state == "done", outcome
        assert "waiting for another program since " in waited[0]
        assert "A program that sets 25 % for oncall@bastion was begun" in waited[0]
        assert waited[1].endswith("at the latest. It was not to wait.")
        assert (await router_service(cloud)).percent == 0


async def test_a_promotion_does_not_wait_for_the_others_program(
    embed: Embed, journal: Journal, tmp_path: Path
):
    async with embed(PLANS["command"], http=True, operation_s=0.0) as cloud:
        install_program(cloud, tmp_path)
        asked, theirs = await ask(cloud, "promote"), await ask(cloud, "step_back", "theirs")
        step = theirs.steps[0]
        assert isinstance(step, SetTraffic)
        await write_intent(cloud, step)
        outcome = await carry(cloud, journal, asked)
        assert outcome.state == "refused", outcome
        assert "may be running until" in outcome.message
        assert (await router_service(cloud)).percent == 10
