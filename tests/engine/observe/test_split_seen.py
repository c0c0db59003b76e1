"""When the split was changed: the record's time, and of a drift the first time that it was seen.

Any tool may update the service afterwards – a label, an annotation – and that moves nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.cloud.connection.clock import ScaledClock
from canary.cloud.views import ServiceState
from canary.engine.observe.assemble import known_changes
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.position import find_drift, standing_of, view_stage
from canary.engine.observe.run_feed import RunFeed
from canary.engine.observe.source import Source
from canary.rollout.change.change import SetTraffic
from canary.rollout.change.moves import revert
from canary.rollout.change.stage_record import (
    StageRecord,
    decode_record,
    encode_record,
    soaked_hours,
)
from canary.rollout.change.timing import date_change
from canary.store.history import History
from tests.engine.observed import NOW, service
from tests.rollout.build import PLAN, record, request

HOUR = 3600.0


class Scene:
    """A service as somebody sets it, and the feed that reads it."""

    def __init__(self, history: History | None = None) -> None:
        self.state = service()
        self.clock = ScaledClock(NOW, 0.0, 0.0, lambda: 0.0)
        log = EventLog()
        self.feed = RunFeed(PLAN, self, self.clock, Source("Cloud Run", log), history)

    async def service(self, name: str) -> ServiceState:
        return self.state if name == self.state.name else service(name)

    async def at(self, now: float, **changes: Any) -> tuple[float, ...]:
        """The known changes of the split when the service was updated so."""
        self.clock.follow(now, 0.0)
        self.state = msgspec.structs.replace(self.state, **changes)
        await self.feed.read()
        return known_changes(self.feed.facts, (), self.feed.moved_at, now)


async def test_under_drift_a_label_written_each_minute_masks_nothing() -> None:
    scene = Scene()
    await scene.at(NOW)
    drifted = NOW + 60
    await scene.at(drifted, percent=15, updated_at=drifted, last_modifier="terraform")
    for minute in range(2, 40):
        now = NOW + 60 * minute
        changes = await scene.at(now, updated_at=now, last_modifier="label-writer")
        assert changes[-1] == drifted
    drift = find_drift(scene.feed.facts)
    assert drift is not None
    assert (drift.at, drift.by) == (drifted, "terraform")
    again = await scene.at(NOW + 3000, percent=20, updated_at=NOW + 3000)
    assert again[-1] == NOW + 3000


async def test_a_restart_under_drift_does_not_begin_it_anew(tmp_path: Path) -> None:
    """A tool that writes each minute would else mask the numbers anew with every restart."""
    with History(tmp_path / "history.db") as history:
        first = Scene(history)
        await first.at(NOW)
        drifted = NOW + 60
        await first.at(drifted, percent=15, updated_at=drifted, last_modifier="terraform")
        later = {"percent": 15, "updated_at": NOW + 1800, "last_modifier": "label-writer"}
        changes = await Scene(history).at(NOW + 1800, **later)
        assert changes[-1] == drifted
        # Of another record it says nothing, nor where the clock is another world's.
        other = record(2, change="c-later", entered_at=NOW + 900)
        assert (await Scene(history).at(NOW + 1800, record=other, **later))[-1] == NOW + 1800


async def test_a_drift_that_was_seen_later_than_now_is_of_another_world(tmp_path: Path) -> None:
    with History(tmp_path / "history.db") as history:
        first = Scene(history)
        await first.at(NOW + 9000, percent=15, updated_at=NOW + 9000)
        changes = await Scene(history).at(NOW + 60, percent=15, updated_at=NOW + 60)
        assert changes[-1] == NOW + 60


async def test_after_a_revert_its_own_time_counts_and_no_later_update() -> None:
    scene = Scene()
    written = msgspec.structs.replace(record(2), move="revert", moved_at=NOW - 300)
    changes = await scene.at(NOW, record=written, updated_at=NOW - 1)
    assert changes[-1] == NOW - 300


async def test_a_console_that_starts_later_knows_the_revert_by_its_own_time() -> None:
    written = msgspec.structs.replace(record(2), move="revert", moved_at=NOW - 300)
    first = await Scene().at(NOW, record=written, updated_at=NOW)
    assert await Scene().at(NOW + 540, record=written, updated_at=NOW + 540) == first


async def test_the_hours_at_the_drifted_share_are_no_soak() -> None:
    scene = Scene()
    entered_at = NOW - 10 * HOUR
    await scene.at(NOW, record=record(2, entered_at=entered_at), percent=10)
    await scene.at(NOW + HOUR, percent=15, updated_at=NOW + HOUR)
    now = NOW + 5 * HOUR
    scene.clock.follow(now, 0.0)
    assert view_stage(PLAN, scene.feed.facts, now).soaked_hours == pytest.approx(11)
    standing = standing_of(PLAN, scene.feed.facts)
    assert standing is not None
    change = date_change(revert(PLAN, standing, request(now=now)), now + HOUR)
    written = next(s.record for s in change.steps if isinstance(s, SetTraffic))
    assert written.entered_at == entered_at
    assert written.written_at == now + HOUR
    assert soaked_hours(written, now + 2 * HOUR) == pytest.approx(12)
    assert decode_record(encode_record(written)) == written


def test_a_record_without_lost_hours_is_written_as_it_always_was() -> None:
    assert "lost_s" not in encode_record(record(2))
    assert soaked_hours(StageRecord(2, 10, NOW - HOUR), NOW) == 1.0
