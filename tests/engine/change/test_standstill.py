"""A hold and a freeze that begin under a promotion: each step looks again, and going back does not.

The moments are those in which nothing of the question is asked any more: between `y` and the
sending, behind the last note before the call, and between two steps of one change.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from canary.engine.change.executor import CloudClients, Executor
from canary.engine.change.recovery import Recovery
from canary.rollout.change import moves
from canary.rollout.change.change import Request, SetScale, SetTraffic
from canary.rollout.errors import GateNotMet
from canary.rollout.plan.freeze import Freeze
from canary.rollout.plan.plan import Plan
from canary.store.journal import Journal
from canary.store.locks import Owner
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import DEFAULT_PLAN, Embed, Embedded
from tests.engine.carried import AUTHOR, PACE, ask, carry, router_service, standing_of
from tests.engine.change.test_execute_killed import first_life
from tests.engine.change.test_last_look import hold, once_it_is_sent
from tests.engine.change.test_moved_world import (
    BACKUP,
    PRODUCTION,
    at_stage,
    completion,
    legacy,
    preset,
    scale_legacy,
)

AHEAD_S = 600.0
BEHIND_THE_SPLIT = 6
"""The instant in which the split is settled, and nothing of Legacy's scale was begun."""
Begin = Callable[[Embedded], Awaitable[None]]


@pytest.fixture
def cloud(on_each_router: Embedded) -> Embedded:
    """On one of the four routers, at 10 %; in ten minutes the plan is frozen for an hour."""
    freeze_soon(on_each_router)
    return on_each_router


def freeze_soon(cloud: Embedded) -> None:
    begins = datetime.fromtimestamp(cloud.now + AHEAD_S, UTC)
    times = [f"{at:%H:%M}" for at in (begins, begins + timedelta(hours=1))]
    freeze = Freeze(begins=times[0], ends=times[1], name="a fair")
    cloud.plan = msgspec.structs.replace(cloud.plan, freeze=(freeze,))


async def begin_freeze(cloud: Embedded) -> None:
    cloud.advance(AHEAD_S)


BEGINS = pytest.mark.parametrize(
    ("begin", "why"),
    [(hold, "held by oncall@bastion until released because the database moves"),
     (begin_freeze, "because a fair")],
    ids=["hold", "freeze"],
)  # fmt: skip


async def test_a_freeze_that_begins_in_the_last_moment_keeps_a_promotion_from_going_out(
    cloud: Embedded, journal: Journal
):
    asked = await ask(cloud, "promote")
    happened = once_it_is_sent(cloud, lambda: begin_freeze(cloud))
    outcome = await carry(cloud, journal, asked)
    assert happened
    assert outcome.state == "refused", outcome
    assert "Not promoted: frozen by the plan" in outcome.message
    assert "Nothing was changed" in outcome.message
    assert (await router_service(cloud)).percent == 10


async def test_a_freeze_that_begins_behind_the_question_keeps_a_promotion_from_going_out(
    cloud: Embedded, journal: Journal
):
    asked = await ask(cloud, "promote")
    await begin_freeze(cloud)
    outcome = await carry(cloud, journal, asked)
    assert outcome.state == "refused", outcome
    assert (await router_service(cloud)).percent == 10


async def test_an_executor_that_takes_a_promotion_up_looks_at_the_freeze(
    embedded: Embedded, journal: Journal
):
    freeze_soon(embedded)
    journal.intend(await ask(embedded, "promote"))
    await begin_freeze(embedded)

    async def sleep(pause_s: float) -> None:
        embedded.advance(1.0 if pause_s else 0.0)

    clients = CloudClients(embedded.writer, embedded.run, embedded.clock)
    assert journal.path is not None
    with Owner(journal.path.parent) as owner:
        executor = Executor(embedded.plan, clients, journal, owner, pace=PACE, sleep=sleep)
        executor.take_up()
        await executor.finish()
    entry = journal.entry("c1")
    assert entry is not None
    assert entry.outcome is not None
    assert entry.outcome.state == "refused", entry.outcome
    assert (await router_service(embedded)).percent == 10


@pytest.mark.parametrize("kind", ["step_back", "rollback_all"])
@BEGINS
async def test_going_back_goes_out_through_both(
    cloud: Embedded, journal: Journal, kind: str, begin: Begin, why: str
):
    del why
    asked = await ask(cloud, kind)
    happened = once_it_is_sent(cloud, lambda: begin(cloud))
    outcome = await carry(cloud, journal, asked)
    assert happened
    assert outcome.state == "done", outcome
    assert (await router_service(cloud)).percent == asked.steps[-1].percent  # type: ignore[union-attr]


