"""What reaches the screen from outside its own loop, as messages, and the box they wait in."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from textual.message import Message

T = TypeVar("T")


class SnapshotsWaiting(Message):
    """At least one snapshot waits in the mailbox; the newest is the one to draw."""


class JobsWaiting(Message):
    """The procedure's state is another; the newest is in its mailbox."""


class Trouble(Message):
    """The engine could not do something. `text` says what and what to do."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__()


class EngineStarted(Message):
    """The engine is built and started."""


class HungUp(Message):
    """The terminal is gone: its input has ended or fails."""


class Mailbox(Generic[T]):
    """Holds the newest snapshot (or procedure) between the engine's thread and the screen's loop.

    A screen whose terminal stalls takes nothing out for seconds; what it then finds is one newest
    snapshot, not a queue of old ones.
    """

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._lock = Lock()
        self._newest: T | None = None

    def put(self, value: T) -> None:
        """Leave one; the bell rings only when the box was empty. Any thread."""
        with self._lock:
            empty, self._newest = self._newest is None, value
        if empty:
            self._ring()

    def take(self) -> T | None:
        """Take the newest one out; None when there is none."""
        with self._lock:
            value, self._newest = self._newest, None
        return value
