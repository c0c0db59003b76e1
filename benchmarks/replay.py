"""`python -m benchmarks.replay`: a recorded week; its size, and a seek to the drawn frame.

A frame a minute for seven days, of the example that ships in docs with the week's samples; then 200
seeks to random moments, read alone and drawn on the real screen at 160×48. Beside them: a scan of
the whole file by SQLite, and asciinema (where it is installed), whose player cannot seek
(`asciinema play --help`, 2.4): to be at a moment, all of its file before it is read.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.local import ROOT
from benchmarks.week import MINUTES, make_sample, resident_mb
from canary.cli.recordings import read_recording
from canary.rollout.recording.frames import Frame, reduce_part
from canary.rollout.recording.player import Recording
from canary.rollout.recording.writer import Numbers, Writer
from canary.store.recording import RecordingFile
from tui.app import GARBAGE_AFTER, CanaryApp
from tui.engine_port import Past

SEEKS = 200
SIZE = (160, 48)


def frames(count: int) -> Iterator[Frame]:
    """So many minutes, each with its new samples; the host looked every five seconds."""
    recording, _ = read_recording(str(ROOT / "docs" / "example.recording"))
    shown = [each.frame for each in recording.walk()]
    rng, begin = random.Random(7), 1_795_000_000.0 // 60 * 60
    legacy, canary = [], []
    for n in range(count):
        at = begin + 60 * n
        legacy.append(make_sample(rng, at - 120, 2400))
        canary.append(make_sample(rng, at - 120, 260))
        base = shown[n % len(shown)]
        sides = {}
        for name, samples in (("legacy", tuple(legacy)), ("canary", tuple(canary))):
            sides[name] = msgspec.structs.replace(
                getattr(base.snapshot, name),
                samples=samples,
                window=reduce_part(samples, at - 420, at - 120),
                criteria_window=reduce_part(samples, at - 3720, at - 120),
                data_age_s=120.0,
            )
        snapshot = msgspec.structs.replace(base.snapshot, as_of=at + rng.random(), **sides)
        yield base._replace(snapshot=snapshot, seen_at=1e9 + 5 * n)


def fill(path: Path, count: int) -> float:
    """Record them; seconds of the processor for one frame."""
    spent = 0.0
    with RecordingFile(path) as file:
        numbers = Numbers()
        writer = Writer("week", numbers)
        for frame in frames(count):
            began = time.process_time()
            if writer.ends_before(frame):
                keep(file, writer, numbers)
            writer.add(frame)
            spent += time.process_time() - began
        keep(file, writer, numbers)
    return spent / count


def keep(file: RecordingFile, writer: Writer, numbers: Numbers) -> None:
    """Close the open segment."""
    used = list(numbers.used)
    written = writer.write(close=True)
    if written is not None:
        file.keep(written, numbers.new, used)
        numbers.new.clear()


def times_of(recording: Recording) -> list[float]:
    """Random moments, the same each time."""
    rng = random.Random(3)
    return [rng.uniform(recording.begin, recording.end) for _ in range(SEEKS)]


async def draw_each(recording: Recording) -> tuple[list[float], list[float]]:
    """Seconds from the wish to the drawn frame, for each moment: the wall's, the processor's."""
    plan = recording.read(recording.find(recording.end), 0.0).frame.plan
    app = CanaryApp(plan, lambda: None, past=Past(lambda: recording, is_alone=True))  # type: ignore[arg-type,return-value]
    gc.set_threshold(GARBAGE_AFTER, 10, 10)  # as `tui.app.run` has it
    took, spent = [], []
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(1.0)
        gc.freeze()
        mode = app.commands.replay
        assert mode is not None
        for at in times_of(recording):
            began, used = time.perf_counter(), time.process_time()
            mode.seek(at)
            await pilot.pause(0)
            took.append(time.perf_counter() - began)
            spent.append(time.process_time() - used)
    return took, spent


def said(took: list[float]) -> str:
    """The median and the longest."""
    return f"{statistics.median(took) * 1000:.0f} ms, longest {max(took) * 1000:.0f} ms"


BYTES_A_SECOND = 140
"""What the console sends at 160×48 with the clock at ×1 (benchmarks.budgets)."""


def write_cast(path: Path, minutes: int) -> None:
    """A terminal recording of as many minutes, an event each, of what the console sends."""
    text = "x" * (BYTES_A_SECOND * 60 - 12) + "\x1b[12;40H"
    with path.open("w") as file:
        file.write('{"version": 2, "width": 160, "height": 48}\n')
        for minute in range(minutes):
            file.write(json.dumps([60.0 * minute, "o", text]) + "\n")


def read_by_asciinema(directory: Path, minutes: int) -> str:
    """How long its reader takes for all of it, and how large the file is."""
    if shutil.which("asciinema") is None:
        return "not installed"
    path = directory / "week.cast"
    write_cast(path, minutes)
    began = time.perf_counter()
    subprocess.run(["asciinema", "cat", str(path)], stdout=subprocess.DEVNULL, check=True)
    took_ms = (time.perf_counter() - began) * 1000
    return f"{took_ms:.0f} ms for all of it, no seek; {path.stat().st_size / 1e6:.0f} MB"


def measure(count: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "recording.db"
        each_s = fill(path, count)
        size_mb = path.stat().st_size / 1e6
        print(f"{count} frames of {count / 1440:.1f} days: {size_mb:.1f} MB (budget 20)")
        print(f"processor for one frame: {each_s * 1000:.1f} ms")
        before = resident_mb()
        began = time.perf_counter()
        with RecordingFile(path, read_only=True) as file:
            recording = Recording(file)
            print(f"opened in {(time.perf_counter() - began) * 1000:.0f} ms")
            read = []
            for at in times_of(recording):
                began = time.perf_counter()
                recording.read(recording.find(at))
                read.append(time.perf_counter() - began)
            print(f"seek, read alone: {said(read)}")
            drawn, spent = asyncio.run(draw_each(recording))
            print(f"seek, to the drawn frame: {said(drawn)} (budget 150)")
            print(f"  of it the processor: {said(spent)}")
            print(f"memory: {resident_mb() - before:.0f} MB more, the screen's own among it")
        began = time.perf_counter()
        with sqlite3.connect(path) as db:
            db.execute("SELECT sum(length(body)) FROM segments WHERE body > x'00'").fetchall()
        scanned_ms = (time.perf_counter() - began) * 1000
        print(f"beside it, SQLite scanning all segments: {scanned_ms:.0f} ms")
        print(f"asciinema on a cast of the same time: {read_by_asciinema(Path(name), count)}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=MINUTES, help="of the recorded week")
    os.environ.setdefault("TERM", "xterm-256color")
    measure(parser.parse_args().minutes)


if __name__ == "__main__":
    main()
