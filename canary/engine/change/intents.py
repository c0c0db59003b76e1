"""The intent on the disk, before anything is done; and what to type where it cannot be kept."""

from __future__ import annotations

from canary.engine.change.dry_run import by_hand
from canary.rollout.change.change import Change
from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan
from canary.store.journal import Journal


def intend(journal: Journal, change: Change, plan: Plan, owner: str = "") -> bool:
    """Write the intent; on the disk when this returns. False: it is there already.

    `owner` claims it for the caller. Raises RecordError when it cannot be written: a change without
    a journal is refused, and the remedy has the commands that do the same by hand.
    """
    try:
        return journal.intend(change, owner)
    except RecordError as error:
        raise without_journal(error, change, plan) from error


def without_journal(error: RecordError, change: Change, plan: Plan) -> RecordError:
    """The refusal of a change whose intent cannot be kept, with the commands to type instead."""
    return RecordError(
        f"{error.message} Without a journal nothing is changed from here.",
        remedy=f"{error.remedy} By hand: {by_hand(change, plan)}".strip(),
    )
