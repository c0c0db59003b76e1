"""Rollback readiness, watched against the embedded cloud: an alarm before it is needed."""

import os
from pathlib import Path

import msgspec
import pytest

from canary.engine.observe.readiness import (
    RIGHTS_EVERY_S,
    ReadinessFeed,
    expected_s,
    needed_instances,
)
from canary.rollout.change.change import Outcome, SetScale
from canary.rollout.change.moves import rollback_all
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.entries import Entry, Note
from canary.store.journal import Journal
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router
from tests.engine.carried import ask, carry
from tests.engine.change.test_two_people import counted
from tests.engine.watching import Watching, texts
from tests.hands import deploy, set_traffic
from tests.rollout.build import PLAN, request, standing, window

ROUTERS = [DEFAULT_PLAN, with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")]


class Way:
    """An observer that watches rollback readiness."""

    def __init__(self, cloud: Embedded, directory: Path) -> None:
        self.cloud = cloud
        readiness = ReadinessFeed(cloud.plan, cloud.run.run, cloud.clock)
        self.watching = Watching(cloud, directory, readiness=readiness)

    async def look(self, minutes: float = 1.0) -> Snapshot:
        self.cloud.advance(minutes * 60)
        await self.watching.observer.read_readiness()
        return await self.watching.observer.refresh()

    def state(self, snapshot: Snapshot, check: str) -> str:
        assert snapshot.readiness is not None
        return next(c.state for c in snapshot.readiness.checks if c.id == check)


@pytest.fixture
def way(embedded: Embedded, tmp_path: Path):
    made = Way(embedded, tmp_path)
    yield made
    made.watching.close()


@pytest.mark.parametrize("plan", ROUTERS, ids=["env", "revisions"])
async def test_a_healthy_rollout_can_go_back(embed: Embed, tmp_path: Path, plan):
    async with embed(plan) as cloud:
        way = Way(cloud, tmp_path)
        snapshot = await way.look(5)
        assert snapshot.readiness.state == "ok", snapshot.readiness.reasons
        assert not any("ALARM" in text for text in texts(snapshot))
        way.watching.close()


async def test_what_was_not_asked_is_not_taken_for_good(embedded: Embedded, tmp_path: Path):
    watching = Watching(embedded, tmp_path)
    snapshot = await watching.observer.refresh()
    assert snapshot.readiness.state == "degraded"
    assert any("right to change" in reason for reason in snapshot.readiness.reasons)
    watching.close()


async def test_before_cloud_run_answers_nothing_is_said(embedded: Embedded, tmp_path: Path):
    embedded.break_method("*", code="UNAVAILABLE")
    watching = Watching(embedded, tmp_path)
    assert (await watching.observer.refresh()).readiness is None
    watching.close()


async def test_a_right_that_is_taken_away_is_an_alarm(way: Way):
    await way.look(5)
    way.cloud.set_scenario("denied")
    snapshot = await way.look(RIGHTS_EVERY_S / 60 + 1)
    assert snapshot.readiness.state == "impossible"
    assert way.state(snapshot, "rights") == "impossible"
    assert any(t.startswith("ALARM: roll back all is NOT possible") for t in texts(snapshot))
    way.cloud.set_scenario("healthy")
    snapshot = await way.look(RIGHTS_EVERY_S / 60 + 1)
    assert snapshot.readiness.state == "ok"
    assert "roll back all is possible again" in texts(snapshot)


async def test_a_disk_that_has_filled_up_is_an_alarm_before_anything_is_asked_for(
    way: Way, monkeypatch: pytest.MonkeyPatch
):
    assert way.state(await way.look(5), "journal") == "ok"
    real = os.statvfs
    full = lambda path: os.statvfs_result((*real(path)[:3], 0, 0, *real(path)[5:]))  # noqa: E731
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, "statvfs", full)
        way.watching.observer.read_journal()
        snapshot = await way.look()
    assert way.state(snapshot, "journal") == "impossible"
    assert any("the disk is full" in reason for reason in snapshot.readiness.reasons)
    way.watching.observer.read_journal()
    assert way.state(await way.look(), "journal") == "ok"


async def test_while_cloud_run_is_away_it_is_first_a_drawback_and_then_an_alarm(way: Way):
    await way.look(5)
    way.cloud.break_method("GetService", code="UNAVAILABLE")
    snapshot = await way.look(0.5)
    assert way.state(snapshot, "cloud") == "degraded"
    snapshot = await way.look(2)
    assert snapshot.readiness.state == "impossible"
    assert "a confirmed rollback waits" in snapshot.readiness.reasons[0]
    assert way.state(snapshot, "fresh") == "degraded"


async def test_a_legacy_that_is_deleted_underneath_is_an_alarm(way: Way):
    await way.look(5)
    way.cloud.break_method("GetService", code="NOT_FOUND")
    snapshot = await way.look()
    assert "ion-api does not exist" in snapshot.readiness.reasons[0] or any(
        "does not exist" in reason for reason in snapshot.readiness.reasons
    )
    assert snapshot.readiness.state == "impossible"


