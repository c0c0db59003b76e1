"""By key and by palette, with a colleague who acts between the question and the answer.

The whole console: its engine on a thread of its own, an executor in a process, the embedded cloud
over the real protocols. What executor and shell keep out is kept out here as well.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from canary.cloud.connection import calls
from canary.engine.console import executor_supervisor
from canary.engine.console.console import ConsoleEngine
from canary.rollout.change.change import Outcome, SetScale
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.snapshot.snapshot import Snapshot
from tests.chaos.routers import PLANS, change_by_others
from tests.embedded import Embed, Embedded
from tests.engine.carried import ask, router_service
from tests.engine.change.test_moved_world import BACKUP, PRODUCTION, at_stage, legacy
from tests.forked import begin_forked_executor, begin_forking
from tests.long import spread
from tests.tui.scripted import frame
from tui.app import CanaryApp
from tui.palette import best

pytestmark = pytest.mark.usefixtures("state_dir")
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a start of Python and a pause before a read is made up show has tests of its own."""
    begin_forking()
    monkeypatch.setattr(executor_supervisor, "begin_process", begin_forked_executor)
    monkeypatch.setattr(calls, "FIRST_WAIT_S", 0.0)


class Console:
    """A console at an embedded cloud, and who types there."""

    def __init__(self, app: CanaryApp, pilot: Pilot[Any], cloud: Embedded) -> None:
        self.app, self.pilot, self.cloud = app, pilot, cloud

    async def until(self, wanted: Callable[[Snapshot], bool]) -> Snapshot:
        """The first snapshot on the screen that is wanted; what is there now is read for it."""
        if self.app.main.snapshot is not None:
            self.app.engine_of().refresh_now()
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            shown = self.app.main.snapshot
            if shown is not None and shown.standing is not None and wanted(shown):
                return shown
            await self.pilot.pause(0.02)
        raise AssertionError(frame(self.app))

    async def wish(self, by: str, key: str, command: str) -> None:
        """An action, by its key or by what the palette finds first."""
        if by == "key":
            await self.type(key)
            return
        found = best(self.app.commands, command)
        assert found is not None
        found.run()
        await self.pilot.pause()

    async def type(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    async def ended(self) -> Outcome:
        """How the change ended that was confirmed here."""
        shown = await self.until(lambda s: any(c.outcome is not None for c in s.changes))
        outcome = next(c.outcome for c in shown.changes if c.outcome is not None)
        assert outcome is not None
        return outcome

    def was_sent(self) -> bool:
        return "handed to the executor" in frame(self.app)

    async def outcome_or_death(self) -> str:
        """Why nothing came of an answer: the strip's sentence, or the executor's refusal."""
        if self.was_sent():
            outcome = await self.ended()
            assert outcome.state == "refused", outcome
            return outcome.message
        return frame(self.app)


@pytest.fixture
def at(embed: Embed, monkeypatch: pytest.MonkeyPatch):
    @asynccontextmanager
    async def opening(plan: Plan, **config: Any) -> AsyncIterator[Console]:
        now = {"start_unix": time.time(), "monotonic": time.monotonic, "operation_s": 0.0}
        async with embed(plan, http=True, **now, **config) as cloud:
            app = CanaryApp(cloud.plan, lambda: ConsoleEngine(cloud.plan))
            async with app.run_test(size=(120, 40)) as pilot:
                console = Console(app, pilot, cloud)
                await console.until(lambda s: True)
                yield console

    return opening


async def roll_back(cloud: Embedded) -> None:
    theirs = await ask(cloud, "rollback_all", "theirs")
    for step in theirs.steps:
        await cloud.writer.send(step)
        cloud.world.settle()


def by_hand(suite: str) -> pytest.MarkDecorator:
    """By key and by palette, of which the suite tries one."""
    return pytest.mark.parametrize("by", spread(("key", "palette"), (suite,)))


def over(suite: str) -> pytest.MarkDecorator:
    """With either router, of which the suite tries one."""
    return pytest.mark.parametrize("router", spread(("env", "url-map"), (suite,)))


@by_hand("palette")
@over("env")
@pytest.mark.parametrize("what", ["completion", "preset"])
async def test_legacy_is_not_made_the_backup_once_somebody_rolled_back(at, by, router, what):
    async with at(at_stage(PLANS[router], 5)) as it:
        if what == "completion":
            await it.wish(by, "p", "promote")
            assert "Complete the final approval" in frame(it.app)
        elif by == "key":
            await it.type("s", *"legacy backup", "enter")
        else:
            await it.wish(by, "", "scale legacy backup")
        assert "y confirm" in frame(it.app)
        await roll_back(it.cloud)
        await it.type("y")
        await it.outcome_or_death()
        assert await legacy(it.cloud) == PRODUCTION
        assert (await router_service(it.cloud)).percent == 0


@by_hand("key")
@over("url-map")
async def test_going_back_raises_legacy_that_became_the_backup_meanwhile(at, by, router):
    async with at(at_stage(PLANS[router], 5)) as it:
        await it.wish(by, "R", "roll back all")
        assert "y confirm" in frame(it.app)
        await it.cloud.writer.send(SetScale("ion-api", None, BACKUP))
        it.cloud.world.settle()
        await it.type("y")
        assert (await it.ended()).state == "done"
        assert await legacy(it.cloud) == PRODUCTION
        assert (await router_service(it.cloud)).percent == 0


@by_hand("palette")
async def test_one_stage_back_never_gives_canary_more(at, by):
    async with at(at_stage(PLANS["env"], 3)) as it:
        change_by_others(it.cloud, 5)
        await it.until(lambda s: s.traffic.canary_percent == 5)
        await it.wish(by, "r", "roll back one stage")
        await it.type("y")
        assert not it.was_sent()
        assert (await router_service(it.cloud)).percent == 5


@by_hand("key")
async def test_an_approval_whose_split_failed_is_not_completed(at, by):
    async with at(at_stage(PLANS["env"], 4)) as it:
        it.cloud.break_method("UpdateService", fails=True, times=1)
        theirs = await ask(it.cloud, "promote", "theirs")
        await it.cloud.writer.send(theirs.steps[0])
        it.cloud.world.settle()
        await it.until(lambda s: s.traffic.canary_percent == 100)
        await it.wish(by, "p", "promote")
        await it.type("y", "enter")
        assert not it.was_sent()
        assert await legacy(it.cloud) == PRODUCTION


@by_hand("palette")
async def test_under_an_edited_plan_nothing_is_promoted_before_it_is_adopted(at, by):
    plan = PLANS["env"]
    async with at(plan) as it:
        theirs = await ask(it.cloud, "step_back", "theirs")
        await it.cloud.writer.send(theirs.steps[0])  # a record of the plan as it was
        it.cloud.world.settle()
        shown = msgspec.structs.replace(plan.stages[0], percent=3)
        edited = msgspec.structs.replace(it.cloud.plan, stages=(shown, *plan.stages[1:]))
        app = CanaryApp(edited, lambda: ConsoleEngine(edited))
        async with app.run_test(size=(120, 40)) as pilot:
            other = Console(app, pilot, it.cloud)
            await other.until(lambda s: s.traffic.drift is not None)
            await other.wish(by, "p", "promote")
            assert "The plan was changed since" in frame(app)
            await other.wish(by, "a", "adopt")
            await other.type("y")
            assert (await other.ended()).state == "done"


@by_hand("key")
async def test_a_lost_answer_on_the_scale_does_not_end_a_rollback(at, by):
    async with at(at_stage(PLANS["url-map"], 5)) as it:
        await it.cloud.writer.send(SetScale("ion-api", None, BACKUP))
        it.cloud.world.settle()
        await it.until(lambda s: s.legacy.scale == ScalePreset(0, 1))
        it.cloud.break_method("UpdateService", code="UNAVAILABLE", after_apply=True, times=1)
        await it.wish(by, "R", "roll back all")
        await it.type("y")
        assert (await it.ended()).state == "done"
        assert await legacy(it.cloud) == PRODUCTION
        assert (await router_service(it.cloud)).percent == 0
