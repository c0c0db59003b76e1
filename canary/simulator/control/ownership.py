"""Whose the cloud is: one process owns a state file, and it lives while somebody holds a lease."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

SHARE_WITHIN_S = 10.0
"""How long to wait for an owner that is just starting or just ending."""

_POLL_S = 0.05
_ANSWER_S = 0.5


class Ready(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The line on stdout that tells a starter that the cloud is up, and where."""

    pid: int
    grpc: str
    http: str
    rest: str = ""
    """The REST APIs: an empty line is of a cloud that was started before there were any."""
    router: str
    services: dict[str, str]
    tags: dict[str, str] = {}
    speed: float
    now: float
    shared: bool = False
    """The cloud was already running: this is the line of its owner."""

    def line(self) -> str:
        """Return the JSON, with its newline."""
        return msgspec.json.encode(self).decode() + "\n"


class OwnershipError(Exception):
    """Neither could the state file be owned nor its owner be found."""


class Ownership:
    """The lock on a state file. The kernel lets it go when the process ends, however it ends.

    The lock file itself stays: a lock file that is removed can be locked twice.
    """

    def __init__(self, state_path: Path) -> None:
        self._lock_path = state_path.with_name(state_path.name + ".lock")
        self._endpoint_path = state_path.with_name(state_path.name + ".endpoint.json")
        self._lock = -1
        self.left: Ready | None = None
        """Once it is owned: the line of a process that was killed, which nobody took away."""

    def acquire(self) -> Ready | None:
        """Own the state file (None), or return the line of the process that does.

        Waits while the owner is starting or ending; OwnershipError after SHARE_WITHIN_S, or
        when the directory cannot be written.
        """
        deadline = time.monotonic() + SHARE_WITHIN_S
        while not self._try_lock():
            ready = self._read_endpoint()
            if ready is not None:
                return msgspec.structs.replace(ready, shared=True)
            if time.monotonic() > deadline:
                raise OwnershipError(f"{self._lock_path} is held by a process that is not ready")
            time.sleep(_POLL_S)
        # Left by a process that was killed: nobody may be sent there before this one listens.
        self.left = self._read_line()
        self.withdraw()
        return None

    def announce(self, ready: Ready) -> None:
        """Write the line beside the state file, readable by its owner only, all of it or none."""
        handle, name = tempfile.mkstemp(dir=self._endpoint_path.parent, prefix=".endpoint-")
        with os.fdopen(handle, "w") as file:
            file.write(ready.line())
        Path(name).replace(self._endpoint_path)

    def withdraw(self) -> None:
        """Remove the line: nobody is sent here from now on."""
        self._endpoint_path.unlink(missing_ok=True)

    def release(self) -> None:
        """Let the state file go."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _try_lock(self) -> bool:
        try:
            self._lock_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            how = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(self._lock_path, how, 0o600)
        except OSError as exc:
            raise OwnershipError(f"{self._lock_path}: {exc.strerror}") from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._lock = handle
        return True

    def _read_endpoint(self) -> Ready | None:
        """Return the owner's line; None when there is none yet, or it is a dead process's.

        One that is dying has its pid and its lock for a moment longer than its sockets.
        """
        ready = self._read_line()
        with contextlib.suppress(OSError):
            if ready is not None:
                os.kill(ready.pid, 0)
                if _is_listening(ready.http):
                    return ready
        return None

    def _read_line(self) -> Ready | None:
        """Return the line that stands there, whoever wrote it; None when none can be read."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._endpoint_path.read_bytes(), type=Ready)
        return None


def _is_listening(address: str) -> bool:
    """Whether anybody listens there; one that is too busy to answer does."""
    try:
        place = urlsplit(address)
        with socket.create_connection((place.hostname or "", place.port or 0), _ANSWER_S):
            return True
    except TimeoutError:
        return True
    except (OSError, ValueError):
        return False


class Leases:
    """Counts the leases; calls `end` when the last is gone and the grace is over.

    `first_s` is how long it waits for the first console, `grace_s` for another after the last
    (a console that is started again). Both are real seconds: consoles come and go by the wall.
    """

    def __init__(self, end: Callable[[], None], *, first_s: float, grace_s: float) -> None:
        self._end = end
        self._first_s = first_s
        self._grace_s = grace_s
        self._held = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def held(self) -> int:
        """How many are held now."""
        return self._held

    def start(self) -> None:
        """Begin to wait for the first lease."""
        self._wait(self._first_s)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold a lease for the length of the block."""
        self._held += 1
        self._cancel()
        try:
            yield
        finally:
            self._held -= 1
            if self._held == 0:
                self._wait(self._grace_s)

    def end_unused(self) -> bool:
        """End without waiting out the grace; returns False, and does not, while one is held."""
        if self._held == 0:
            self._wait(0.0)
        return self._held == 0

    def stop(self) -> None:
        """Stop waiting: the cloud ends for another reason."""
        self._cancel()

    def _wait(self, seconds: float) -> None:
        self._cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
