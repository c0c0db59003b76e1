"""The list's reading on a thread of its own, over real gRPC."""

from __future__ import annotations

import asyncio
import queue

import pytest

from canary.engine.fleet import watch
from canary.engine.fleet.member import Named
from canary.engine.fleet.watch import FleetWatch
from canary.rollout.fleet.rows import FleetReading, FleetRow
from tests.embedded import DEFAULT_PLAN, Embed

pytestmark = pytest.mark.usefixtures("state_dir")

BROKEN = FleetRow("broken", "", trouble="no stages", plan="broken.toml")


class Heard:
    """What a list was told."""

    def __init__(self) -> None:
        self.readings = queue.Queue[FleetReading]()
        self.troubles = queue.Queue[str]()

    async def next_reading(self) -> FleetReading:
        return await asyncio.to_thread(self.readings.get, timeout=20)


async def test_who_listens_later_is_told_at_once_what_was_read(embed: Embed) -> None:
    async with embed(DEFAULT_PLAN) as cloud:
        found = FleetWatch([Named(cloud.plan, "canary.toml")], {}, cloud.plan, (BROKEN,))
        first, later = Heard(), Heard()
        found.listen(first.readings.put, first.troubles.put)
        found.start()
        reading = await first.next_reading()
        assert [row.plan for row in reading.rows] == ["broken.toml", "canary.toml"]
        found.listen(later.readings.put, later.troubles.put)
        assert later.readings.get_nowait() == reading
        await asyncio.to_thread(found.stop)
        assert not found._thread.is_alive()


async def test_it_reads_when_somebody_asks_and_goes_on_after_a_fault(
    embed: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LEAST_S", 0.0)
    async with embed(DEFAULT_PLAN) as cloud:
        found = FleetWatch([Named(cloud.plan, "canary.toml")], {}, cloud.plan)
        heard = Heard()
        found.listen(heard.readings.put, heard.troubles.put)
        found.start()
        await heard.next_reading()

        async def fails(*_: object) -> None:
            raise RuntimeError("nobody foresaw this")

        with monkeypatch.context() as patched:
            patched.setattr(FleetWatch, "_read", fails)
            found.refresh_now()
            said = await asyncio.to_thread(heard.troubles.get, timeout=20)
            assert said == "The list cannot be read: RuntimeError"
            late = Heard()
            found.listen(late.readings.put, late.troubles.put)
            assert late.readings.qsize() == 1
            assert late.troubles.get_nowait() == said
        found.refresh_now()
        await late.next_reading()
        await late.next_reading()
        assert found.trouble == ""
        await asyncio.to_thread(found.stop)
