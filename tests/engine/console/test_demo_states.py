"""The states that are hard to reach are reached by the scenarios that the demo names for them.

Each through the real engine against the embedded cloud, over its protocols.
"""

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.rollout.change.change import Author, Change, Request, is_final_approval
from canary.rollout.change.moves import promote
from canary.rollout.snapshot.snapshot import Snapshot, find_unfinished
from canary.simulator.world.traffic.scenarios import SCENARIOS
from tests.embedded import DEFAULT_PLAN, Embed, Embedded
from tests.engine.console.test_background_jobs import Desk, reaching, settings
from tests.engine.console.test_console import everybody_off, has_numbers
from tests.engine.watching import Watching
from tui.keys import bind
from tui.pages.tips import demo_states

pytestmark = pytest.mark.usefixtures("state_dir")
STATES = {state.name: state.scenario for state in demo_states(bind(DEFAULT_PLAN))}
needs_locust = pytest.mark.skipif(find_spec("locust") is None, reason="Locust is not installed")


def live(embed: Embed) -> Any:
    return embed(http=True, start_unix=time.time(), monotonic=time.monotonic)


def test_every_state_has_a_scenario_that_there_is() -> None:
    assert set(STATES) == {
        "roll back one stage",
        "failed verification",
        "running load test",
        "final approval",
        "recovery",
    }
    assert set(STATES.values()) <= set(SCENARIOS)


async def test_roll_back_one_stage(embedded: Embedded) -> None:
    watching = Watching(embedded)
    await watching.after(5)
    embedded.set_scenario(STATES["roll back one stage"])
    seen = await watching.after(90, every=3)
    verdicts = [s.decision.verdict for s in seen]
    assert "watch" in verdicts
    assert verdicts[-1] == "rollback_stage"


async def test_failed_verification(embed: Embed, tmp_path: Path) -> None:
    async with live(embed) as cloud:
        plan = reaching(cloud)
        quick = msgspec.structs.replace(plan.verify, requests=30, delay_ms=0.0)
        async with Desk(msgspec.structs.replace(plan, verify=quick), tmp_path) as desk:
            await desk.screen.until(has_numbers)
            cloud.set_scenario(STATES["failed verification"])
            desk.engine.procedure.verify()
            seen = await desk.until(lambda p: p.verification.waiting is not None)
    assert seen.verification.waiting is not None
    assert seen.verification.waiting.verdict == "not_passed"


@needs_locust
async def test_running_load_test(embed: Embed, tmp_path: Path) -> None:
    async with live(embed) as cloud, Desk(reaching(cloud), tmp_path) as desk:
        await desk.screen.until(has_numbers)
        cloud.set_scenario(STATES["running load test"])
        desk.engine.refresh_now()
        await desk.screen.until(lambda s: s.stage.index == 3 and s.traffic.canary_percent == 25)
        desk.engine.procedure.start_load_test(settings(600.0))
        running = await desk.until(lambda p: p.load_test.progress is not None)
        desk.engine.procedure.stop()
    assert running.load_test.is_running


async def test_final_approval(embedded: Embedded) -> None:
    watching = Watching(embedded)
    await watching.after(5)
    embedded.set_scenario(STATES["final approval"])
    (*_, snapshot) = await watching.after(70, every=5)
    assert (snapshot.stage.index, snapshot.traffic.canary_percent) == (4, 50)
    assert snapshot.traffic.drift is None
    waiting = [g.id for g in snapshot.gates if g.state != "met"]
    assert waiting == ["ab_test"]  # `:ab test` asks BigQuery for it
    assert is_final_approval(_promotion(embedded, snapshot))


def _promotion(cloud: Embedded, snapshot: Snapshot) -> Change:
    assert snapshot.standing is not None
    request = Request("c-1", Author("oncall", "bastion-2"), snapshot.as_of)
    return promote(cloud.plan, snapshot.standing, request)


async def test_recovery(embed: Embed, tmp_path: Path) -> None:
    async with live(embed) as cloud, Desk(reaching(cloud), tmp_path) as desk:
        shown = await desk.screen.until(has_numbers)
        cloud.set_scenario(STATES["recovery"])
        desk.engine.submit(everybody_off(desk.engine, shown))
        found = await desk.screen.until(lambda s: bool(find_unfinished(s.changes)))
    assert [change.kind for change in find_unfinished(found.changes)] == ["rollback_all"]
