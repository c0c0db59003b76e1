"""The scenarios of the evidence, through the real protocols: the request log over gRPC, Cloud
Monitoring's minutes, and what is said of both.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest
from msgspec.structs import replace

from canary.cloud.logging import tail as tail_module
from canary.cloud.logging.tail import LogTail
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_feed import EvidenceFeed
from canary.rollout.evidence.verdict import AFFINITY
from canary.rollout.evidence.view import EvidenceView
from canary.rollout.permit.permit import find_cause
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.impact import find_impact, format_impact
from canary.rollout.snapshot.snapshot import Snapshot
from canary.simulator.api import logging as logging_api
from tests.embedded import DEFAULT_PLAN, embed
from tests.engine.observe.wire import Wire
from tests.engine.watching import Watching

STEP_S = 2.5
SERVER_TICK_S = 0.002
HALF: Plan = replace(DEFAULT_PLAN, local=replace(DEFAULT_PLAN.local, stage=4))
"""Canary has half of the requests: it takes the fewest to know something of both sides."""


@pytest.fixture(autouse=True)
def a_server_that_looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """As time passes fast here, the other end must look more often than for people; and so many
    entries come in a real second that only a sample of them would be read.
    """
    monkeypatch.setattr(logging_api, "TICK_S", SERVER_TICK_S)
    monkeypatch.setattr(tail_module, "MOST_PER_S", 1e9)


@pytest.fixture(autouse=True)
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Between the other end and the tail, of every test."""
    return Wire(monkeypatch)


async def watched(
    wire: Wire,
    scenario: str,
    minutes: float,
    plan: Plan = HALF,
    soaked_hours: float = 0.01,
    requests_per_s: float = 18.0,
    **params: float,
) -> list[Snapshot]:
    """A snapshot for each minute of a scenario that began so long after the split."""
    seen: list[Snapshot] = []
    config: dict[str, Any] = {"requests_per_s": requests_per_s, "soaked_hours": soaked_hours}
    async with embed(plan, scenario=scenario, scenario_params=params, **config) as cloud:
        cloud.clock.follow(cloud.now, 0.0)
        events = EventLog()
        tail = LogTail(cloud.connection, cloud.plan, cloud.clock, rng=random.Random(1))
        feed = EvidenceFeed(cloud.plan, tail, cloud.clock, events, None)
        watching = Watching(cloud, comparison=feed, log=events)
        await watching.observer.refresh()
        await watching.backfill()

        async def follow() -> None:
            async for _ in feed.follow_tail(None):
                pass

        task = asyncio.create_task(follow())
        try:
            await wire.all_taken(cloud.now)
            for step in range(int(minutes * 60 / STEP_S)):
                cloud.advance(STEP_S)
                await wire.all_taken(cloud.now)
                if (step + 1) % int(60 / STEP_S) == 0:
                    seen.append(await watching.observer.refresh())
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    return seen


def evidence(snapshot: Snapshot) -> EvidenceView:
    assert snapshot.evidence is not None
    return snapshot.evidence


def words(seen: list[Snapshot]) -> list[str]:
    return [evidence(s).metrics[0].verdict for s in seen]


def events(snapshot: Snapshot) -> str:
    return "\n".join(e.text for e in snapshot.events)


async def test_a_crash_loop_is_worse_now_while_it_lasts_and_proven_within_fifteen_minutes(
    wire: Wire,
) -> None:
    seen = await watched(wire, "crash-loop", 15)
    found = words(seen)
    assert found[-1] == "rollback"
    assert {*found[4:]} <= {"worse_now", "rollback"}
    gate = {g.id: g for g in seen[-1].gates}["regression"]
    assert gate.state == "not_met"
    assert evidence(seen[-1]).source == "tail"


async def test_noise_on_both_sides_is_not_proven(wire: Wire) -> None:
    seen = await watched(wire, "noisy", 15)
    assert "rollback" not in words(seen)
    assert {g.id for g in seen[-1].gates}.isdisjoint({"regression"})


async def test_a_log_without_2xx_steps_aside_and_says_so(wire: Wire) -> None:
    seen = await watched(wire, "log-excluded", 14, ratio=0.2)
    view = evidence(seen[-1])
    assert "2xx that Cloud Monitoring counts" in view.tail.incomplete
    assert view.source == "monitoring"
    assert view.metrics[0].verdict == "rollback"
    assert "the request log is incomplete: it shows" in events(seen[-1])


async def test_a_late_log_is_waited_for(wire: Wire) -> None:
    seen = await watched(wire, "log-late", 8, ratio=0.2)
    view = evidence(seen[-1])
    assert view.tail.waits_s > 8.0
    assert view.tail.incomplete == ""
    assert view.source == "tail"
    assert view.metrics[0].verdict == "rollback"
    # What was lost before the lateness was known is not judged by half.
    missed = [entry for entry in view.left_out if "late" in entry.reason]
    assert sum(entry.windows for entry in missed) <= 6


async def test_with_sticky_sessions_nothing_is_concluded(wire: Wire) -> None:
    seen = await watched(wire, "sticky", 3)
    view = evidence(seen[-1])
    assert view.verdict == "inconclusive"
    assert {m.why for m in view.metrics} == {AFFINITY}
    assert seen[-1].advice is None


async def test_automatic_rollback_acts_on_the_proof_where_the_plan_says_so(wire: Wire) -> None:
    plan = replace(HALF, evidence=replace(HALF.evidence, on_regression="rollback"))
    # 1.5 % is below every threshold: only the evidence can be the cause.
    how = {"soaked_hours": 0.2, "requests_per_s": 36.0, "ratio": 0.015, "base": 0.002}
    seen = await watched(wire, "error-spike", 12, plan, **how)
    tiers = [s.advice.tier if s.advice else None for s in seen]
    assert tiers[-1] == "proven"
    actions = {(s.advice.tier, s.advice.action) for s in seen if s.advice}
    assert actions <= {("worse_now", "advise"), ("proven", "rollback")}
    for snapshot, tier in zip(seen, tiers, strict=True):
        cause = find_cause(plan, snapshot).cause
        assert cause is None or (tier, cause.trigger) == ("proven", "regression")
    found = find_cause(plan, seen[-1])
    assert found.cause is not None, found
    assert found.cause.kind == "step_back"


async def test_the_impact_is_that_of_the_requests_that_the_log_showed(wire: Wire) -> None:
    seen = await watched(wire, "error-spike", 8, requests_per_s=20.0, ratio=0.2, base=0.005)
    view, impact = evidence(seen[-1]), find_impact(seen[-1], HALF)
    assert impact is not None
    errors = view.metrics[0]
    assert impact.requests == errors.canary_count
    assert errors.canary_ratio is not None
    assert impact.bad == round(errors.canary_ratio * errors.canary_count)
    # 20 % of about 600 requests a minute fail; Legacy would have lost 3 of them.
    assert impact.per_minute == pytest.approx(117, rel=0.25)
    assert impact.more == pytest.approx(impact.bad - 0.005 * impact.requests, rel=0.1)
    assert f"{impact.more} more than Legacy would have" in format_impact(impact)
