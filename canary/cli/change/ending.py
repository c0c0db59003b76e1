"""How a change that has its outcome ends the command: by the outcome, whatever fails afterwards.

A script that asked for a rollback must not take a broken verification, a webhook or a pipe for a
rollback that failed. So from the outcome on every failure is said, and nothing more.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from canary.cli.bugs import describe_bug
from canary.cli.change.text import EXITS, change_document, outcome_document
from canary.cli.output import complain, print_json
from canary.rollout.change.change import Change, Outcome
from canary.rollout.errors import CanaryError

if TYPE_CHECKING:
    from canary.engine.change.dry_run import DryRun
    from canary.engine.session import Session
    from canary.rollout.trials.verification import Verification


class Ending:
    """What is known of one change's end, and whether its document (`--json`) is still owed."""

    def __init__(self, *, as_json: bool) -> None:
        self._owed = as_json
        self._code: int | None = None
        self._known: tuple[Change, DryRun, Outcome] | None = None
        self._verification: Verification | None = None

    def came_to(self, change: Change, dry_run: DryRun, outcome: Outcome) -> None:
        """The change has its outcome: from now on that is how the command ends."""
        self._known = (change, dry_run, outcome)
        self._code = EXITS[outcome.state]

    def verified(self, verification: Verification | None, code: int | None = None) -> None:
        """A verification followed; `code` where it decides how the command ends."""
        self._verification = verification
        self._code = self._code if code is None else code

    @property
    def code(self) -> int:
        """The exit code; there is one once it `came_to` its outcome."""
        assert self._code is not None  # noqa: S101 - asked only behind `came_to`
        return self._code

    def print_document(self) -> None:
        """Print what is owed, once: all of it, else the outcome alone, which can always be said."""
        if not self._owed or self._known is None:
            return
        self._owed = False
        change, dry_run, outcome = self._known
        try:
            document = change_document(change, dry_run, outcome, self._verification)
            print_json(document)
        except Exception as error:  # noqa: BLE001 - what cannot be encoded hides no outcome
            complain(describe_bug(error))
            with contextlib.suppress(Exception):
                print_json({"id": change.id, "outcome": outcome_document(outcome)})

    def rescue(self, error: BaseException) -> int | None:
        """The exit code after `error`, which is said; None: there is no outcome to end by."""
        if self._code is None:
            return None
        with contextlib.suppress(Exception):
            complain(f"The change has ended, and what followed failed: {_describe(error)}")
        self.print_document()
        return self._code


def outcome_after(error: Exception, session: Session, change: Change, now: float) -> Outcome:
    """The outcome of a change that a mistake of this program interrupted: the journal's, else that
    it is not known. The mistake is written down and said.
    """
    complain(describe_bug(error))
    with contextlib.suppress(Exception):
        entry = session.journal.entry(change.id) if session.journal is not None else None
        if entry is not None and entry.outcome is not None:
            return entry.outcome
    return Outcome(
        "unknown",
        "A mistake in this program interrupted it: it may have been sent.",
        now,
        remedy="`canary status` says what is set; `canary recover` looks what became of it.",
    )


def _describe(error: BaseException) -> str:
    if isinstance(error, CanaryError):
        return str(error)
    return describe_bug(error) if isinstance(error, Exception) else "it was interrupted."
