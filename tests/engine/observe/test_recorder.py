"""The recorder beside an observer: what was shown is there again, and nothing is disturbed."""

from __future__ import annotations

from pathlib import Path
from random import Random

import msgspec
import pytest

from canary.engine.observe.recorder import TRY_AGAIN_S, Recorder, RecordingBook, record_once
from canary.rollout.plan.tables import RecordingSettings
from canary.rollout.recording.frames import Frame
from canary.rollout.recording.player import Recording
from canary.rollout.snapshot.snapshot import Event
from canary.rollout.trials.jobs import NOTHING_RUN, AbTestView, JobsView
from canary.store.paths import NOWHERE, recording_path
from canary.store.recording import RecordingFile
from tests.embedded import Embedded
from tests.engine.watching import Watching
from tests.rollout.build import NOW, PLAN
from tests.rollout.recording.shown import day

WEEK_S = 7 * 86_400.0


async def test_an_incident_comes_back_frame_by_frame(embedded: Embedded, tmp_path: Path) -> None:
    """Late samples, a backfill, alarms, a restart of whoever records: all as it was shown then."""
    watching = Watching(embedded)
    await watching.observer.refresh()
    frames: list[Frame] = []
    for number, scenario in enumerate(("healthy", "error-spike", "monitoring-outage", "healthy")):
        embedded.set_scenario(scenario)
        book = RecordingBook(tmp_path, embedded.plan)
        assert book.open()
        for snapshot in await watching.after(12, every=1.5):
            seen_at = 1e9 + 5 * len(frames)
            frames.append(Frame(snapshot, NOTHING_RUN, embedded.plan, seen_at))
            book.take(frames[-1])
        if number == 0:
            await watching.backfill()
        book.flush(close=True)
        book.close()
    with RecordingFile(recording_path(tmp_path), read_only=True) as file:
        recording = Recording(file)
        for frame in Random(1).sample(frames, len(frames)):
            assert recording.read(recording.find(frame.snapshot.as_of), WEEK_S).frame == frame
        assert {m.state for m in recording.moments} > {"roll_back_all"}


def kept(directory: Path) -> int:
    """How many frames are kept."""
    with RecordingFile(recording_path(directory), read_only=True) as file:
        return sum(info.frames for info in file.infos())


def test_what_was_taken_is_there_after_the_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, PLAN)
    recorder.take_jobs(JobsView(ab_test=AbTestView(running=True)))
    for frame in day(5):
        recorder.take(frame.snapshot)
    recorder.close()
    assert kept(tmp_path) == 5
    with RecordingFile(recording_path(tmp_path), read_only=True) as file:
        recording = Recording(file)
        assert recording.read(recording.find(recording.end)).frame.jobs.ab_test.running


def test_of_two_that_observe_one_records_and_the_other_follows_it(tmp_path: Path) -> None:
    first, second = RecordingBook(tmp_path, PLAN), RecordingBook(tmp_path, PLAN)
    assert first.open()
    assert not second.open()
    first.close()
    assert second.open()
    second.close()


def test_who_looks_only_now_and_then_does_not_keep_others_from_recording(tmp_path: Path) -> None:
    first, second = day(2)
    record_once(tmp_path, PLAN, first.snapshot, 1.0)
    book = RecordingBook(tmp_path, PLAN)
    assert book.open()
    record_once(tmp_path, PLAN, second.snapshot, 2.0)
    book.close()
    assert kept(tmp_path) == 1


@pytest.mark.parametrize("trouble", ["nowhere", "no recording"])
def test_where_nothing_can_be_kept_that_is_said_once_and_nothing_fails(
    tmp_path: Path, trouble: str
) -> None:
    directory = NOWHERE if trouble == "nowhere" else tmp_path
    if directory is tmp_path:
        recording_path(tmp_path).write_bytes(b"something else" * 1000)
    said: list[str] = []
    now = iter(range(0, 10_000, int(TRY_AGAIN_S) + 1))
    recorder = Recorder(directory, PLAN, said.append, steady=lambda: float(next(now)))
    for frame in day(9):
        recorder.take(frame.snapshot)
    recorder.close()
    assert len(said) == 1
    assert said[0].startswith("Nothing is recorded for the replay: ")


def keep(book: RecordingBook, frames: list[Frame]) -> None:
    """Record them, as the recorder does."""
    for frame in frames:
        book.take(frame)
        book.flush()
        book.prune(frame.seen_at)


def test_who_comes_back_after_weeks_names_what_was_kept_before_and_finds_it(tmp_path: Path) -> None:
    """The old segments go with the first look; what the new one names of them must not."""
    book = RecordingBook(tmp_path, PLAN)
    assert book.open()
    before = day(12)
    keep(book, before)
    book.flush(close=True)
    book.close()
    assert book.open()
    after = [
        frame._replace(
            snapshot=msgspec.structs.replace(
                frame.snapshot, as_of=frame.snapshot.as_of + 2 * WEEK_S, events=event_of(before)
            ),
            seen_at=frame.seen_at + 2 * WEEK_S,
        )
        for frame in before
    ]
    keep(book, after)
    book.flush(close=True)
    book.close()
    with RecordingFile(recording_path(tmp_path), read_only=True) as file:
        recording = Recording(file)
        assert recording.begin == after[0].snapshot.as_of
        shown = recording.read(recording.find(recording.end), WEEK_S).frame
        assert shown.snapshot.events == event_of(before)


def event_of(frames: list[Frame]) -> tuple[Event, ...]:
    """What the last of them shows of the event log."""
    assert frames[-1].snapshot.events
    return frames[-1].snapshot.events


def test_what_is_dropped_from_the_file_is_forgotten_in_memory(tmp_path: Path) -> None:
    book = RecordingBook(tmp_path, PLAN)
    assert book.open()
    sizes = []
    for week in range(3):
        frames = [f._replace(seen_at=f.seen_at + week * 2 * WEEK_S) for f in day(70, seed=week)]
        for index, frame in enumerate(frames):
            event = Event(NOW, "info", f"{week} {index}")
            snapshot = msgspec.structs.replace(frame.snapshot, events=(event,))
            frames[index] = frame._replace(snapshot=snapshot)
        keep(book, frames)
        sizes.append(len(book._numbers))
    book.close()
    assert sizes[0] > 70
    assert sizes[2] <= sizes[0] + 70 / 2


def test_a_plan_may_ask_for_no_recording(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(PLAN, recording=RecordingSettings(keep=False))
    recorder = Recorder(tmp_path, plan)
    recorder.take(day(1)[0].snapshot)
    recorder.close()
    record_once(tmp_path, plan, day(1)[0].snapshot, 1.0)
    assert not recording_path(tmp_path).exists()
