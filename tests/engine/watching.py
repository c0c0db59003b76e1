"""An observer on the embedded cloud, through the real adapters; time moves by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canary.cloud.monitoring.reader import MonitoringReader
from canary.cloud.views import Reading
from canary.engine.observe.observer import Observer
from canary.engine.observe.readiness import away_for_s
from canary.rollout.decision.readiness import AWAY_S
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.history import History
from canary.store.journal import Journal
from tests.embedded import Embedded


class CountingReader:
    """The real reader; it only notes what was asked."""

    def __init__(self, reader: MonitoringReader) -> None:
        self._reader = reader
        self.asked: list[tuple[float, float, int]] = []

    async def read(self, start: float, end: float, period_s: int = 60) -> Reading:
        self.asked.append((start, end, period_s))
        return await self._reader.read(start, end, period_s)

    async def ingest_delay_s(self) -> float | None:
        return await self._reader.ingest_delay_s()


class Watching:
    """An observer and the cloud that it looks at."""

    def __init__(self, cloud: Embedded, directory: Path | None = None, **options: Any) -> None:
        self.cloud = cloud
        self.reader = CountingReader(cloud.monitoring)
        self.journal = Journal(directory / "journal.db") if directory else None
        self.history = History(directory / "history.db") if directory else None
        self.observer = Observer(
            cloud.plan,
            cloud.run,
            self.reader,
            self.history,
            self.journal,
            cloud.clock,
            **options,
        )

    async def after(self, minutes: float, every: float = 1.0) -> list[Snapshot]:
        """Let time pass, looking every so many minutes; all snapshots, oldest first."""
        seen = []
        passed = 0.0
        while passed < minutes:
            self.cloud.advance(every * 60)
            passed += every
            seen.append(await self.observer.refresh())
        return seen

    async def backfill(self) -> list[bool]:
        return [found async for found in self.observer.backfill()]

    def close(self) -> None:
        for file in (self.journal, self.history):
            if file is not None:
                file.close()


def go_on_is_founded(snapshot: Snapshot, plan: Any) -> bool:
    """Whether "go on" rests on enough, fresh data from after the last change of the split."""
    if snapshot.decision.verdict != "continue":
        return True
    window, record = snapshot.canary.window, snapshot.traffic.record
    assert window.newest_at is not None
    assert window.requests is not None
    fresh = snapshot.as_of - window.newest_at <= plan.metrics.stale_after_s
    enough = window.requests >= plan.metrics.min_requests
    unmasked = record is None or window.start >= record.entered_at
    known = away_for_s(snapshot.sources, snapshot.as_of, snapshot.speed) <= AWAY_S
    return fresh and enough and unmasked and known and snapshot.canary.data == "ok"


def texts(snapshot: Snapshot) -> list[str]:
    """The lines of the event log, newest first."""
    return [e.text for e in snapshot.events]


def source(snapshot: Snapshot, name: str) -> Any:
    """One source of a snapshot."""
    return next(s for s in snapshot.sources if s.name == name)