@BEGINS
async def test_going_back_from_production_scales_and_goes_out_through_both(
    embed: Embed, journal: Journal, begin: Begin, why: str
):
    del why
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        freeze_soon(cloud)
        await scale_legacy(cloud, BACKUP)
        asked = await ask(cloud, "rollback_all")
        assert [type(step) for step in asked.steps] == [SetScale, SetTraffic]
        once_it_is_sent(cloud, lambda: begin(cloud), SetScale)
        outcome = await carry(cloud, journal, asked)
        assert outcome.state == "done", outcome
        assert await legacy(cloud) == PRODUCTION


@pytest.mark.parametrize("forced", [False, True])
@BEGINS
async def test_force_passes_a_freeze_and_no_hold(
    embed: Embed, journal: Journal, begin: Begin, why: str, forced: bool
):
    async with embed(MAP_PLAN, http=True) as cloud:
        freeze_soon(cloud)
        asked = await ask(cloud, "promote", forced=forced, reason="the fair is off")
        await begin(cloud)
        outcome = await carry(cloud, journal, asked)
        passes = forced and begin is begin_freeze
        assert outcome.state == ("done" if passes else "refused"), outcome
        assert passes or why in outcome.message


async def release(cloud: Embedded, begun: Begin) -> None:
    if begun is begin_freeze:
        cloud.advance(3600.0)
        return
    request = Request("r1", AUTHOR, cloud.now)
    await cloud.writer.send(moves.release(cloud.plan, await standing_of(cloud), request).steps[0])
    cloud.advance(60.0)


@pytest.mark.parametrize("plan", [DEFAULT_PLAN, MAP_PLAN], ids=["env", "url-map"])
@BEGINS
async def test_legacy_keeps_its_instances_when_one_begins_behind_the_split(
    embed: Embed, journal: Journal, plan: Plan, begin: Begin, why: str
):
    """The approval is half-way then, is not completed either, and is once that is over."""
    async with embed(at_stage(plan, 4), http=True) as cloud:
        freeze_soon(cloud)
        asked = await ask(cloud, "promote")
        assert [type(step) for step in asked.steps] == [SetTraffic, SetScale]
        happened = once_it_is_sent(cloud, lambda: begin(cloud), SetScale)
        outcome = await carry(cloud, journal, asked)
        assert happened
        assert outcome.state == "refused", outcome
        assert "Legacy keeps its instances: " in outcome.message
        assert why in outcome.message
        assert "Canary is production already" in outcome.remedy
        assert (await router_service(cloud)).percent == 100
        assert await legacy(cloud) == PRODUCTION
        refused = await carry(cloud, journal, await completion(cloud, "c2"))
        assert refused.state == "refused", refused
        assert "The approval is not completed: " in refused.message
        assert await legacy(cloud) == PRODUCTION
        await release(cloud, begin)
        done = await carry(cloud, journal, await completion(cloud, "c3"))
        assert done.state == "done", done
        assert await legacy(cloud) == BACKUP


@BEGINS
async def test_a_scale_by_hand_is_nobodys_promotion(
    embed: Embed, journal: Journal, begin: Begin, why: str
):
    del why
    async with embed(at_stage(MAP_PLAN, 5), http=True) as cloud:
        freeze_soon(cloud)
        await begin(cloud)
        asked = await preset(cloud, "legacy", BACKUP)
        assert (await carry(cloud, journal, asked)).state == "done"


@pytest.mark.parametrize("plan", [DEFAULT_PLAN, MAP_PLAN], ids=["env", "url-map"])
@BEGINS
async def test_what_is_left_of_an_approval_is_not_resumed_meanwhile(
    embed: Embed, tmp_path: Path, plan: Plan, begin: Begin, why: str
):
    """Its executor was killed behind the split; refused, it stays open to be resumed later."""
    path = tmp_path / "journal.db"
    async with embed(at_stage(plan, 4), http=True) as cloud:
        freeze_soon(cloud)
        asked = await ask(cloud, "promote")
        assert await first_life(cloud, path, asked, BEHIND_THE_SPLIT)
        with Journal(path) as journal:
            entry = journal.entry("c1")
            assert entry is not None
            assert (entry.is_settled(0), entry.was_sent(1)) == (True, False)
            await begin(cloud)
            recovery = Recovery(cloud.plan, cloud.run, journal, cloud.clock, wall=time.time)
            with pytest.raises(GateNotMet, match=f"No promotion is resumed: .*{why}"):
                await recovery.resume("c1", "oncall@bastion")
            assert await legacy(cloud) == PRODUCTION
            await release(cloud, begin)
            assert (await recovery.resume("c1", "oncall@bastion")).state == "resumed"
            outcome = await carry(cloud, journal, asked)
            assert outcome.state == "done", outcome
            assert await legacy(cloud) == BACKUP
