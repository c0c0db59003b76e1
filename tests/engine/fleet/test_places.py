"""Regions, projects and sources of a list: what is away, comes, ends, and is read elsewhere."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import msgspec
import pytest

from canary.engine.fleet.fleet import open_fleet
from canary.engine.fleet.member import Named
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_feed import EvidenceFeed
from canary.rollout.change.annotations import annotation_key
from canary.rollout.change.change import Author, Change, Guard, Outcome, Request, Standing
from canary.rollout.change.hold import Hold, encode_hold
from canary.rollout.change.moves import step_back
from canary.rollout.fleet.order import tell_apart
from canary.rollout.fleet.rows import FleetRow
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import OperatorSession
from canary.simulator.wire import messages
from canary.store.evidence import EvidenceRecord
from canary.store.journal import Journal
from canary.store.paths import evidence_path, find_state_dir, journal_path
from canary.store.presence import OperatorSessionHolder
from tests.embedded import DEFAULT_PLAN, Embed, Embedded
from tests.engine.comparing import minute
from tests.engine.fleet.test_fleet import by_name, crowd, member

pytestmark = pytest.mark.usefixtures("state_dir")

ELSEWHERE = "europe-west1"


def make_change(plan: Plan) -> Change:
    standing = Standing(stage=2, percent=10, guard=Guard("ion-api", "e1", 10))
    return step_back(plan, standing, Request("c1", Author("oncall", "bastion"), 1000.0))


def everywhere(cloud: Embedded) -> dict[str, str]:
    return {cloud.plan.target.project: "-"}


def copy_to(cloud: Embedded, region: str) -> list[Any]:
    """The services of the first region once more, as they would be in another one."""
    target = cloud.plan.target
    parent = f"projects/{target.project}/locations/{target.region}"
    copies = []
    for one in cloud.apis.run.list_services(messages.ListServicesRequest(parent=parent)).services:
        copy = type(one)()
        copy.CopyFrom(one)
        copy.name = one.name.replace(target.region, region)
        copies.append(copy)
    return copies


async def test_a_region_that_is_away_is_a_row_and_the_rest_goes_on(embed: Embed) -> None:
    async with crowd(embed, 3, crowd_regions=("us-central1", ELSEWHERE)) as (cloud, fleet):
        project = cloud.plan.target.project
        assert by_name(await fleet.refresh())["ion-api-001-canary"].region == ELSEWHERE
        cloud.apis.run.away.append(f"projects/{project}/locations/{ELSEWHERE}")
        rows = by_name(await fleet.refresh())
        assert rows[f"(region {ELSEWHERE})"].state is None
        # What was known of it is not thought to have ended, nor is it shown as it was.
        assert rows["ion-api-001-canary"].word == "CANNOT SEE CLOUD RUN"
        assert rows["ion-api-002-canary"].word == "HEALTHY"
        cloud.apis.run.away.clear()
        rows = by_name(await fleet.refresh())
        assert f"(region {ELSEWHERE})" not in rows
        assert rows["ion-api-001-canary"].percent == 10


async def test_a_listing_that_says_it_is_not_whole_makes_a_row_of_it(embed: Embed) -> None:
    async with crowd(embed, 2) as (cloud, fleet):
        cloud.break_method("*ListServices", shape="unreachable", times=1)
        rows = by_name(await fleet.refresh())
        assert rows["(region -)"].trouble
        assert rows["ion-api-canary"].state is not None


async def test_services_of_one_name_in_two_regions_are_two_rows(embed: Embed) -> None:
    async with embed(DEFAULT_PLAN) as cloud:
        cloud.advance(1800)
        cloud.apis.run.abroad += copy_to(cloud, ELSEWHERE)
        plans = [Named(cloud.plan, "canary.toml")]
        async with open_fleet(plans, everywhere(cloud), cloud.plan) as fleet:
            rows = {row.region: row for row in await fleet.refresh()}
    assert set(rows) == {"us-central1", ELSEWHERE}
    assert rows["us-central1"].canary.p95_ms is not None
    # The other's numbers are its own: there are none.
    assert rows[ELSEWHERE].canary.p95_ms is None
    assert rows[ELSEWHERE].word == "SILENT"
    assert sorted(tell_apart(rows.values()).values()) == [
        "ion-api-canary @europe-west1",
        "ion-api-canary @us-central1",
    ]


async def test_a_rollout_that_no_plan_names_goes_with_its_service(embed: Embed) -> None:
    async with embed(DEFAULT_PLAN) as cloud:
        cloud.apis.run.abroad += copy_to(cloud, ELSEWHERE)
        plans = [Named(cloud.plan, "canary.toml")]
        async with open_fleet(plans, everywhere(cloud), cloud.plan) as fleet:
            assert len(await fleet.refresh()) == 2
            cloud.apis.run.abroad.clear()
            assert [row.plan for row in await fleet.refresh()] == ["canary.toml"]


async def test_a_rollout_of_a_plan_stays_when_its_service_is_gone(embed: Embed) -> None:
    async with crowd(embed, 1, plans=3, seek=False) as (_, fleet):
        rows = by_name(await fleet.refresh())
        assert rows["ion-api-002-canary"].word == "CANNOT SEE CLOUD RUN"
        assert rows["ion-api-canary"].word != "CANNOT SEE CLOUD RUN"


async def test_a_plan_with_a_prometheus_is_read_from_it_alone(embed: Embed) -> None:
    def of_prometheus(plan: Plan) -> Plan:
        # Nobody listens there.
        metrics = msgspec.structs.replace(
            plan.metrics, source="prometheus", url="http://127.0.0.1:9"
        )
        return msgspec.structs.replace(plan, metrics=metrics)

    async with embed(DEFAULT_PLAN, rollouts=2) as cloud:
        cloud.advance(1800)
        plans = [
            Named(of_prometheus(cloud.plan), "prometheus.toml"),
            Named(member(cloud.plan, 1), "monitoring.toml"),
        ]
        async with open_fleet(plans) as fleet:
            rows = by_name(await fleet.refresh())
    assert rows["ion-api-canary"].word == "SILENT"
    assert rows["ion-api-canary"].state is not None
    assert "Prometheus" in rows["ion-api-canary"].state.cause
    assert rows["ion-api-canary"].canary.p95_ms is None
    assert rows["ion-api-001-canary"].canary.p95_ms is not None


async def test_what_is_found_beside_a_plan_with_a_prometheus_is_read_from_the_cloud(
    embed: Embed,
) -> None:
    """The labels of a plan's sides are of its own rollout."""
    async with embed(DEFAULT_PLAN, rollouts=2) as cloud:
        cloud.advance(1800)
        metrics = msgspec.structs.replace(
            cloud.plan.metrics, source="prometheus", url="http://127.0.0.1:9"
        )
        like = msgspec.structs.replace(cloud.plan, metrics=metrics)
        async with open_fleet([], everywhere(cloud), like) as fleet:
            rows = by_name(await fleet.refresh())
    assert all(row.canary.p95_ms is not None for row in rows.values())


