"""One load test at a time for a rollout on this host: two would measure each other.

An exclusive flock, which the kernel drops however the process ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from canary.rollout.errors import Conflict, RecordError

LOCK_FILE: Final = "load_test.lock"


@contextmanager
def hold_load_lock(directory: Path) -> Iterator[None]:
    """Hold the right to load the rollout whose files are in `directory`.

    Raises Conflict when another process has it, and RecordError when it cannot be made.
    """
    path = directory / LOCK_FILE
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise RecordError(
            f"The lock {path} cannot be made: {exc.strerror or exc}.",
            remedy="Check the directory's rights and that the disk can be written.",
        ) from exc
    try:
        _take(fd)
        # On a full disk it holds without the number, which only others' sentence would be made of.
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(fd)


def _take(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        said = os.pread(fd, 32, 0)
        who = f" (process {int(said)})" if said.isdigit() else ""
        raise Conflict(
            f"A load test of this rollout runs already{who}: two would measure each other.",
            remedy="Wait until it has ended, or stop it.",
        ) from exc
