"""A fleet as it is at night, over the real protocols: one project denies, one region is away, ten
rollouts are stale, two need a person.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from canary.engine.fleet.fleet import open_fleet
from canary.engine.fleet.member import Named
from canary.rollout.fleet.rows import FleetReading, FleetRow
from canary.rollout.fleet.words import summary_line
from canary.rollout.plan.plan import Console, Plan
from tests.embedded import DEFAULT_PLAN, Embed
from tests.engine.fleet.test_fleet import member
from tests.tui.test_fleet import Rows, frame
from tui.fleet import FleetApp, ListPlace

pytestmark = pytest.mark.usefixtures("state_dir")

STALE = (1, 2, 4, 6, 7, 8, 9, 10, 12, 13)
"""Those that are not off."""
SPIKED = 3
ROLLOUTS = 17


def moved(plan: Plan, **target: str) -> Plan:
    return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, **target))


@contextlib.asynccontextmanager
async def mixed(embed: Embed) -> AsyncIterator[FleetReading]:
    crowd = {**{str(number): "stale" for number in STALE}, str(SPIKED): "error-spike"}
    async with (
        embed(DEFAULT_PLAN, rollouts=ROLLOUTS, crowd=crowd, soaked_hours=25.0) as ours,
        embed(moved(DEFAULT_PLAN, project="other-team")) as other,
    ):
        ours.advance(1800)
        other.break_method("*ListServices", code="PERMISSION_DENIED", times=99)
        ours.apis.run.away.append(f"projects/{ours.plan.target.project}/locations/asia-east1")
        plans = [
            Named(ours.plan, "main/canary.toml"),
            Named(member(ours.plan, SPIKED), "spiked/canary.toml"),
            Named(moved(ours.plan, region="asia-east1"), "asia/canary.toml"),
            Named(other.plan, "other/canary.toml"),
        ]
        async with open_fleet(plans, {ours.plan.target.project: "-"}, ours.plan) as fleet:
            yield FleetReading(await fleet.refresh(), fleet.now, 0.0)


def in_order(rows: tuple[FleetRow, ...]) -> list[str]:
    return [f"{row.word}: {row.name}" for row in rows]


async def seen_at(size: tuple[int, int], reading: FleetReading, group: str = "") -> list[str]:
    rows = Rows(reading.rows)
    app = FleetApp(rows, Console(), ListPlace(group=group), monotonic=lambda: 0.0)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        return frame(app).splitlines()


async def test_a_mixed_fleet_reads_right_at_every_size(embed: Embed) -> None:
    async with mixed(embed) as reading:
        pass
    rows = in_order(reading.rows)
    assert rows[:2] == ["ROLL BACK ALL: ion-api-003-canary", "READY: ion-api-canary"]
    unknown = [row for row in rows if row.split(":")[0] in ("STALE", "CANNOT SEE CLOUD RUN")]
    assert rows[3:15] == unknown  # after the region of which nothing is known at all
    assert sum(row.startswith("STALE") for row in rows) == len(STALE)
    assert summary_line(reading.rows).startswith("✗ 2 of 20 need you: ion-api-003-canary")
    for size in ((80, 24), (120, 40), (200, 60)):
        lines = await seen_at(size, reading)
        # Who needs somebody, and why, is the first that is read.
        assert "2 of 20 need you: ion-api-003-canary ROLL BACK ALL: error ratio" in lines[0]
        assert "1 to act on, 1 waiting for a person, 13 unknown" in lines[1]
        assert "YOU: roll back all" in lines[3]
        assert "50 %" in lines[3]
        assert "READY" in lines[4]
        assert "YOU: promote to 25 %" in lines[4]
        assert sum("? STALE" in line for line in lines) == len(STALE)
        assert any("(region asia-east1)" in line and "does not reach" in line for line in lines)
        [denied] = [line for line in lines if "ther-team" in line]
        assert "CANNOT SEE" in denied
        assert "Cloud Run refused" in denied
        assert not any("✓ HEALTHY" in line for line in lines[:18])
    by_project = await seen_at((80, 24), reading, "project")
    heads = [line.strip() for line in by_project if line.startswith(" project ")]
    assert heads[0].startswith("project naeda-genesis  1 to act on, 1 waiting for a person, 12")
