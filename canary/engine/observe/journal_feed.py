"""The journal as the observer follows it: its newest changes, read anew when it was written to."""

from __future__ import annotations

from canary.engine.observe.event_log import EventLog
from canary.engine.observe.source import Source
from canary.rollout.errors import RecordError
from canary.store.journal import Entry, Journal

CHANGES_SHOWN = 50


class JournalFeed:
    """The newest `entries` of a journal, and its health as a source. None: there are no changes."""

    def __init__(self, journal: Journal | None, log: EventLog) -> None:
        self.source = Source("Journal", log)
        self.entries: tuple[Entry, ...] = ()
        self._journal = journal
        self._version = -1

    def read(self, now: float) -> bool:
        """Read it if it was written to. True when it was, or is in trouble.

        A disk without room is trouble before anything is asked for: no intent could be kept.
        """
        if self._journal is None:
            return False
        changed = False
        try:
            version = self._journal.version()
            if version != self._version:
                self.entries, changed = self._journal.recent(CHANGES_SHOWN), True
                self._version = version
            self._journal.demand_room()
        except RecordError as error:
            return self.source.failed(error, now) or changed
        if changed or self.source.view.state == "failing":
            self.source.answered(now)
            return True
        return False

    def has(self, change_id: str) -> bool:
        """Whether the journal has this change; asked anew: it may be younger than `entries`."""
        try:
            return self._journal is not None and self._journal.entry(change_id) is not None
        except RecordError:
            return False
