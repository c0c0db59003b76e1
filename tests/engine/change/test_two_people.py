"""Two people at two consoles: one wins, the other is told; looking never writes."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from canary.cloud.router.choice import open_router
from canary.rollout.change.history_entries import read_history
from canary.rollout.permit.permit import why_not
from canary.simulator.world.faults import FaultTable
from canary.store.journal import Journal
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router
from tests.engine.carried import ask, carry, router_service
from tests.engine.watching import Watching

ROUTERS = [DEFAULT_PLAN, with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")]


async def promote_from(cloud: Embedded, path: Path, name: str):
    """What one of two people does, with a journal of their own."""
    with Journal(path / f"{name}.db") as journal:
        return await carry(cloud, journal, await ask(cloud, "promote", name))


@pytest.mark.parametrize("plan", ROUTERS, ids=["env", "revisions"])
async def test_of_two_promotions_at_once_one_wins(embed: Embed, tmp_path: Path, plan):
    async with embed(plan) as cloud:
        before = await router_service(cloud)
        changes = {name: await ask(cloud, "promote", name) for name in ("ann", "bob")}

        async def go(name: str):
            with Journal(tmp_path / f"{name}.db") as journal:
                return await carry(cloud, journal, changes[name])

        outcomes = dict(zip(changes, await asyncio.gather(*map(go, changes)), strict=True))
        after = await router_service(cloud)
        states = sorted(o.state for o in outcomes.values())
        assert states == ["done", "refused"]
        assert (after.percent, after.generation) == (25, before.generation + 1)
        assert outcomes[after.record.change].state == "done"


async def test_the_loser_is_told_who_did_what_when(embedded: Embedded, tmp_path: Path):
    mine = await ask(embedded, "promote", "mine", reason="")
    theirs = await ask(embedded, "step_back", "theirs", reason="errors rise")
    with Journal(tmp_path / "theirs.db") as journal:
        await carry(embedded, journal, theirs)
    with Journal(tmp_path / "mine.db") as journal:
        outcome = await carry(embedded, journal, mine)
    assert outcome.state == "refused"
    assert "oncall@bastion rolled back one stage 10 % → 5 % at " in outcome.message
    assert "Z: errors rise" in outcome.message
    assert outcome.message.count("rolled back one stage") == 1


async def test_somebody_past_the_console_is_told_as_cloud_run_tells(
    embedded: Embedded, tmp_path: Path
):
    mine = await ask(embedded, "promote", "mine")
    embedded.set_scenario("conflict")
    with Journal(tmp_path / "mine.db") as journal:
        outcome = await carry(embedded, journal, mine)
    after = await router_service(embedded)
    assert outcome.state == "refused"
    assert f"{after.last_modifier} changed it at " in outcome.message


async def test_every_change_adds_to_the_history_on_the_service(embedded: Embedded, tmp_path: Path):
    with Journal(tmp_path / "journal.db") as journal:
        await carry(embedded, journal, await ask(embedded, "promote", "first"))
        await carry(embedded, journal, await ask(embedded, "step_back", "second", reason="why"))
        before = await router_service(embedded)
        await carry(embedded, journal, await ask(embedded, "scale", "third"))
    after = await router_service(embedded)
    assert [(d.change, d.from_percent, d.percent) for d in after.history] == [
        ("second", 25, 10),
        ("first", 10, 25),
    ]
    assert after.history[0].why == "why"
    assert before.history == after.history


async def test_record_split_and_history_are_one_update(embedded: Embedded, tmp_path: Path):
    before = await router_service(embedded)
    with Journal(tmp_path / "journal.db") as journal:
        await carry(embedded, journal, await ask(embedded, "promote"))
    after = await router_service(embedded)
    assert after.generation == before.generation + 1
    assert after.record.change == after.history[0].change == "c1"


async def test_a_history_that_somebody_spoiled_hinders_nothing(embedded: Embedded, tmp_path: Path):
    message = await embedded.run.run.message("ion-api")
    step = (await ask(embedded, "promote")).steps[0]
    spoiled = {"canary-console/history": "not json"}
    writer = open_router(embedded.plan, embedded.connection)
    await writer.annotate(message, spoiled, step, validate_only=False)
    embedded.advance(60.0)
    with Journal(tmp_path / "journal.db") as journal:
        assert (await carry(embedded, journal, await ask(embedded, "promote"))).state == "done"
    assert [d.change for d in (await router_service(embedded)).history] == ["c1"]
    assert read_history("not json") == ()


@contextlib.contextmanager
def counted(cloud: Embedded, monkeypatch: pytest.MonkeyPatch):
    """The methods that are called on the cloud, in order."""
    calls: list[str] = []
    take = FaultTable.take

    def note(table: FaultTable, method: str):
        calls.append(method.rpartition("/")[2])
        return take(table, method)

    with monkeypatch.context() as patch:
        patch.setattr(FaultTable, "take", note)
        yield calls


async def test_opening_and_watching_never_writes_to_the_cloud(
    embedded: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = await router_service(embedded)
    with counted(embedded, monkeypatch) as calls:
        watching = Watching(embedded, tmp_path)
        await watching.after(minutes=10)
        await watching.backfill()
        for kind in ("promote", "rollback_all", "adopt"):
            why_not(kind, await watching.observer.refresh(), read_only=False)
        watching.close()
    assert "GetService" in calls
    reading = {name for name in calls if name.startswith(("Get", "List", "TestIam"))}
    assert set(calls) == reading
    assert (await router_service(embedded)).etag == before.etag


@pytest.mark.parametrize("kind", ["adopt", "revert"])
async def test_drift_is_told_with_author_and_time_and_can_be_resolved(
    embedded: Embedded, tmp_path: Path, kind: str
):
    embedded.set_scenario("conflict")
    embedded.advance(600.0)
    embedded.set_scenario("healthy")
    watching = Watching(embedded, tmp_path)
    snapshot = await watching.observer.refresh()
    drift = snapshot.traffic.drift
    assert drift is not None
    state = await router_service(embedded)
    assert (drift.by, drift.at) == (state.last_modifier, state.updated_at)
    assert "changed elsewhere" in (why_not("promote", snapshot, read_only=False) or "")
    shares = {s.percent for s in embedded.plan.stages}
    if kind == "revert" or drift.actual_percent in shares:
        outcome = await carry(embedded, watching.journal, await ask(embedded, kind))
        assert outcome.state == "done"
        assert (await watching.observer.refresh()).traffic.drift is None
    watching.close()