async def test_who_is_there_and_what_is_held_is_in_the_row(embed: Embed) -> None:
    async with embed(DEFAULT_PLAN) as cloud:
        cloud.advance(1800)
        plan = cloud.plan
        parent = f"projects/{plan.target.project}/locations/{plan.target.region}"
        service = cloud.apis.run.get_service(
            messages.GetServiceRequest(name=f"{parent}/services/{plan.router_service}")
        )
        service.annotations[annotation_key(plan.record.annotation, "hold")] = encode_hold(
            Hold(None, "the database moves", "eve", "bastion-2", cloud.now, "c")
        )
        cloud.apis.run.update_service(messages.UpdateServiceRequest(service=service))
        cloud.advance(60)
        session = OperatorSession(1, "bob", "bastion-2", time.time(), armed=True)
        holder = OperatorSessionHolder(find_state_dir(plan)[0], session)
        try:
            async with open_fleet([Named(plan, "canary.toml")]) as fleet:
                [row] = await fleet.refresh()
        finally:
            holder.release()
    assert row.word == "HELD"
    assert row.hold == "held by eve@bastion-2 until released because the database moves"
    assert (row.others, row.guards) == (("bob",), ("bob",))


async def test_what_could_not_be_read_at_first_is_read_whole_later(embed: Embed) -> None:
    """The gates judge an hour: a list that has read a quarter of it only must not say READY."""
    async with crowd(embed, 2, plans=1, seek=False, soaked_hours=25.0) as (cloud, fleet):
        cloud.break_method("*ListTimeSeries", code="UNAVAILABLE", times=99)
        assert [row.word for row in await fleet.refresh()] == ["SILENT"]
        cloud.world.faults.clear(None)
        cloud.advance(60)
        [row] = await fleet.refresh()
        [member_] = fleet._projects[0]._members.values()
        legacy, canary = member_.observer._samples
        assert row.word == "READY"
        assert min(len(legacy), len(canary)) >= 60
        cloud.break_method("*ListTimeSeries", code="UNAVAILABLE", times=99)
        for _ in range(3):
            cloud.advance(600)
            await fleet.refresh()
        cloud.world.faults.clear(None)
        await fleet.refresh()
        _, canary = member_.observer._samples
        ends = [sample.end for sample in canary]
        assert max(b - a for a, b in itertools.pairwise(ends)) == 60.0


