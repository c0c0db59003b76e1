"""Locks between the processes of this host, all in one way: an exclusive flock on a file.

The kernel drops it when its process ends, however it ends: what was killed is never taken for
running. Rejected: the process id alone (reused, and unseen from other containers) and time-outs
(either too early for a slow operation or too late for a rollback).

A `SingleLock` is one file that one process holds at a time: the right to load the rollout, or to be
its monitoring loop. A `HeldFile` is a process's own, which shows to others that it lives: an
executor (`Owner`), a person's console (`presence`). The descriptors are plain numbers: whoever
forgets the object holds the lock all the same.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from canary.rollout.errors import Conflict, RecordError

OWNERS_DIR: Final = "owners"
LOAD_LOCK_FILE: Final = "load_test.lock"
_NUMBER_BYTES: Final = 32


def _take(fd: int, how: int) -> bool:
    """Lock at once, or not at all."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _not_made(path: Path, exc: OSError) -> RecordError:
    return RecordError(
        f"The lock {path} cannot be made: {exc.strerror or exc}.",
        remedy="Check the directory's rights and that the disk can be written.",
    )


def read_held(path: Path, most: int = _NUMBER_BYTES, *, remove_dead: bool = False) -> bytes | None:
    """What its living holder wrote into a lock file; None when nobody holds it, or it is gone.

    Raises OSError when that cannot be told.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        if not _take(fd, fcntl.LOCK_SH):
            return os.pread(fd, most, 0)
    finally:
        os.close(fd)
    if remove_dead:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    return None


# One file, one holder at a time.


class SingleLock:
    """The right to do something alone. Its file stays, and holds the number of who has it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def acquire(self) -> bool:
        """Take it; False when another process has it. Raises RecordError when it cannot be made."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise _not_made(self._path, exc) from exc
        if not _take(fd, fcntl.LOCK_EX):
            os.close(fd)
            return False
        self._fd = fd
        self.sign()
        return True

    def sign(self) -> None:
        """Put this process's number into the file, unless it is there.

        On a full disk the lock holds without it, and others cannot name or ask its holder: a long
        holder tries again now and then.
        """
        number = str(os.getpid()).encode()
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            if os.pread(self._fd, _NUMBER_BYTES, 0) != number:
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, number, 0)

    def release(self) -> None:
        """Give it up; the file is emptied first, so that nobody takes the old number for ours."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def holder_of(path: Path) -> int | None:
    """The process that holds a SingleLock; None when there is none. 0: there is one, no number."""
    try:
        said = read_held(path)
    except OSError:
        return None
    return None if said is None else int(said) if said.isdigit() else 0


@contextmanager
def hold_load_lock(directory: Path) -> Iterator[None]:
    """Hold the right to load the rollout whose files are in `directory`: two would measure each
    other. Raises Conflict when another process has it, and RecordError when it cannot be made.
    """
    path = directory / LOAD_LOCK_FILE
    lock = SingleLock(path)
    if not lock.acquire():
        pid = holder_of(path)
        who = f" (process {pid})" if pid else ""
        raise Conflict(
            f"A load test of this rollout runs already{who}: two would measure each other.",
            remedy="Wait until it has ended, or stop it.",
        )
    try:
        yield
    finally:
        lock.release()


# A file for each holder.


class HeldFile:
    """This process's own file `directory`/`name`, seen by others locked and whole, or not at all.

    The directory is made when it is missing. Raises OSError; nothing is left behind then.
    """

    def __init__(self, directory: Path, name: str, body: bytes = b"") -> None:
        self._path = directory / name
        self._fd = -1
        directory.mkdir(mode=0o700, exist_ok=True)
        # Locked under another name first: a file that is seen and not locked is a dead one's.
        unready = directory / f".{name}"
        fd = os.open(unready, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(fd, body, 0)
            unready.rename(self._path)
        except OSError:  # a full disk: nothing stays that nobody would ever remove
            unready.unlink(missing_ok=True)
            os.close(fd)
            raise
        self._fd = fd

    def write(self, body: bytes) -> None:
        """Write `body` over the beginning of the file; a disk that is full changes nothing."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self._fd, body, 0)

    def release(self) -> None:
        """Remove the file and let go; twice is fine."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1


def list_held(directory: Path) -> list[Path]:
    """The files of all holders in a directory, living and dead. Raises OSError."""
    return [path for path in directory.iterdir() if not path.name.startswith(".")]


class Owner:
    """One executor's identity: `token` goes into the journal, the lock lives until `release`.

    A claim that a killed executor left behind is recognised at once. `directory` is the journal's.
    Raises RecordError when the lock file cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        self.token = f"{os.getpid()}-{secrets.token_hex(6)}"
        place = directory / OWNERS_DIR
        try:
            self._held = HeldFile(place, self.token)
            for path in list_held(place):  # what the dead left does not pile up
                is_alive(directory, path.name)
        except OSError as exc:
            raise _not_made(place / self.token, exc) from exc

    def release(self) -> None:
        """Give the identity up: what it has claimed and not settled is free for others."""
        self._held.release()

    def __enter__(self) -> Owner:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Unshared:
    """The identity of who has a journal to itself, in memory: no other process can see it."""

    token = "unshared"  # noqa: S105 - a name, not a secret


def is_alive(directory: Path, token: str) -> bool:
    """Whether the process that holds `token` still runs. A token that was never made is dead.

    A dead owner's file is removed: tokens are never used twice.
    """
    if not token or token != Path(token).name:
        return False
    try:
        return read_held(directory / OWNERS_DIR / token, remove_dead=True) is not None
    except OSError:
        return True  # not to be told: then nothing is taken away from anybody
