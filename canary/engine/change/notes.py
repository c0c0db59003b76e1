"""What a change leaves on this host: intent and notes in the journal, the record in rollout.toml.

The intent is on the disk before anything is done. What is written of the record and committed is a
copy for people: whatever fails there is a remark on a change that has been made.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.engine.change.dry_run import by_hand, describe
from canary.rollout.change.change import GOING_BACK, Change, Outcome, SetTraffic
from canary.rollout.change.life import IllegalEvent
from canary.rollout.errors import RecordError
from canary.rollout.permit.approval import commit_message
from canary.rollout.plan.plan import Plan
from canary.store.journal import Journal, NoteState
from canary.store.stage_file import commit_file, demand_stage_place, write_stage_file

log = logging.getLogger(__name__)


def intend(journal: Journal, change: Change, plan: Plan, owner: str = "") -> bool:
    """Write the intent; on the disk when this returns. False: it is there already.

    `owner` claims it for the caller. Raises RecordError when it cannot be written: a change without
    a journal is refused, and the remedy has the commands that do the same by hand.
    """
    try:
        return journal.intend(change, owner)
    except RecordError as error:
        raise without_journal(error, change, plan) from error


class NotKept(RecordError):
    """The journal cannot keep a change, so it was not sent (its split was not)."""


UNKEPT: Final = "Or send it without one: `canary rollback --no-journal --reason …`."


def without_journal(error: RecordError, change: Change, plan: Plan) -> NotKept:
    """The refusal of a change whose intent cannot be kept, with the commands to type instead."""
    ways = (error.remedy, UNKEPT if change.kind in GOING_BACK else "")
    refused = NotKept(
        f"{error.message} Without a journal nothing is changed from here.",
        remedy=" ".join((*filter(None, ways), f"By hand: {by_hand(change, plan)}")),
    )
    refused.commands = describe(change, plan).gcloud
    return refused


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


class RecordFile:
    """The stage file of one change. `path` None: none is kept.

    `remark` is called with a sentence for the journal; `remarks` are those for the outcome.
    """

    def __init__(self, path: Path | None, plan: Plan, remark: Callable[[int, str], None]) -> None:
        self.remarks: list[str] = []
        self._path = path
        self._plan = plan
        self._remark = remark
        self._written: int | None = None

    def write(self, index: int, step: SetTraffic) -> None:
        """Write the record of step `index`, which is settled."""
        if self._path is None:
            return
        try:
            demand_stage_place(self._path, self._plan.record.file)
            write_stage_file(self._path, self._plan.name, step.record)
        except RecordError as error:
            self._tell(index, str(error))
        except Exception as error:
            # A copy for people: whatever is wrong with it, the split has moved.
            log.exception("the stage file of change %s", step.record.change)
            self._tell(index, f"{self._path.name} was not written ({type(error).__name__}).")
        else:
            self._written = index

    async def commit(self, change: Change) -> None:
        """Commit what was written, and push it if the plan asks; nothing was written: nothing.

        On a thread, so that another change of this process does not wait for a hook or a push.
        """
        settings = self._plan.record
        if self._written is None or self._path is None or not settings.git:
            return
        self._remark(self._written, f"putting {self._path.name} into git")
        message = commit_message(change)
        try:
            done = await asyncio.to_thread(commit_file, self._path, message, push=settings.push)
        except RecordError as error:
            said = str(error)
        except Exception as error:
            log.exception("putting the stage file of change %s into git", change.id)
            said = f"{self._path.name} is not in git ({type(error).__name__})."
        else:
            how = f"committed as {done.commit}" if done.commit else "in git already"
            said = f"{self._path.name} is {how}{' and pushed' if done.pushed else ''}."
        self._tell(self._written, said)

    def _tell(self, index: int, said: str) -> None:
        self._remark(index, said)
        self.remarks.append(said)
