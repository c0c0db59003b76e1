"""The console's side of recovery: check the status of, resume, abandon or withdraw a change.

May be asked from any thread, and returns at once; what was found goes to the event log.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from canary.engine.change.recovery import Finding, FindingState, How, Recovery, find_entry, withdraw
from canary.engine.observe.event_log import Severity
from canary.engine.observe.journal_view import title_of
from canary.engine.session import Session
from canary.rollout.change.change import Author, Outcome
from canary.rollout.errors import Unavailable
from canary.store.journal import Journal

_SEVERITY: Final[dict[FindingState, Severity]] = {
    "ended": "info",
    "in_hand": "info",
    "not_begun": "warning",
    "not_done": "warning",
    "unknown": "warning",
    "resumed": "info",
}

Begin = Callable[[Callable[[], Coroutine[Any, Any, None]]], None]


class Recovering:
    """Recovers changes of `session`. `begin` runs work in the engine's loop, troubles told;
    `wake` has the executor look into the journal.
    """

    def __init__(
        self, session: Session, author: Author, begin: Begin, wake: Callable[[], None]
    ) -> None:
        self._session = session
        self._author = author
        self._begin = begin
        self._wake = wake

    def start(self, change_id: str, how: How) -> None:
        """Verify, resume or abandon a change; refusals are told as troubles."""
        self._begin(lambda: self._recover(change_id, how))

    def withdraw(self, change_id: str) -> Outcome:
        """Take a change back of which nothing is on its way; it holds when this returns.

        Raises Conflict when it is too late.
        """
        return withdraw(self._journal(), change_id, str(self._author), self._session.clock.now())

    async def _recover(self, change_id: str, how: How) -> None:
        session, journal = self._session, self._journal()
        title = title_of(find_entry(journal, change_id).change)
        recovery = Recovery(session.plan, session.cloud.router, journal, session.clock)
        found = await recovery.recover(change_id, how, str(self._author))
        self._say(title, found)
        self._wake()

    def _say(self, title: str, found: Finding) -> None:
        text = f"looked up: {title}: {found.message} {found.remedy}".rstrip()
        session = self._session
        session.observer.log.say(session.clock.now(), _SEVERITY[found.state], text)

    def _journal(self) -> Journal:
        if self._session.journal is None:
            raise self._session.journal_error or Unavailable(
                "The journal is not open yet.", remedy="Wait a moment."
            )
        return self._session.journal
