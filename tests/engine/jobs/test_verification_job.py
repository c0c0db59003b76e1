"""The console's verifications: asked for, after its own changes, one at a time."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path

import msgspec
import pytest

from canary.engine.jobs.verification import VerifyOrder, _is_split_set
from canary.rollout.change.change import (
    Author,
    Change,
    Guard,
    Outcome,
    OutcomeState,
    Request,
    SetScale,
    SetTraffic,
    StepState,
    StepView,
)
from canary.rollout.change.moves import rollback_all, step_back
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.trials.verification import Verification, VerifyProgress
from tests.embedded import Embed, Embedded
from tests.engine.console.test_console import Running, has_numbers
from tests.engine.jobs.test_verification import at_router

pytestmark = pytest.mark.usefixtures("state_dir")
PATIENCE_S = 30.0


class Listener:
    """What a screen would hear."""

    def __init__(self, running: Running) -> None:
        self.progress: list[VerifyProgress] = []
        self.results: list[Verification] = []
        self._news = threading.Semaphore(0)
        running.engine.procedure.verification.listen(self.progress.append, self._take)

    def _take(self, verification: Verification) -> None:
        self.results.append(verification)
        self._news.release()

    async def result(self) -> Verification:
        assert await asyncio.to_thread(self._news.acquire, timeout=PATIENCE_S)
        return self.results[-1]


def quick(cloud: Embedded, **settings: object) -> Plan:
    """The cloud's plan with its router, and a verification that takes no time."""
    plan = at_router(cloud)
    verify = msgspec.structs.replace(plan.verify, delay_ms=0.0, **settings)
    return msgspec.structs.replace(plan, verify=verify)


def live(embed: Embed) -> object:
    # The cloud's clock is this host's, and its answers are quick: it is asked for, not raced.
    return embed(http=True, start_unix=time.time(), monotonic=time.monotonic, operation_s=0.0)


def asked(running: Running, snapshot: Snapshot, build: object = rollback_all) -> Change:
    assert snapshot.standing is not None
    request = Request("c-verify", running.engine.author, snapshot.as_of)
    return build(running.engine.plan, snapshot.standing, request)  # type: ignore[operator]


def texts(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [(e.severity, e.text) for e in snapshot.events]


async def test_asked_for_it_tells_how_far_it_is_and_the_result(
    embed: Embed, tmp_path: Path
) -> None:
    async with (
        live(embed) as cloud,
        Running(  # type: ignore[attr-defined]
            quick(cloud), plan_path=tmp_path / "canary.toml"
        ) as running,
    ):
        await running.screen.until(has_numbers)
        listener = Listener(running)
        running.engine.procedure.verification.start(VerifyOrder(requests=40, delay_ms=0.0))
        verification = await listener.result()
        said = await running.screen.until(lambda s: any("VERIF" in text for _, text in texts(s)))
    assert verification.verdict == "passed"
    assert listener.progress[-1].step == "done"
    assert any(s == "good" and t.startswith("✓ VERIFIED") for s, t in texts(said))
    written = json.loads((tmp_path / "outputs" / "compare_stage2.json").read_text())
    assert written["verdict"] == "passed"


async def test_a_change_of_its_own_is_verified_once_it_is_done(
    embed: Embed, tmp_path: Path
) -> None:
    async with (
        live(embed) as cloud,
        Running(  # type: ignore[attr-defined]
            quick(cloud), plan_path=tmp_path / "canary.toml"
        ) as running,
    ):
        snapshot = await running.screen.until(has_numbers)
        listener = Listener(running)
        running.engine.submit(asked(running, snapshot, step_back))
        verification = await listener.result()
        said = await running.screen.until(lambda s: any("VERIF" in text for _, text in texts(s)))
    assert (verification.change, verification.intended_percent) == ("c-verify", 5)
    assert verification.verdict == "passed"
    assert len(listener.results) == 1
    assert [s for s, text in texts(said) if text.startswith("✓ VERIFIED")] == ["good"]


@pytest.mark.parametrize(
    ("state", "split", "verified"),
    [
        ("done", "done", True),
        ("failed", "done", True),  # only a step behind it failed: the split is another one
        ("failed", "failed", False),
        ("failed", "to_do", False),
        ("unknown", "unknown", False),
        ("refused", "to_do", False),
    ],
)
def test_a_split_that_was_set_is_verified_though_the_change_ended_half_way(
    state: OutcomeState, split: StepState, verified: bool
) -> None:
    record = StageRecord(5, 100, 0.0)
    moved = SetTraffic("ion-api", 50, 100, record, Guard("ion-api", "e", 50))
    scaled = SetScale("ion-api", None, ScalePreset(0, 1))
    author = Author("oncall", "bastion")
    change = Change("c", "promote", "r", (scaled, moved, scaled), author, 0.0)
    steps = (StepView("", "done"), StepView("", split), StepView("", "failed"))
    outcome = Outcome(state, "", 1.0)
    view = ChangeView("c", "promote", "", "", 0.0, outcome=outcome, steps=steps)
    assert _is_split_set(change, view) is verified


async def test_one_that_is_not_passed_is_as_loud_as_a_failed_change(
    embed: Embed, tmp_path: Path
) -> None:
    async with (
        live(embed) as cloud,
        Running(  # type: ignore[attr-defined]
            quick(cloud), plan_path=tmp_path / "canary.toml"
        ) as running,
    ):
        await running.screen.until(has_numbers)
        listener = Listener(running)
        running.engine.procedure.verification.start(
            VerifyOrder(requests=60, delay_ms=0.0, intended_percent=50)
        )
        assert (await listener.result()).verdict == "not_passed"
        await running.screen.until(
            lambda s: any(
                severity == "critical" and text.startswith("✗ VERIFICATION NOT PASSED")
                for severity, text in texts(s)
            )
        )


async def test_stopped_it_gives_no_result_and_a_new_one_replaces_it(
    embed: Embed, tmp_path: Path
) -> None:
    async with (
        live(embed) as cloud,
        Running(  # type: ignore[attr-defined]
            quick(cloud), plan_path=tmp_path / "canary.toml"
        ) as running,
    ):
        await running.screen.until(has_numbers)
        listener = Listener(running)
        verifying = running.engine.procedure.verification
        verifying.start(VerifyOrder(requests=100, delay_ms=60_000.0))
        verifying.start(VerifyOrder(requests=100, delay_ms=60_000.0))
        verifying.stop()
        await running.screen.until(lambda s: any("abandoned" in text for _, text in texts(s)))
        verifying.start(VerifyOrder(requests=30, delay_ms=0.0))
        await listener.result()
    assert len(listener.results) == 1


async def test_the_plan_can_leave_it_out(embed: Embed, tmp_path: Path) -> None:
    async with (
        live(embed) as cloud,
        Running(  # type: ignore[attr-defined]
            quick(cloud, after_change=False), plan_path=tmp_path / "canary.toml"
        ) as running,
    ):
        snapshot = await running.screen.until(has_numbers)
        listener = Listener(running)
        running.engine.submit(asked(running, snapshot))
        await running.screen.until(
            lambda s: any(c.id == "c-verify" and c.outcome is not None for c in s.changes)
        )
        running.engine.procedure.verification.start(VerifyOrder(requests=30, delay_ms=0.0))
        verification = await listener.result()
    assert (verification.change, len(listener.results)) == ("", 1)
