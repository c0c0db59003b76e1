"""What a recording gives back is what was shown: at any moment, with what was known by then."""

from random import Random

import msgspec
import pytest

from canary.rollout.errors import RecordError
from canary.rollout.measure.samples import Window
from canary.rollout.recording.frames import Frame
from canary.rollout.recording.player import Position, Recording
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import AbTestView, JobsView
from canary.store.recording import RecordingFile
from tests.rollout.build import NOW, PLAN
from tests.rollout.recording.shown import day, frame_of, minute, record

WEEK_S = 7 * 86_400.0


def read(recording: Recording, at: float) -> Snapshot:
    return recording.read(recording.find(at), WEEK_S).frame.snapshot


def test_every_frame_of_a_day_comes_back_in_any_order(is_long: bool) -> None:
    frames = day(1000 if is_long else 400)
    recording = Recording(record(frames))
    for frame in Random(3).sample(frames, 200 if is_long else 80):
        assert recording.read(recording.find(frame.snapshot.as_of), WEEK_S).frame == frame


def test_what_was_known_later_is_not_known_then() -> None:
    frames = day(120)
    recording = Recording(record(frames))
    for frame in frames[40:60]:
        then = read(recording, frame.snapshot.as_of)
        assert then.canary.samples == frame.snapshot.canary.samples
        assert then.canary.samples != frames[-1].snapshot.canary.samples[: len(then.canary.samples)]


def test_between_two_frames_the_earlier_one_is_shown() -> None:
    frames = day(30)
    recording = Recording(record(frames))
    assert read(recording, frames[7].snapshot.as_of + 59) == frames[7].snapshot
    assert read(recording, NOW - 99_999) == frames[0].snapshot
    assert read(recording, NOW + 1e9) == frames[-1].snapshot


def test_a_sample_that_was_taken_away_is_gone_from_then_on() -> None:
    rng = Random(5)
    samples = tuple(minute(NOW + 60 * n, rng) for n in range(9))
    first = frame_of(NOW + 700, 1.0, samples, samples)
    second = frame_of(NOW + 705, 6.0, samples, (*samples[:4], *samples[5:]))
    recording = Recording(record([first, second]))
    assert [read(recording, NOW + at) for at in (700, 705)] == [first.snapshot, second.snapshot]


def test_a_window_that_is_not_made_of_the_samples_is_kept_whole() -> None:
    frame = day(1)[0]
    odd = Window(NOW - 300, NOW, requests=7, error_ratio=0.5)
    canary = msgspec.structs.replace(frame.snapshot.canary, window=odd)
    shown = msgspec.structs.replace(frame.snapshot, canary=canary)
    assert read(Recording(record([frame._replace(snapshot=shown)])), NOW) == shown


def test_after_a_restart_the_past_is_not_written_again() -> None:
    frames = day(400)
    file = record(frames[:200])
    before = file.size()
    record(frames[200:201], file)
    assert file.size() - before < 20_000
    record(frames[201:], file)
    recording = Recording(file)
    for frame in (frames[199], frames[200], frames[399]):
        assert recording.read(recording.find(frame.snapshot.as_of), WEEK_S).frame == frame


def test_a_time_at_which_nobody_was_recording_is_said() -> None:
    frames = day(60)
    file = record(frames[:20])
    record([f._replace(seen_at=f.seen_at + 500) for f in frames[40:]], file)
    recording = Recording(file)
    gap = (frames[19].snapshot.as_of, frames[40].snapshot.as_of)
    assert gap in recording.gaps
    shown = recording.read(recording.find(frames[30].snapshot.as_of))
    assert (shown.frame.snapshot.as_of, shown.gap_until) == gap


def steadily(frames: list[Frame]) -> list[Frame]:
    """As seen by a host whose seconds are a twelfth of the cloud's: nobody slept."""
    return [frame._replace(seen_at=5.0 * index) for index, frame in enumerate(frames)]


def test_a_recording_without_a_pause_has_no_gap() -> None:
    assert Recording(record(steadily(day(300)))).gaps == ()


def test_where_the_clock_was_set_back_what_was_recorded_later_counts() -> None:
    frames = steadily(day(30))
    back = [
        f._replace(
            snapshot=msgspec.structs.replace(f.snapshot, scenario="after the step"),
            seen_at=200 + 5.0 * n,
        )
        for n, f in enumerate(frames[20:25])
    ]
    recording = Recording(record([*frames, *back]))
    assert read(recording, frames[22].snapshot.as_of).scenario == "after the step"
    assert read(recording, frames[19].snapshot.as_of).scenario == ""


def test_each_frame_has_the_plan_and_the_jobs_of_its_time() -> None:
    frames = day(6)
    other = msgspec.structs.replace(PLAN, console=msgspec.structs.replace(PLAN.console, bell=False))
    asked = JobsView(ab_test=AbTestView(running=True, trouble="slow"))
    changed = [*frames[:3], *(f._replace(plan=other, jobs=asked) for f in frames[3:])]
    recording = Recording(record(changed))
    read_back = [recording.read(recording.find(f.snapshot.as_of)).frame for f in frames]
    assert [f.plan.console.bell for f in read_back] == [True] * 3 + [False] * 3
    assert [f.jobs.ab_test.running for f in read_back] == [False] * 3 + [True] * 3


def test_steps_go_through_every_frame_once() -> None:
    frames = day(70)
    recording = Recording(record(frames))
    position, seen = recording.find(NOW), [NOW]
    while (following := recording.step(position, 1)) != position:
        position = following
        seen.append(recording.time_of(position))
    assert seen == [f.snapshot.as_of for f in frames]
    while (before := recording.step(position, -1)) != position:
        position = before
        seen.pop()
    assert (position, seen) == (Position(0, 0), [NOW])


def test_walking_gives_every_frame_in_order() -> None:
    frames = day(80)
    times = [s.frame.snapshot.as_of for s in Recording(record(frames)).walk()]
    assert times == [f.snapshot.as_of for f in frames]


def test_an_empty_recording_says_so() -> None:
    with pytest.raises(RecordError, match="Nothing is recorded"):
        Recording(RecordingFile(None))


def test_the_states_are_there_without_reading_a_frame() -> None:
    moments = Recording(record(day(40))).moments
    assert moments
    assert {m.percent for m in moments} == {10}
