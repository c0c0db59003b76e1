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
from canary.rollout.trials.jobs import NOTHING_RUN, AbTestView, JobsView
from canary.store.paths import NOWHERE, recording_path
from canary.store.recording import RecordingFile
from tests.embedded import Embedded
from tests.engine.watching import Watching
from tests.rollout.build import PLAN
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


def test_a_plan_may_ask_for_no_recording(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(PLAN, recording=RecordingSettings(keep=False))
    recorder = Recorder(tmp_path, plan)
    recorder.take(day(1)[0].snapshot)
    recorder.close()
    record_once(tmp_path, plan, day(1)[0].snapshot, 1.0)
    assert not recording_path(tmp_path).exists()