async def test_a_template_that_does_not_come_up_is_a_drawback_since_a_rollback_serves(
    way: Way, tmp_path: Path
):
    await way.look(5)
    serving = (await way.cloud.run.service("ion-api")).serving
    way.cloud.set_scenario("failing-operation")
    with Journal(tmp_path / "other.db") as journal:
        assert (await carry(way.cloud, journal, await ask(way.cloud, "promote"))).state == "failed"
        snapshot = await way.look()
        assert way.state(snapshot, "target") == "degraded"
        assert snapshot.readiness is not None
        assert any(f"built on {serving}, which serves" in r for r in snapshot.readiness.reasons)
        way.cloud.set_scenario("healthy")
        back = await carry(way.cloud, journal, await ask(way.cloud, "rollback_all", "c2"))
    assert back.state == "done", back
    assert (await way.cloud.run.service("ion-api")).served_percent == 0


async def test_a_pinned_revision_is_what_goes_back(way: Way):
    pinned = (await way.cloud.run.service("ion-api")).serving
    await set_traffic(way.cloud, (pinned, 100, ""))
    way.cloud.set_scenario("failing-operation")
    await deploy(way.cloud)
    snapshot = await way.look(5)
    assert way.state(snapshot, "target") == "degraded"
    assert snapshot.readiness is not None
    assert any(f"built on {pinned}, which serves" in r for r in snapshot.readiness.reasons)


async def test_a_revision_made_since_the_list_was_told_is_no_alarm(way: Way, tmp_path: Path):
    await way.look(5)
    with Journal(tmp_path / "other.db") as journal:
        assert (await carry(way.cloud, journal, await ask(way.cloud, "step_back"))).state == "done"
    snapshot = await way.watching.observer.refresh()
    assert way.state(snapshot, "target") == "degraded"
    assert not any("ALARM" in text for text in texts(snapshot))


async def test_a_legacy_in_backup_is_scaled_up_first(way: Way):
    await way.cloud.writer.send(SetScale("ion-api", None, ScalePreset(0, 1)))
    snapshot = await way.look(5)
    said = next(c.said for c in snapshot.readiness.checks if c.id == "instances")
    assert "scaled up from 1 first" in said


async def test_too_few_instances_for_everything_is_a_drawback(way: Way):
    await way.cloud.writer.send(SetScale("ion-api", None, ScalePreset(1, 2)))
    snapshot = await way.look(5)
    needed = needed_instances(snapshot.legacy.window, snapshot.canary.window)
    expected = "degraded" if needed is not None and needed > 2 else "ok"
    assert way.state(snapshot, "instances") == expected


async def test_watching_costs_little_and_never_writes(way: Way, monkeypatch: pytest.MonkeyPatch):
    with counted(way.cloud, monkeypatch) as calls:
        for _ in range(10):
            await way.look(1)
    assert calls.count("TestIamPermissions") <= 3
    assert calls.count("ListRevisions") <= 11
    assert calls.count("UpdateService") == 0


async def test_how_long_it_takes_is_learned_from_the_journal(way: Way):
    snapshot = await way.look(5)
    assert snapshot.readiness.expected_s is None
    await carry(way.cloud, way.watching.journal, await ask(way.cloud, "promote", "p"))
    way.cloud.advance(60)
    await carry(way.cloud, way.watching.journal, await ask(way.cloud, "step_back", "b"))
    snapshot = await way.look()
    back = way.watching.journal.entry("b")
    assert snapshot.readiness.expected_s == expected_s([back])
    assert 1.0 <= snapshot.readiness.expected_s <= 60.0


@pytest.mark.parametrize(
    ("legacy", "canary", "expected"),
    [
        ((900, 2.0), (100, 1.0), 2.0 * 1000 / 900),
        ((0, 0.0), (1000, 4.0), 4.0),
        ((None, None), (1000, 4.0), 4.0),
        ((None, None), (None, None), None),
        ((900, None), (100, None), None),
    ],
)
def test_how_many_instances_everything_takes(legacy, canary, expected):
    sides = [window(requests=r, instances_active=i) for r, i in (legacy, canary)]
    found = needed_instances(*sides)
    assert found == (pytest.approx(expected) if expected is not None else None)


async def test_a_retired_legacy_is_no_alarm(way: Way):
    from canary.engine.observe.readiness import is_retired

    await way.look(5)
    facts = way.watching.observer._run.facts
    record = msgspec.structs.replace(
        facts.router.record, enabled=False, production_service="ion-api-canary"
    )
    router = msgspec.structs.replace(facts.router, record=record)
    gone = msgspec.structs.replace(facts, router=router, missing=frozenset({"ion-api"}))
    assert is_retired(way.cloud.plan, gone)
    assert not is_retired(way.cloud.plan, facts)


@pytest.mark.parametrize("break_off", ["waiting", "resumed"])
def test_what_it_waited_is_not_what_it_takes(break_off):
    change = rollback_all(PLAN, standing(), request())
    states = (("sent", 0.0), (break_off, 900.0), ("sent", 1000.0), ("settled", 1012.0))
    notes = tuple(Note(0, state, "", at) for state, at in states)
    entry = Entry(1, change, notes, Outcome("done", "", 1012.0), True, 0.0, "")
    assert expected_s([entry]) == 12.0
