"""The monitoring loop of one rollout on this host: its lock, its state, and who holds it.

There is one loop for a rollout; it holds its lock while it lives. The state file is for others to
look at: written whole after every turn, and left behind as the last word.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final, Literal

import msgspec

from canary.rollout.errors import RecordError
from canary.store.locks import SingleLock, holder_of
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


def loop_lock(directory: Path) -> SingleLock:
    """The right to be the loop of the rollout whose files are in `directory`."""
    return SingleLock(directory / LOCK_FILE)


def holder(directory: Path) -> int | None:
    """The process that is the loop now; None when there is none. 0: there is one, of no number."""
    return holder_of(directory / LOCK_FILE)


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
