"""Who carries out a change, and whether that process still lives.

Each executor holds an exclusive flock on a file of its own. The kernel drops the lock when the
process ends, however it ends, so a claim left behind by a killed executor is recognised at once.
Rejected: the process id alone (reused, and unseen from other containers) and time-outs (either too
early for a slow operation or too late for a rollback).
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from canary.rollout.errors import RecordError

OWNERS_DIR = "owners"


class Owner:
    """One executor's identity: `token` goes into the journal, the lock lives until `release`.

    `directory` is the journal's. Raises RecordError when the lock file cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        self.token = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._path = directory / OWNERS_DIR / self.token
        # Locked under another name first: a file that is seen and not locked is a dead owner's.
        unready = self._path.with_name(f".{self.token}")
        try:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._fd = os.open(unready, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unready.rename(self._path)
            sweep(directory)
        except OSError as exc:
            raise RecordError(
                f"The lock {self._path} cannot be made: {exc.strerror or exc}.",
                remedy="Check the directory's rights and that the disk can be written.",
            ) from exc

    def release(self) -> None:
        """Give the identity up: what it has claimed and not settled is free for others."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Owner:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def sweep(directory: Path) -> None:
    """Remove the files of dead owners, so that they do not pile up."""
    for path in (directory / OWNERS_DIR).iterdir():
        if not path.name.startswith("."):
            is_alive(directory, path.name)


def is_alive(directory: Path, token: str) -> bool:
    """Whether the process that holds `token` still runs. A token that was never made is dead.

    A dead owner's file is removed: tokens are never used twice.
    """
    if not token or token != Path(token).name:
        return False
    path = directory / OWNERS_DIR / token
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # not to be told: then nothing is taken away from anybody
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    path.unlink(missing_ok=True)
    return False
