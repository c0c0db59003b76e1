"""A rollout on the embedded cloud, recorded as a console records it; time moves by hand."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from canary.engine.change.execute import carry_out
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_feed import EvidenceFeed
from canary.engine.observe.readiness import ReadinessFeed
from canary.engine.observe.recorder import RecordingBook
from canary.rollout.change import moves
from canary.rollout.change.change import Author, Outcome, Request
from canary.rollout.recording.file import write_bundle
from canary.rollout.recording.frames import Frame
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import NOTHING_RUN
from canary.store.paths import recording_path
from canary.store.recording import RecordingFile
from tests.embedded import DEFAULT_PLAN, Embedded, embed
from tests.engine.watching import Watching

AUTHOR = Author("oncall", "bastion-2")
EVERY_MINUTES = 2.0


class Recorded:
    """An observer whose every snapshot is recorded in `directory`; `frames` are what was shown.

    For the recording's host a frame comes every 5 s: nobody was away.
    """

    def __init__(self, cloud: Embedded, directory: Path, **options: Any) -> None:
        self.cloud = cloud
        self.watching = Watching(cloud, directory, **options)
        self.book = RecordingBook(directory, cloud.plan)
        self.frames: list[Frame] = []
        assert self.book.open()

    async def begin(self) -> None:
        """The first look, and the past filled."""
        self.keep(await self.watching.observer.refresh())
        await self.watching.backfill()

    def keep(self, snapshot: Snapshot) -> None:
        snapshot = msgspec.structs.replace(snapshot, speed=60.0)  # a clock moved by hand stands
        frame = Frame(snapshot, NOTHING_RUN, self.cloud.plan, 1e9 + 5 * len(self.frames))
        self.frames.append(frame)
        self.book.take(frame)

    async def after(self, minutes: float, every: float = EVERY_MINUTES) -> None:
        """Let time pass, showing a frame every so often."""
        for snapshot in await self.watching.after(minutes, every):
            self.keep(snapshot)
            await self.watching.observer.read_readiness()

    async def move(self, kind: str, change_id: str, reason: str = "", *more: str) -> Outcome:
        """Make a change as an executor does, and show how it ended."""
        snapshot, journal = self.frames[-1].snapshot, self.watching.journal
        assert snapshot.standing is not None
        assert journal is not None
        request = Request(change_id, AUTHOR, self.cloud.now, reason=reason)
        change = getattr(moves, kind)(self.cloud.plan, snapshot.standing, request, *more)
        journal.intend(change)

        async def pass_time(seconds: float) -> None:
            self.cloud.advance(max(1.0, seconds))

        outcome = await carry_out(
            change,
            self.cloud.writer,
            self.cloud.run,
            journal,
            self.cloud.clock,
            plan=self.cloud.plan,
            sleep=pass_time,
        )
        self.keep(await self.watching.observer.refresh())
        return outcome

    def close(self) -> None:
        """Write what is open, and give everything back."""
        self.book.flush(close=True)
        self.book.close()
        self.watching.close()


async def record_incident(cloud: Embedded, directory: Path, **options: Any) -> Recorded:
    """Two hours: a promotion, half an hour later errors, everybody off Canary, calm."""
    it = Recorded(cloud, directory, **options)
    await it.begin()
    await it.after(30)
    await it.move("promote", "c-1", "gates were met")
    await it.after(30)
    cloud.set_scenario("error-spike")
    await it.after(12)
    await it.move("rollback_all", "c-2", "errors")
    cloud.set_scenario("monitoring-outage")
    await it.after(16)
    cloud.set_scenario("healthy")
    await it.after(30)
    it.close()
    return it


async def make_example() -> bytes:
    """The recording that ships in docs: an incident of two hours."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        async with embed() as cloud:
            events = EventLog()
            await record_incident(
                cloud,
                directory,
                log=events,
                comparison=EvidenceFeed(cloud.plan, None, cloud.clock, events, None),
                readiness=ReadinessFeed(cloud.plan, cloud.run.run, cloud.clock),
            )
        with RecordingFile(recording_path(directory), read_only=True) as file:
            return write_bundle(file, DEFAULT_PLAN.name, 0.0, 1e11)


if __name__ == "__main__":  # python -m tests.engine.recorded docs/example.recording
    Path(sys.argv[1]).write_bytes(asyncio.run(make_example()))
