"""The recorder: what is shown goes into the recording, on a thread of its own.

Whoever observes hands its snapshots in; of all that observe one rollout on a host, one records: who
holds the lock. The observing loop only puts into a queue, and neither a full disk nor a slow one
holds it up: what cannot be kept for a minute is given up.
"""

from __future__ import annotations

import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.recording.frames import Frame
from canary.rollout.recording.player import Recording
from canary.rollout.recording.writer import Numbers, Writer
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from canary.store.locks import SingleLock
from canary.store.paths import recording_path
from canary.store.recording import RecordingFile, recording_lock

log = logging.getLogger(__name__)

FLUSH_S: Final = 20.0
"""Real seconds between two writes: so much, and no more, is lost with the process."""

TRY_AGAIN_S: Final = 15.0
PRUNE_EVERY_S: Final = 3_600.0
MOST_WAITING: Final = 400
"""Frames in the queue; a recorder that is so far behind leaves frames out."""
DAY_S: Final = 86_400.0
MB: Final = 1_000_000


class RecordingBook:
    """The recording's writer: the file, the lock, the open segment. For one thread alone.

    `take` and `flush` raise RecordError when the file cannot be used; nothing is left open then.
    """

    def __init__(self, directory: Path, plan: Plan) -> None:
        self._directory = directory
        self._settings = plan.recording
        self._lock: SingleLock | None = None
        self._file: RecordingFile | None = None
        self._numbers = Numbers()
        self._writer: Writer | None = None
        self._pruned_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether it is this process that records."""
        return self._writer is not None

    def open(self) -> bool:
        """Begin to record, if nobody does. Raises RecordError."""
        lock = recording_lock(self._directory)
        if not lock.acquire():
            return False
        self._lock = lock
        try:
            self._file = file = RecordingFile(recording_path(self._directory))
            self._numbers = Numbers(file.all_values())
            infos = file.infos()
            samples = Recording(file).last_samples() if infos else ((), ())
            number = infos[-1].number + 1 if infos else 1
            name = f"{os.getpid()}-{secrets.token_hex(4)}"
            self._writer = Writer(name, self._numbers, number, samples)
        except RecordError:
            self.close()
            raise
        return True

    def take(self, frame: Frame) -> None:
        """Add a frame; closes the segment before it where one is full."""
        if self._writer is None:
            return
        if self._writer.ends_before(frame):
            self.flush(close=True)
        self._writer.add(frame)

    def flush(self, *, close: bool = False) -> None:
        """Write what there is."""
        if self._writer is None or self._file is None:
            return
        used = list(self._numbers.used)
        written = self._writer.write(close=close)
        if written is not None:
            self._file.keep(written, self._numbers.new, used)
            self._numbers.new.clear()

    def prune(self, now: float) -> None:
        """Drop what is too old by the plan, or too much; once an hour. `now`: the host's clock."""
        if self._file is not None and now - self._pruned_at >= PRUNE_EVERY_S:
            self._pruned_at = now
            settings, numbers = self._settings, self._numbers
            oldest = now - settings.days * DAY_S
            self._file.prune(oldest, int(settings.most_mb * MB), numbers.used)
            numbers.forget_all_but(self._file.value_numbers())
            self._file.shrink()

    def close(self) -> None:
        """Give the file and the lock back; what was not flushed is lost."""
        if self._file is not None:
            self._file.close()
        if self._lock is not None:
            self._lock.release()
        self._file = self._lock = self._writer = None


class Recorder:
    """Records what is handed in, until `close`. `say`: told once why nothing can be recorded.

    Nothing is begun where the plan says `recording.keep = false`.
    """

    def __init__(
        self,
        directory: Path,
        plan: Plan,
        say: Callable[[str], None] = lambda _: None,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._say, self._said = say, ""
        self._wall, self._steady = wall, steady
        self._jobs = NOTHING_RUN
        self._last: Snapshot | None = None
        self._queue: queue.Queue[Frame | None] = queue.Queue()
        self._book = RecordingBook(directory, plan)
        self._try_at = float("-inf")
        self._thread: threading.Thread | None = None
        if plan.recording.keep:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()

    def take(self, snapshot: Snapshot) -> None:
        """Keep a snapshot as shown now. Any thread; returns at once."""
        self._last = snapshot
        if self._thread is not None and self._queue.qsize() < MOST_WAITING:
            self._queue.put(Frame(snapshot, self._jobs, self._plan, self._wall()))

    def take_jobs(self, jobs: JobsView) -> None:
        """Keep what runs beside, from the next snapshot on."""
        self._jobs = jobs

    def close(self) -> None:
        """Write what there is, and end. Waits a few seconds at most."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=3.0)
            self._thread = None

    def _run(self) -> None:
        flushed_at = self._steady()
        while True:
            try:
                frame = self._queue.get(timeout=FLUSH_S)
            except queue.Empty:
                self._attempt(self._book.flush)
                continue
            if frame is None:
                break
            self._attempt(partial(self._keep, frame))
            if self._steady() - flushed_at >= FLUSH_S:
                flushed_at = self._steady()
                self._attempt(self._flush)
        self._attempt(lambda: self._book.flush(close=True))
        self._book.close()

    def _flush(self) -> None:
        self._book.flush()
        self._book.prune(self._wall())

    def _keep(self, frame: Frame) -> None:
        if not self._book.is_open and self._steady() >= self._try_at:
            self._try_at = self._steady() + TRY_AGAIN_S
            if self._book.open():
                self._said = ""
        self._book.take(frame)

    def _attempt(self, act: Callable[[], None]) -> None:
        """Do it. Whatever fails, the observing goes on, and it is tried again in a while."""
        try:
            act()
        except RecordError as error:
            self._give_up(str(error))
        except Exception as error:
            log.exception("recording")
            self._give_up(f"a mistake in this program ({type(error).__name__}).")

    def _give_up(self, why: str) -> None:
        self._book.close()
        self._try_at = self._steady() + TRY_AGAIN_S
        if why != self._said:
            self._said = why
            log.warning("recording: %s", why)
            self._say(f"Nothing is recorded for the replay: {why}")


def record_once(directory: Path, plan: Plan, snapshot: Snapshot, seen_at: float) -> None:
    """Keep one snapshot, for who looks only now and then: it must not hold the lock meanwhile.

    Nothing happens where somebody else records. What fails is logged: the snapshot is written
    elsewhere too.
    """
    if not plan.recording.keep:
        return
    book = RecordingBook(directory, plan)
    try:
        if book.open():
            book.take(Frame(snapshot, NOTHING_RUN, plan, seen_at))
            book.flush(close=True)
            book.prune(seen_at)
    except RecordError as error:
        log.warning("recording: %s", error)
    finally:
        book.close()
