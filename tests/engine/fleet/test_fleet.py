"""Many rollouts of an embedded cloud, read together over real gRPC."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.monitoring import shared
from canary.cloud.monitoring.shared import LONGEST_FILTER, MOST_FILTERS, build_filters
from canary.engine.fleet.fleet import Fleet, open_fleet
from canary.engine.fleet.member import Named, kept_s_of
from canary.engine.observe.metrics_feed import PRUNE_EVERY_S
from canary.rollout.fleet.rows import FleetRow
from canary.rollout.plan.plan import Plan, Thresholds
from tests.embedded import DEFAULT_PLAN, Embed, Embedded

pytestmark = pytest.mark.usefixtures("state_dir")


def member(plan: Plan, number: int) -> Plan:
    target = plan.target
    legacy = f"{target.legacy}-{number:03d}"
    router = msgspec.structs.replace(target.router, service=legacy)
    named = msgspec.structs.replace(target, legacy=legacy, canary=f"{legacy}-canary", router=router)
    return msgspec.structs.replace(plan, target=named)


@contextlib.asynccontextmanager
async def crowd(
    embed: Embed, rollouts: int, plans: int = 0, *, seek: bool = True, **config: Any
) -> AsyncIterator[tuple[Embedded, Fleet]]:
    async with embed(DEFAULT_PLAN, rollouts=rollouts, **config) as cloud:
        # Half an hour on, so that those with a scenario show it.
        cloud.advance(1800)
        own = [Named(cloud.plan, "canary.toml")] if plans else []
        named = own + [Named(member(cloud.plan, n), f"{n}.toml") for n in range(1, plans)]
        project = cloud.plan.target.project
        sought = {project: "-"} if seek else {}
        async with open_fleet(named, sought, cloud.plan) as fleet:
            yield cloud, fleet


def by_name(rows: tuple[FleetRow, ...]) -> dict[str, FleetRow]:
    return {row.name: row for row in rows}


async def test_what_carries_a_record_is_found_and_may_only_be_looked_at(embed: Embed) -> None:
    async with crowd(embed, 4) as (_, fleet):
        rows = by_name(await fleet.refresh())
        assert set(rows) == {"ion-api-canary", *(f"ion-api-{n:03d}-canary" for n in (1, 2, 3))}
        assert all(row.looks_only for row in rows.values())
        # Number 3 has an error spike at 50 %.
        assert rows["ion-api-003-canary"].word == "ROLL BACK ALL"
        assert rows["ion-api-003-canary"].percent == 50
        spiked = rows["ion-api-003-canary"].canary.error_ratio
        assert spiked is not None
        assert spiked > 0.05
        assert rows["ion-api-001-canary"].stage == 2


async def test_a_list_that_stays_open_keeps_what_is_judged_and_no_more(embed: Embed) -> None:
    """A week of samples takes 40 MB, and there may be hundreds of rollouts."""
    async with crowd(embed, 1) as (cloud, fleet):
        for _ in range(20):
            cloud.advance(840)
            await fleet.refresh()
        ((member,),) = (project._members.values() for project in fleet._projects)
        kept = member.observer.judge().legacy.samples
        assert len(kept) >= member.named.plan.metrics.criteria_window_minutes
        assert kept[-1].end - kept[0].start <= kept_s_of(member.named.plan) + PRUNE_EVERY_S + 840


async def test_the_worst_is_first(embed: Embed) -> None:
    async with crowd(embed, 4) as (_, fleet):
        rows = await fleet.refresh()
        assert rows[0].name == "ion-api-003-canary"


async def test_a_plan_makes_its_rollout_one_of_ours(embed: Embed) -> None:
    async with crowd(embed, 3, plans=2) as (_, fleet):
        rows = by_name(await fleet.refresh())
        ours = {name: row.plan for name, row in rows.items() if not row.looks_only}
        assert ours == {"ion-api-canary": "canary.toml", "ion-api-001-canary": "1.toml"}


async def test_another_plan_of_the_same_rollout_hides_none(embed: Embed) -> None:
    """As in a directory of many people's plans, where one of them gives it no limits."""
    async with embed(DEFAULT_PLAN, scenario="error-spike") as cloud:
        cloud.advance(1800)
        none = Thresholds()
        limits = msgspec.structs.replace(cloud.plan.alerts, critical=none, warning=none)
        theirs = msgspec.structs.replace(cloud.plan, alerts=limits)
        plans = [Named(cloud.plan, "a/canary.toml"), Named(theirs, "b/canary.toml")]
        async with open_fleet(plans, {}, cloud.plan) as fleet:
            rows = await fleet.refresh()
    assert {row.plan: row.word == "ROLL BACK ALL" for row in rows} == {
        "a/canary.toml": True,
        "b/canary.toml": False,
    }