async def test_the_first_change_of_this_host_is_seen_by_a_list_that_was_open_before(
    embed: Embed,
) -> None:
    async with crowd(embed, 1, plans=1, seek=False) as (cloud, fleet):
        [row] = await fleet.refresh()
        assert row.word == "HEALTHY"
        change = make_change(cloud.plan)
        directory = find_state_dir(cloud.plan)[0]
        directory.mkdir(parents=True, exist_ok=True)
        with Journal(journal_path(directory)) as journal:
            journal.intend(change)
            journal.settle(change.id, Outcome("failed", "Cloud Run said no", cloud.now))
        [row] = await fleet.refresh()
    assert row.word == "FAILED"
    assert row.canary.p95_ms is not None


async def test_what_a_console_of_this_host_has_proven_is_in_the_row(embed: Embed) -> None:
    """The list compares nothing itself; it must not be green beside a console that is red."""
    async with crowd(embed, 1, plans=1, seek=False, soaked_hours=25.0) as (cloud, fleet):
        assert [row.word for row in await fleet.refresh()] == ["READY"]
        began = cloud.now - 25.5 * 3600
        directory = find_state_dir(cloud.plan)[0]
        directory.mkdir(parents=True, exist_ok=True)
        with EvidenceRecord(evidence_path(directory)) as record:
            feed = EvidenceFeed(cloud.plan, None, cloud.clock, EventLog(), record)
            feed.follow_split(began, 10, ())
            starts = [began // 60 * 60 + 60 * n for n in range(1, 30)]
            legacy = tuple(minute(at, 5700, 28) for at in starts)
            feed.take_samples(legacy, tuple(minute(at, 300, 15) for at in starts))
            assert feed.view(5).verdict == "rollback"
        [row] = await fleet.refresh()
        assert (row.word, row.waits_for_person) == ("PROVEN WORSE", True)
        [listed] = fleet._projects[0]._members.values()
        comparison = listed.observer.comparison
        assert comparison is not None
        comparison.follow_split(cloud.now, 25, ())  # a change of the split withdraws it
        assert comparison.view(5).verdict != "rollback"
        for each in directory.glob("evidence.db*"):
            each.unlink()
        [row] = await fleet.refresh()
        assert row.word == "READY"


async def test_a_project_that_hangs_holds_up_no_other(
    embed: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = msgspec.structs.replace(DEFAULT_PLAN.target, project="slow-team")
    async with (
        embed(DEFAULT_PLAN) as cloud,
        embed(msgspec.structs.replace(DEFAULT_PLAN, target=slow)) as other,
    ):
        cloud.advance(1800)
        other.advance(1800)
        plans = [Named(cloud.plan, "ours.toml"), Named(other.plan, "theirs.toml")]
        async with open_fleet(plans) as fleet:
            hanging, answers = fleet._projects[1], asyncio.Event()
            read = hanging.rows

            async def hang() -> list[FleetRow]:
                await answers.wait()
                return await read()

            monkeypatch.setattr(hanging, "rows", hang)
            seen: list[dict[str, str]] = []

            def show(rows: tuple[FleetRow, ...]) -> None:
                seen.append({row.name: row.word for row in rows})
                answers.set()

            rows = await fleet.refresh(show)
    assert seen == [{"ion-api-canary": "HEALTHY", "(project slow-team)": "CANNOT SEE"}]
    assert [row.word for row in rows] == ["HEALTHY", "HEALTHY"]
