"""Frames of a rollout by hand, and their recording in memory."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import msgspec

from canary.rollout.measure.samples import Distribution, Responses, Sample
from canary.rollout.recording.frames import Frame, reduce_part
from canary.rollout.recording.player import Recording
from canary.rollout.recording.samples import Samples, newest_data_end
from canary.rollout.recording.writer import Numbers, Writer
from canary.rollout.snapshot.snapshot import Event
from canary.rollout.trials.jobs import NOTHING_RUN
from canary.store.recording import RecordingFile
from tests.rollout.build import NOW, PLAN, snapshot

BOUNDS = (100.0, 200.0, 400.0, 800.0, 1600.0)


def minute(end: float, rng: Random, bad: int = 0) -> Sample:
    """One minute of one side."""
    counts = tuple(rng.randrange(40) for _ in range(6))
    total = sum(counts)
    return Sample(
        end - 60,
        end,
        Responses(ok_2xx=total - bad, server_5xx=bad, refused=rng.randrange(2)),
        Distribution(BOUNDS, counts, total, 210.5, 1234.5),
        Distribution((0.5, 0.8), (1, 2, 3), 6, 0.81, 0.02),
        cpu=rng.random(),
        instances=2.0,
    )


def frame_of(
    at: float, seen_at: float, legacy: Samples, canary: Samples, **changes: object
) -> Frame:
    """What is shown at `at` of these samples."""
    shown = snapshot(as_of=at)
    sides = {}
    for name, samples in (("legacy", legacy), ("canary", canary)):
        newest = newest_data_end(samples)
        sides[name] = msgspec.structs.replace(
            getattr(shown, name),
            samples=samples,
            window=reduce_part(samples, at - 420, at - 120),
            criteria_window=reduce_part(samples, at - 3720, at - 120),
            data_age_s=None if newest is None else max(0.0, at - newest),
        )
    return Frame(
        msgspec.structs.replace(shown, as_of=at, **sides, **changes), NOTHING_RUN, PLAN, seen_at
    )


def day(frames: int, every_s: float = 60.0, seed: int = 1) -> list[Frame]:
    """Frames every so often; each minute arrives 90 s late and is mended once."""
    rng, shown = Random(seed), []
    legacy: list[Sample] = [minute(NOW - 60 * n, rng) for n in range(30, 2, -1)]
    canary = list(legacy[:-1])
    events: tuple[Event, ...] = ()
    for index in range(frames):
        at = NOW + index * every_s
        while legacy[-1].end + 150 <= at:
            legacy.append(minute(legacy[-1].end + 60, rng, rng.randrange(3)))
            canary.append(minute(legacy[-2].end, rng))
            canary[-2] = msgspec.structs.replace(canary[-2], memory=rng.random())
        if index % 7 == 3:
            events = (Event(at, "info", f"event {index}"), *events)[:12]
        frame = frame_of(at, at + 1000.25, tuple(legacy), tuple(canary), events=events)
        shown.append(frame)
    return shown


def record(frames: Iterable[Frame], file: RecordingFile | None = None) -> RecordingFile:
    """Keep the frames as the recorder does, a flush every tenth; in memory without a file."""
    file = file if file is not None else RecordingFile(None)
    infos = file.infos()
    samples = Recording(file).last_samples() if infos else ((), ())
    numbers = Numbers(file.all_values())
    writer = Writer(f"w{len(infos)}", numbers, infos[-1].number + 1 if infos else 1, samples)

    def flush(*, close: bool) -> None:
        used = list(numbers.used)
        written = writer.write(close=close)
        if written is not None:
            file.keep(written, numbers.new, used)
            numbers.new.clear()

    for index, frame in enumerate(frames):
        if writer.ends_before(frame):
            flush(close=True)
        writer.add(frame)
        if index % 10 == 0:
            flush(close=False)
    flush(close=True)
    return file
