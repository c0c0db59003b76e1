"""Who else has this rollout open on this host: a locked file for each, beside the journal.

Nobody is shown who has gone. It is per journal: people with state directories of their own do not
see each other here, only by their changes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path
from typing import Final

import msgspec

from canary.host.clock import read_steady_clock
from canary.rollout.snapshot.snapshot import OperatorSession
from canary.store.locks import HeldFile, list_held, read_held

SESSIONS_DIR: Final = "consoles"
MOST_BYTES: Final = 4096
LEAST_BYTES: Final = 1024
"""A session is padded to this, so that what is written anew is never read half old, half new."""


class OperatorSessionHolder:
    """Shows `session` to others until `release`; nothing where the directory cannot be written."""

    def __init__(self, directory: Path, session: OperatorSession) -> None:
        self._directory = directory
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._held: HeldFile | None = None
        with contextlib.suppress(OSError):
            self._held = HeldFile(directory / SESSIONS_DIR, self._name, _encode(session))

    def others(self) -> tuple[OperatorSession, ...]:
        """Everybody else's session, oldest first."""
        return read_operator_sessions(self._directory, besides=self._name)

    def change(self, session: OperatorSession) -> None:
        """Show `session` instead; nothing happens where none could be shown."""
        if self._held is not None:
            self._held.write(_encode(session))

    def release(self) -> None:
        """Leave; twice is fine."""
        if self._held is not None:
            self._held.release()


def _encode(session: OperatorSession) -> bytes:
    return msgspec.json.encode(session).ljust(LEAST_BYTES)


def read_operator_sessions(directory: Path, besides: str = "") -> tuple[OperatorSession, ...]:
    """The sessions that are open on a rollout, oldest first; files of dead ones are removed."""
    try:
        paths = [p for p in list_held(directory / SESSIONS_DIR) if p.name != besides]
    except OSError:
        return ()
    sessions = [session for path in paths if (session := _read_session(path)) is not None]
    return tuple(sorted(sessions, key=lambda session: session.since))


SILENT_AFTER_S: Final = 15.0
"""A session looks every few seconds; one that has not for so long is stopped, or its host slept."""


def _listen(session: OperatorSession) -> OperatorSession:
    """Whether it still looks, and when it acts. One of an older version does not say so by a clock
    that nobody sets, and is taken at its word.
    """
    # Moments to show beside the person's clock, made from waits that nobody's clock measures. In
    # whole seconds: the same is the same value at each look.
    now, steady = time.time(), read_steady_clock()
    due_at, since = session.due_at, session.silent_since
    if due_at is not None and session.due_beat is not None:
        due_at = float(round(now + session.due_beat - steady))
    if session.beat is not None:
        silent_s = steady - session.beat
        since = float(round(now - silent_s)) if silent_s > SILENT_AFTER_S else None
    return msgspec.structs.replace(
        session, beat=None, due_beat=None, due_at=due_at, silent_since=since
    )


def _read_session(path: Path) -> OperatorSession | None:
    try:
        body = read_held(path, MOST_BYTES, remove_dead=True)
        return None if body is None else _listen(msgspec.json.decode(body, type=OperatorSession))
    except (OSError, msgspec.DecodeError):
        return None
