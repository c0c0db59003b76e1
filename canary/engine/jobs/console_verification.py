"""The console's verifications: one at a time, asked for, or after a change that it has submitted.

Lives in the engine's loop; `start`, `stop` and `expect` may be called from any thread and return at
once. What is found goes to the event log, to `outputs/compare_stageN.json`, and to the listeners,
which are called from the engine's thread with frozen values.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from canary.engine.jobs.verify import (
    OnProgress,
    VerifyOrder,
    VerifyProgress,
    note_verification,
    order_of,
    verify,
    write_verification,
)
from canary.engine.observe.event_log import Severity
from canary.engine.session import Session, SessionOpening
from canary.rollout.change.change import Change, SetTraffic
from canary.rollout.errors import CanaryError
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.trials.verification import Verification, VerificationVerdict, verification_line

log = logging.getLogger(__name__)

SEVERITY: Final[dict[VerificationVerdict, Severity]] = {
    "passed": "good",
    "not_passed": "critical",
    "unverified": "warning",
}
"""Not passed is as loud as a failed change."""

OnVerification = Callable[[Verification], None]
InLoop = Callable[[Callable[[], object]], None]


class Verifying:
    """Verifies once `opening` is connected, inside the loop that `in_loop` reaches.

    `on_trouble` is told what hinders it, `on_change` that the event log has something new.
    """

    def __init__(
        self,
        opening: SessionOpening,
        in_loop: InLoop,
        on_trouble: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        self._opening = opening
        self._in_loop = in_loop
        self._on_trouble, self._on_change = on_trouble, on_change
        self._on_progress: OnProgress = _hear
        self._on_verification: OnVerification = _hear
        self._expected: dict[str, Change] = {}
        self._task: asyncio.Task[None] | None = None
        self.progress: VerifyProgress | None = None
        self.last: Verification | None = None

    def listen(self, on_progress: OnProgress, on_verification: OnVerification) -> None:
        """Who is told: how far it is, and the result."""
        self._on_progress, self._on_verification = on_progress, on_verification

    def start(self, order: VerifyOrder | None = None) -> None:
        """Verify now; a verification that runs is abandoned for it."""
        self._in_loop(lambda: self._begin(order if order is not None else VerifyOrder()))

    def stop(self) -> None:
        """Abandon the verification that runs, without a result; nothing when none does."""
        self._in_loop(self._abandon)

    def expect(self, change: Change) -> None:
        """Verify this change once it is done, if the plan has it so.

        One that runs is abandoned: what it measures is about to be another share.
        """
        wanted = self._opening.plan.verify.after_change and order_of(change) is not None

        def note() -> None:
            if order_of(change) is not None:
                self._abandon()
            if wanted:
                self._expected[change.id] = change

        self._in_loop(note)

    def look(self, snapshot: Snapshot) -> None:
        """Begin what an outcome in the snapshot calls for. Called inside the loop."""
        if not self._expected:
            return
        for view in snapshot.changes:
            if view.outcome is None:
                continue
            change = self._expected.pop(view.id, None)
            order = order_of(change) if change is not None else None
            if order is not None and change is not None and _is_split_set(change, view):
                self._begin(order)

    def _begin(self, order: VerifyOrder) -> None:
        self._abandon()
        session = self._opening.connected
        if session is None:
            self._on_trouble("The cloud is not connected yet: nothing can be verified.")
            return
        self._task = asyncio.get_running_loop().create_task(
            self._run(session, order), name="verifying"
        )

    def _abandon(self) -> None:
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            self.progress = None
            self._say("info", "the verification was abandoned")

    async def _run(self, session: Session, order: VerifyOrder) -> None:
        try:
            verification = await verify(session, order, self._show)
            self.progress = None
            self._keep(session, verification)
        except CanaryError as error:
            self._on_trouble(str(error))
        except Exception as error:
            # The boundary of this task: what nobody foresaw is logged and shown.
            log.exception("verifying")
            name = type(error).__name__
            self._on_trouble(f"The verification failed ({name}); nothing is verified.")
        finally:
            if self._task is asyncio.current_task():
                self._task, self.progress = None, None
                self._on_change()

    def _keep(self, session: Session, verification: Verification) -> None:
        self.last = verification
        noted = False
        try:
            noted = note_verification(session.journal, verification)
        except CanaryError as error:
            self._on_trouble(str(error))
        if noted:
            # The line is the journal's, as for the next console and for others on this host.
            session.observer.read_journal()
            self._on_change()
        else:
            self._say(SEVERITY[verification.verdict], verification_line(verification))
        self._on_verification(verification)
        try:
            write_verification(session.plan, session.base, verification)
        except CanaryError as error:
            self._on_trouble(str(error))

    def _show(self, progress: VerifyProgress) -> None:
        self.progress = progress
        self._on_progress(progress)

    def _say(self, severity: Severity, text: str) -> None:
        session = self._opening.session
        session.observer.log.say(session.clock.now(), severity, text)
        self._on_change()


def _is_split_set(change: Change, view: ChangeView) -> bool:
    """Whether the split is as it was wished: also where only a step behind it failed."""
    if view.outcome is not None and view.outcome.state == "done":
        return True
    split = next((i for i, s in enumerate(change.steps) if isinstance(s, SetTraffic)), None)
    return split is not None and split < len(view.steps) and view.steps[split].state == "done"


def _hear(news: VerifyProgress | Verification) -> None:
    """While nobody listens."""
    log.debug("%s", news)
