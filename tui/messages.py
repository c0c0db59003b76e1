"""What reaches the screen from outside its own loop, as messages, and the box they wait in."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from textual.message import Message

from canary.rollout.snapshot import Snapshot


class SnapshotsWaiting(Message):
    """At least one snapshot waits in the mailbox; the newest is the one to draw."""


class Trouble(Message):
    """The engine could not do something. `text` says what and what to do."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__()


class EngineStarted(Message):
    """The engine is built and started."""


class HungUp(Message):
    """The terminal is gone: its input has ended or fails."""


class Mailbox:
    """Holds the newest snapshot between the engine's thread and the screen's loop.

    A screen whose terminal stalls takes nothing out for seconds; what it then finds is one newest
    snapshot, not a queue of old ones.
    """

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._lock = Lock()
        self._newest: Snapshot | None = None

    def put(self, snapshot: Snapshot) -> None:
        """Leave a snapshot; the bell rings only when the box was empty. Any thread."""
        with self._lock:
            empty, self._newest = self._newest is None, snapshot
        if empty:
            self._ring()

    def take(self) -> Snapshot | None:
        """Take the newest snapshot out; None when there is none."""
        with self._lock:
            snapshot, self._newest = self._newest, None
        return snapshot
