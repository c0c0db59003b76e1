"""What the journal is told while a change is carried out, and what it says back."""

from __future__ import annotations

import logging

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.engine.change.intents import without_journal
from canary.rollout.change.change import Change, Outcome
from canary.rollout.change.life import IllegalEvent
from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan
from canary.store.journal import Journal, NoteState

log = logging.getLogger(__name__)


class Ended(Exception):
    """The change was settled by somebody else (withdrawn): nothing more is done."""


class Notes:
    """The notes of one change, each with the time of the cloud."""

    def __init__(self, journal: Journal, change: Change, plan: Plan, clock: CloudClock) -> None:
        self._journal = journal
        self._change = change
        self._plan = plan
        self._clock = clock
        self._owed: list[tuple[int, NoteState, str, float]] = []
        """What was done and could not be noted: it is noted before anything more is sent."""

    def must(self, index: int, state: NoteState, detail: str) -> None:
        """What must be on the disk before anything more is done: without it there is no call.

        Raises RecordError when it cannot be written, Ended when the change was withdrawn.
        """
        try:
            self._pay()
            known = self._journal.note(self._change.id, index, state, detail, self._clock.now())
        except IllegalEvent:
            raise
        except RecordError as error:
            raise without_journal(error, self._change, self._plan) from error
        if not known:
            raise Ended

    def note(self, index: int, state: NoteState, detail: str) -> None:
        """What was done already is noted as well as can be: it is not undone for a full disk."""
        self._owed.append((index, state, detail, self._clock.now()))
        try:
            self._pay()
        except IllegalEvent:
            raise
        except RecordError:
            log.exception("change %s, step %d is not noted", self._change.id, index)

    def _pay(self) -> None:
        while self._owed:
            self._journal.note(self._change.id, *self._owed[0])
            self._owed.pop(0)

    def remark(self, index: int, said: str) -> None:
        """Something worth knowing of a step that changes nothing about it."""
        self.note(index, "remark", said)

    def end(self, outcome: Outcome) -> Outcome:
        """Record the outcome; returns the one that counts: the first that was recorded."""
        try:
            self._pay()
            first = self._journal.settle(self._change.id, outcome)
        except IllegalEvent:
            raise
        except RecordError as error:
            log.exception("change %s ended and cannot be recorded", self._change.id)
            message = f"{outcome.message} This is not in the journal: {error.message}"
            return msgspec.structs.replace(outcome, message=message)
        return outcome if first else self.settled_by_another()

    def settled_by_another(self) -> Outcome:
        """The outcome that somebody else recorded. Raises RecordError when there is none."""
        entry = self._journal.entry(self._change.id)
        if entry is None or entry.outcome is None:
            raise RecordError(f"The change {self._change.id} is gone from the journal.")
        return entry.outcome
