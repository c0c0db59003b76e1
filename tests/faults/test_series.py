"""Series in a bad shape, clocks that disagree, a service that is gone: no green without data."""

from __future__ import annotations

from typing import Any

import pytest

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.clock import SystemClock
from canary.cloud.monitoring.reader import MonitoringReader
from canary.cloud.router.choice import open_router
from canary.engine.observe.observer import Observer
from canary.rollout.permit.permit import promotion_gates, why_not
from canary.rollout.snapshot.snapshot import Snapshot
from tests.embedded import Embedded
from tests.engine.watching import Watching, go_on_is_founded, source, texts

USELESS = ("nan", "empty", "cut")
HARMLESS = ("unordered", "duplicate")


@pytest.mark.parametrize("shape", USELESS)
async def test_series_that_say_nothing_are_no_data_from_the_first_look(
    embedded: Embedded, shape: str
):
    embedded.break_method("ListTimeSeries", shape=shape)
    snapshot = await Watching(embedded).observer.refresh()
    assert snapshot.decision.verdict == "no_data"
    assert promotion_gates(snapshot)
    assert snapshot.canary.window.error_ratio is None
    assert snapshot.legacy.window.error_ratio is None


@pytest.mark.parametrize("shape", USELESS)
async def test_series_that_stop_saying_anything_become_no_data(embedded: Embedded, shape: str):
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.break_method("ListTimeSeries", shape=shape)
    seen = await watching.after(15)
    assert all(go_on_is_founded(s, embedded.plan) for s in seen)
    assert seen[-1].decision.verdict == "no_data"


async def test_errors_that_a_partial_answer_lacks_are_no_data_and_never_green(embedded: Embedded):
    embedded.set_scenario("error-spike")
    embedded.advance(3600)
    whole = await Watching(embedded).observer.refresh()
    assert whole.decision.verdict == "rollback_all"
    embedded.break_method("ListTimeSeries", shape="partial")
    snapshot = await Watching(embedded).observer.refresh()
    assert snapshot.decision.verdict == "no_data"
    assert snapshot.canary.window.error_ratio is None
    assert promotion_gates(snapshot)
    view = source(snapshot, "Cloud Monitoring")
    assert view.state == "failing"
    assert "only in part" in view.message


@pytest.mark.parametrize("shape", ["nan", "duplicate"])
async def test_points_that_are_left_out_are_reported(embedded: Embedded, shape: str):
    embedded.break_method("ListTimeSeries", shape=shape)
    snapshot = await Watching(embedded).observer.refresh()
    view = source(snapshot, "Cloud Monitoring")
    assert view.state == "failing"
    assert "left out" in view.message


@pytest.mark.parametrize("shape", HARMLESS)
async def test_neither_order_nor_repetition_changes_a_number(embedded: Embedded, shape: str):
    right = await Watching(embedded).observer.refresh()
    embedded.break_method("ListTimeSeries", shape=shape)
    seen = await Watching(embedded).observer.refresh()
    assert seen.canary.window == right.canary.window
    assert seen.legacy.samples == right.legacy.samples
    assert seen.decision == right.decision


@pytest.mark.parametrize("shape", [*USELESS, *HARMLESS])
async def test_bad_shapes_pass_without_a_trace(embedded: Embedded, shape: str):
    watching = Watching(embedded)
    embedded.break_method("ListTimeSeries", shape=shape)
    await watching.after(3)
    embedded.world.faults.clear()
    snapshot = (await watching.after(2))[-1]
    right = await Watching(embedded).observer.refresh()
    assert snapshot.canary.window == right.canary.window
    assert source(snapshot, "Cloud Monitoring").state == "ok"


async def look_with_a_clock_off_by(cloud: Embedded, ahead_s: float) -> Snapshot:
    """What a host sees whose clock is ahead of the cloud's by so much (negative: behind)."""
    clock = SystemClock(wall=lambda: cloud.now + ahead_s)
    connection = Connection(cloud.endpoints, clock.hear)
    run, metrics = open_router(cloud.plan, connection), MonitoringReader(connection, cloud.plan)
    observer = Observer(cloud.plan, run, metrics, None, None, clock)
    try:
        await observer.refresh()
        return await observer.refresh()
    finally:
        await connection.close()


@pytest.mark.parametrize("ahead_s", [-86_400.0, -3600.0, -600.0, -60.0, 60.0, 600.0, 3600.0])
async def test_a_clock_that_is_off_changes_no_age_and_no_verdict(
    embedded: Embedded, ahead_s: float
):
    snapshot = await look_with_a_clock_off_by(embedded, ahead_s)
    right = await Watching(embedded).observer.refresh()
    assert snapshot.as_of == pytest.approx(embedded.now, abs=2.0)
    assert snapshot.data_age_s == pytest.approx(right.data_age_s, abs=2.0)
    assert snapshot.decision.verdict == "continue"


@pytest.mark.parametrize("ahead_s", [-600.0, 600.0])
async def test_on_a_clock_that_is_off_old_data_does_not_look_fresh(
    embedded: Embedded, ahead_s: float
):
    embedded.set_scenario("stale")
    snapshot = await look_with_a_clock_off_by(embedded, ahead_s)
    assert snapshot.decision.verdict == "no_data"


@pytest.mark.parametrize(("ahead_s", "said"), [(-600.0, "10 m behind"), (600.0, "ahead of")])
async def test_a_clock_that_is_off_is_said_once(embedded: Embedded, ahead_s: float, said: str):
    snapshot = await look_with_a_clock_off_by(embedded, ahead_s)
    lines = [text for text in texts(snapshot) if "clock" in text]
    assert len(lines) == 1
    assert said in lines[0]


async def test_a_clock_that_agrees_is_not_mentioned(embedded: Embedded):
    snapshot = await look_with_a_clock_off_by(embedded, 0.0)
    assert not [text for text in texts(snapshot) if "clock" in text]


def delete(cloud: Embedded, service: str) -> dict[str, Any]:
    """Somebody else deletes a service in the moment in which it is looked at."""
    cloud.break_method("GetService", deletes=service, times=1)
    return {}


async def test_a_router_service_that_is_gone_is_said_and_nothing_is_made_up(embedded: Embedded):
    watching = Watching(embedded)
    await watching.observer.refresh()
    delete(embedded, "ion-api")
    snapshot = (await watching.after(2))[-1]
    view = source(snapshot, "Cloud Run")
    assert view.state == "failing"
    assert "does not know it" in view.message
    assert view.answered_at is None or view.answered_at < embedded.now or "ion-api" in view.message


async def test_canary_deleted_underneath_takes_the_verdict_with_it(embedded: Embedded):
    watching = Watching(embedded)
    await watching.observer.refresh()
    delete(embedded, "ion-api-canary")
    seen = await watching.after(20)
    assert all(go_on_is_founded(s, embedded.plan) for s in seen)
    assert seen[-1].decision.verdict == "no_data"
    assert source(seen[-1], "Cloud Run").state == "failing"
    assert why_not("rollback_all", seen[-1], read_only=False) is None


async def test_canary_deleted_underneath_is_not_promoted(embedded: Embedded):
    watching = Watching(embedded)
    await watching.observer.refresh()
    delete(embedded, "ion-api-canary")
    for snapshot in await watching.after(3):
        assert why_not("promote", snapshot, read_only=False) is not None
