"""Who else has this rollout open on this host: a locked file for each, beside the journal.

As with `owner`, the kernel drops the lock when a process ends, however it ends, so that nobody is
shown who has gone. It is per journal: people with state directories of their own do not see each
other here, only by their changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

import msgspec

from canary.rollout.snapshot.presence import OperatorSession

SESSIONS_DIR = "consoles"
MOST_BYTES = 4096
LEAST_BYTES = 1024
"""A session is padded to this, so that what is written anew is never read half old, half new."""


class OperatorSessionHolder:
    """Shows `session` to others until `release`; nothing where the directory cannot be written."""

    def __init__(self, directory: Path, session: OperatorSession) -> None:
        self._directory = directory / SESSIONS_DIR
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._fd = -1
        with contextlib.suppress(OSError):
            self._take(session)

    def others(self) -> tuple[OperatorSession, ...]:
        """Everybody else's session, oldest first."""
        return read_operator_sessions(self._directory.parent, besides=self._name)

    def change(self, session: OperatorSession) -> None:
        """Show `session` instead; nothing happens where none could be taken."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self._fd, _encode(session), 0)

    def release(self) -> None:
        """Leave; twice is fine."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                (self._directory / self._name).unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1

    def _take(self, session: OperatorSession) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        # Locked under another name first: a file that is seen and not locked is a dead one's.
        unready = self._directory / f".{self._name}"
        fd = os.open(unready, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(fd, _encode(session), 0)
            unready.rename(self._directory / self._name)
        except OSError:  # a full disk: nothing stays that nobody would ever remove
            unready.unlink(missing_ok=True)
            os.close(fd)
            raise
        self._fd = fd


def _encode(session: OperatorSession) -> bytes:
    return msgspec.json.encode(session).ljust(LEAST_BYTES)


def read_operator_sessions(directory: Path, besides: str = "") -> tuple[OperatorSession, ...]:
    """The sessions that are taken in a rollout's directory, oldest first; dead ones are removed."""
    try:
        paths = [p for p in (directory / SESSIONS_DIR).iterdir() if not p.name.startswith(".")]
    except OSError:
        return ()
    sessions = [_read_session(p) for p in paths if p.name != besides]
    return tuple(sorted((s for s in sessions if s is not None), key=lambda s: s.since))


def _read_session(path: Path) -> OperatorSession | None:
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        try:
            return msgspec.json.decode(os.read(fd, MOST_BYTES), type=OperatorSession)
        except (OSError, msgspec.DecodeError):
            return None
    finally:
        os.close(fd)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return None
