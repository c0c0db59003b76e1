"""How one outside service answers: its health as the screen shows it, and when to ask again."""

from __future__ import annotations

from canary.engine.observe.event_log import EventLog
from canary.rollout.errors import LOGIN_SOURCE, CanaryError, Denied, QuotaExhausted, RecordError
from canary.rollout.evidence.dismissal import Dismissal
from canary.rollout.snapshot.snapshot import SourceState, SourceView
from canary.rollout.text import format_clock, sanitize
from canary.store.journal import Entry, Journal

QUOTA_FIRST_S = 120.0
QUOTA_MOST_S = 600.0
"""The pause after "asked too often": doubled each time, up to ten minutes of the cloud's time."""


class Source:
    """The health of one service. Transitions (it fails, it answers again) become events.

    `retry_at` is when a quota allows the next question, cloud time; None: at any time.
    """

    def __init__(self, name: str, log: EventLog) -> None:
        self.name = name
        self.retry_at: float | None = None
        self._log = log
        self._state: SourceState = "never"
        self._message = ""
        self._since: float | None = None
        self._answered_at: float | None = None
        self._pause_s = 0.0
        self._login = False

    @property
    def view(self) -> SourceView:
        """For the snapshot."""
        return SourceView(
            self.name, self._state, self._message, self._since, self._answered_at, self._login
        )

    @property
    def has_answered(self) -> bool:
        """Whether it has ever answered."""
        return self._answered_at is not None

    def may_ask(self, now: float) -> bool:
        """Whether no quota forbids asking now."""
        return self.retry_at is None or now >= self.retry_at

    def answered(self, at: float) -> bool:
        """It answered. True when that is a transition."""
        was = self._state
        if was == "failing":
            self._log.say(at, "good", f"{self.name} answers again")
        self._state, self._message, self._since, self._login = "ok", "", None, False
        self._answered_at, self.retry_at, self._pause_s = at, None, 0.0
        return was != "ok"

    def failed(self, error: CanaryError, at: float, *, partly: bool = False) -> bool:
        """It failed, or answered only in part. True when that says something new.

        After a QuotaExhausted it must not be asked before `retry_at`.
        """
        before = self.view
        message = sanitize(error.message)
        self.retry_at = self._pause(error, at)
        if self.retry_at is not None:
            message = f"{message} Asked again at {format_clock(self.retry_at)}."
        if self._state != "failing":
            self._since = at
            self._log.say(at, "warning", f"{self.name}: {message}")
        self._state, self._message, self._login = "failing", message, is_login(error)
        if partly:
            self._answered_at = at
        return self.view != before

    def _pause(self, error: CanaryError, at: float) -> float | None:
        if not isinstance(error, QuotaExhausted):
            return None
        self._pause_s = min(QUOTA_MOST_S, max(QUOTA_FIRST_S, self._pause_s * 2))
        return at + self._pause_s


def is_login(error: CanaryError) -> bool:
    """Whether a new login is what it takes: no service is away, and no role is missing."""
    if not isinstance(error, Denied):
        return False
    return error.login_expired or error.source == LOGIN_SOURCE


# The journal as a source: its newest changes, read anew when it was written to.

CHANGES_SHOWN = 50


class JournalFeed:
    """The newest `entries` of a journal, what persons have dismissed (oldest first), and its health
    as a source. None: there are no changes.
    """

    def __init__(self, journal: Journal | None, log: EventLog) -> None:
        self.source = Source("Journal", log)
        self.entries: tuple[Entry, ...] = ()
        self.dismissals: tuple[Dismissal, ...] = ()
        self._journal = journal
        self._log = log
        self._unreadable = 0
        self._version = -1

    def read(self, now: float) -> bool:
        """Read it if it was written to. True when it was, or fails.

        A disk without room is an error before anything is asked for: no intent could be kept.
        """
        if self._journal is None:
            return False
        changed = False
        try:
            version = self._journal.version()
            if version != self._version:
                rows, changed = self._journal.rows(CHANGES_SHOWN), True
                self.entries = tuple(row for row in rows if isinstance(row, Entry))
                self.dismissals = self._journal.dismissals()
                self._version = version
                self._tell_unreadable(len(rows) - len(self.entries), now)
            self._journal.demand_room()
        except RecordError as error:
            return self.source.failed(error, now) or changed
        if changed or self.source.view.state == "failing":
            self.source.answered(now)
            return True
        return False

    def _tell_unreadable(self, count: int, now: float) -> None:
        """Say it when there are more: what cannot be read may be a change that is in flight."""
        if count > self._unreadable:
            what = "1 change" if count == 1 else f"{count} changes"
            said = f"{what} in the journal cannot be read: unknown outcome; `canary log`"
            self._log.say(now, "critical", said)
        self._unreadable = count

    def has(self, change_id: str) -> bool:
        """Whether the journal has this change; asked anew: it may be younger than `entries`."""
        try:
            return self._journal is not None and self._journal.entry(change_id) is not None
        except RecordError:
            return False
