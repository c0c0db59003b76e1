"""A rollback that goes out although this host can keep nothing of it: `--no-journal --reason …`.

Left by `sudo -E`, a home that is read-only, a full disk: none of them may keep everybody on a bad
Canary. It goes by the same path, with a journal in memory: guarded by the etag as ever, and who did
it, when and why is in the stage record and its history on the service, which say that no journal
has it. What is lost with this process is the looking up: an outcome that is unknown stays so.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import msgspec

from canary.cli.output import complain
from canary.rollout.change.change import Change, SetTraffic
from canary.rollout.errors import RecordError
from canary.rollout.text import sanitize

if TYPE_CHECKING:
    from canary.cli.opening import PlanSource
    from canary.engine.session import Session

MARK: Final = "[in no journal]"
AFTERWARDS: Final = (
    "It is in no journal of this host, and nobody checks its status: who, when and why is in the"
    " stage record on the service. `canary status` says what is set."
)


def demand_journal(session: Session, change: Change, source: PlanSource) -> None:
    """Raise NotKept, with the commands to type by hand, when the change could not be kept: before
    anybody is asked to confirm it.
    """
    from canary.engine.change.notes import without_journal

    error = session.journal_error
    if session.journal is None:
        error = error or RecordError("The journal is not open.")
        raise without_journal(error, change, source.plan) from error
    if not session.journal.is_writable:
        error = error or RecordError("The journal cannot be written.")
        raise without_journal(error, change, source.plan) from error


def mark_unkept(change: Change, why: RecordError) -> Change:
    """The change under an id of its own, its reason telling whoever reads the record; said aloud.

    An id of its own: the one before may have come into the journal after all, and be taken up.
    """
    complain(f"SENT WITHOUT A JOURNAL, as asked: {sanitize(why.message, 500)}")
    name, reason = uuid.uuid4().hex, f"{MARK} {change.reason}"
    steps = tuple(
        msgspec.structs.replace(
            step, record=msgspec.structs.replace(step.record, change=name, reason=reason)
        )
        if isinstance(step, SetTraffic)
        else step
        for step in change.steps
    )
    return msgspec.structs.replace(change, id=name, reason=reason, steps=steps)
