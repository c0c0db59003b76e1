"""What happened while this console looked: bounded, oldest first. Changes are in the journal."""

from __future__ import annotations

from collections import deque
from typing import Literal

from canary.rollout.snapshot.snapshot import Event
from canary.rollout.text import sanitize

KEPT = 300

Severity = Literal["info", "good", "warning", "critical"]


class EventLog:
    """The last events. Their texts are made plain here: much of them comes from outside."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._frozen: tuple[Event, ...] | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        """All that is kept, in the order in which it was said; the same object until more is."""
        if self._frozen is None:
            self._frozen = tuple(self._events)
        return self._frozen

    def say(self, at: float, severity: Severity, text: str, by: str = "") -> None:
        """Add a line; the same line as the last one is not said twice."""
        event = Event(at, severity, sanitize(text, 300), sanitize(by, 60))
        last = self._events[-1] if self._events else None
        if last is not None and (last.text, last.by) == (event.text, event.by):
            return
        self._events.append(event)
        self._frozen = None
