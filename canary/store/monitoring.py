"""The monitoring loop of one rollout on this host: its lock, its state, and who holds it.

There is one loop for a rollout. It holds an exclusive flock while it lives; the kernel drops it
however the process ends, so a loop that was killed is never taken for running. The state file is
for others to look at: written whole after every turn, and left behind as the last word.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from pathlib import Path
from typing import Final, Literal

import msgspec

from canary.rollout.errors import RecordError
from canary.store.outputs import write_output

LOCK_FILE: Final = "monitor.lock"
STATE_FILE: Final = "monitor.json"

EndedBy = Literal["", "time", "signal", "failure"]


class LoopState(msgspec.Struct, frozen=True):
    """What a loop says of itself. All times are the cloud's, unix seconds.

    `every_s` between snapshots; `until` None: without end. `next_at` None: none follows. `verdict`
    is the last snapshot's, "" before the first; `trouble` what went wrong with it, "" for nothing.
    `files` were written, the newest is `last_file`. `ended_at` None: it had not ended when this
    was written; whether it still lives is told by the lock.
    """

    pid: int
    since: float
    every_s: float
    until: float | None
    out_dir: str
    next_at: float | None = None
    files: int = 0
    last_file: str = ""
    last_at: float | None = None
    verdict: str = ""
    trouble: str = ""
    ended_at: float | None = None
    ended_by: EndedBy = ""


class LoopLock:
    """The right to be the loop of the rollout whose files are in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_FILE
        self._fd = -1

    def acquire(self) -> bool:
        """Take it; False when another loop has it. Raises RecordError when it cannot be made."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise RecordError(
                f"The lock {self._path} cannot be made: {exc.strerror or exc}.",
                remedy="Check the directory's rights and that the disk can be written.",
            ) from exc
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return False
        self._fd = fd
        self.sign()
        return True

    def sign(self) -> None:
        """Put this process's number into the file, unless it is there.

        On a full disk the lock holds without it, and others cannot ask the loop to end: it is tried
        again after every turn.
        """
        number = str(os.getpid()).encode()
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            if os.pread(self._fd, 32, 0) != number:
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, number, 0)

    def release(self) -> None:
        """Give it up; the file is emptied first, so that nobody takes the old number for ours."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def holder(directory: Path) -> int | None:
    """The process that is the loop now; None when there is none. 0: there is one, of no number."""
    try:
        fd = os.open(directory / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            said = os.pread(fd, 32, 0)
            return int(said) if said.isdigit() else 0
        return None
    finally:
        os.close(fd)


def ask_to_end(directory: Path) -> int | None:
    """Ask the loop to end (SIGTERM); the process asked, None when there is none.

    Raises RecordError when it may not be asked: it is somebody else's, or in another container.
    """
    pid = holder(directory)
    if pid is None:
        return None
    try:
        # A number that is not there yet: the loop is just beginning, and is asked again later.
        if pid:
            os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except OSError as exc:
        raise RecordError(
            f"The monitoring loop of process {pid} cannot be ended: {exc.strerror or exc}.",
            remedy="End it where it was started.",
        ) from exc
    return pid


def write_state(directory: Path, state: LoopState) -> None:
    """Replace the state file. Raises RecordError."""
    write_output(directory / STATE_FILE, msgspec.to_builtins(state))


def read_state(directory: Path) -> LoopState | None:
    """What the last loop said of itself; None when there was none, or it cannot be read."""
    try:
        return msgspec.json.decode((directory / STATE_FILE).read_bytes(), type=LoopState)
    except (OSError, msgspec.DecodeError):
        return None