async def test_a_plan_of_others_neither_hides_nor_judges_what_is_found(embed: Embed) -> None:
    """The first of a directory, which gives its limits to what no plan names."""
    async with embed(DEFAULT_PLAN, scenario="error-spike") as cloud:
        cloud.advance(1800)
        none = Thresholds()
        limits = msgspec.structs.replace(cloud.plan.alerts, critical=none, warning=none)
        theirs = Named(msgspec.structs.replace(cloud.plan, alerts=limits), "a/canary.toml", False)
        seek = {cloud.plan.target.project: "-"}
        for plans in ([theirs], [theirs, Named(member(cloud.plan, 1), "b/canary.toml")]):
            async with open_fleet(plans, seek, cloud.plan) as fleet:
                rows = await fleet.refresh()
            words = {row.plan: row.word for row in rows if row.name == "ion-api-canary"}
            assert words[""] == "ROLL BACK ALL", words
            assert words["a/canary.toml"] != "ROLL BACK ALL"


async def test_all_of_a_project_take_one_listing_and_three_queries(embed: Embed) -> None:
    async with crowd(embed, 8, plans=8, seek=False) as (cloud, fleet):
        await fleet.refresh()
        cloud.advance(60)
        before = dict(cloud.world.calls)
        await fleet.refresh()
        made = {name: n - before.get(name, 0) for name, n in cloud.world.calls.items()}
        assert {name: n for name, n in made.items() if n} == {
            "ListServices": 1,
            "ListTimeSeries": 3,
        }


async def test_a_row_says_what_a_console_would(embed: Embed) -> None:
    async with crowd(embed, 2, plans=1, seek=False) as (cloud, fleet):
        [row] = await fleet.refresh()
        theirs = await cloud.monitoring.read(cloud.now - 1200, cloud.now)
        newest = theirs.canary[-1].end
        window = [s for s in theirs.canary if s.end > newest - 300]
        counts = [s.responses for s in window if s.responses is not None]
        failed = sum(c.failed for c in counts) / sum(c.total for c in counts)
        assert row.canary.error_ratio == pytest.approx(failed)


async def test_the_score_is_read_for_all_so_that_its_gate_is_judged(embed: Embed) -> None:
    async with crowd(embed, 3, plans=3, seek=False) as (_, fleet):
        for row in await fleet.refresh():
            assert row.state is not None
            assert "confidence no data" not in f"{row.state.cause} {row.state.next}"


async def test_a_project_that_denies_is_one_marked_row(embed: Embed) -> None:
    async with crowd(embed, 2) as (cloud, fleet):
        cloud.break_method("*ListServices", code="PERMISSION_DENIED", times=99)
        [row] = await fleet.refresh()
        assert row.state is None
        assert row.trouble
        assert row.percent is None


async def test_metrics_that_are_away_leave_shares_and_make_nothing_green(embed: Embed) -> None:
    async with crowd(embed, 3) as (cloud, fleet):
        cloud.break_method("*ListTimeSeries", code="UNAVAILABLE", times=99)
        rows = await fleet.refresh()
        assert {row.word for row in rows} <= {"SILENT", "OFF"}
        assert by_name(rows)["ion-api-001-canary"].percent == 10


async def test_a_project_that_comes_back_is_read_again(embed: Embed) -> None:
    async with crowd(embed, 2) as (cloud, fleet):
        cloud.break_method("*ListServices", code="UNAVAILABLE", times=9)
        assert {row.state for row in await fleet.refresh()} == {None}
        cloud.world.faults.clear(None)
        assert all(row.state is not None for row in await fleet.refresh())


@given(st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,48}", fullmatch=True), max_size=400))
def test_every_service_is_named_once_in_filters_that_are_not_too_long(names: list[str]) -> None:
    filters = build_filters("run.googleapis.com/request_count", [("r", name) for name in names])
    assert len(filters) <= MOST_FILTERS
    assert all(len(text) <= LONGEST_FILTER for text in filters)
    named = [name for text in filters for name in re.findall(r'"([^"]*)"', text)[2:]]
    if "one_of(" in filters[0]:
        assert named == list(dict.fromkeys(names))
    else:
        assert (named, len(filters)) == ([], 1)


def test_few_services_take_one_filter_some_take_several_and_very_many_take_all() -> None:
    def of(count: int) -> list[str]:
        return build_filters(
            "m", [("us-central1", f"service-{n:04d}-canary") for n in range(count)]
        )

    assert [len(of(count)) for count in (1, 60, 150, 400)] == [1, 1, 2, 1]
    assert "one_of(" in of(150)[1]
    assert "one_of(" not in of(400)[0]


async def test_what_is_asked_for_in_several_filters_is_put_together(
    embed: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with crowd(embed, 6, plans=6, seek=False) as (cloud, fleet):
        whole = await fleet.refresh()
        monkeypatch.setattr(shared, "LONGEST_FILTER", 240)
        before = cloud.world.calls["ListTimeSeries"]
        rows = await fleet.refresh()
        assert cloud.world.calls["ListTimeSeries"] - before == 7  # 3 and 3, and the score
    assert [row.canary for row in rows] == [row.canary for row in whole]
    assert all(row.canary.p95_ms is not None for row in rows if row.word != "OFF")
