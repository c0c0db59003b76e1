"""Verification: health of both sides, requests through the router, what Cloud Run reports.

Used by the shell and by the console: whoever carried a change out verifies it afterwards. The
judgement is `rollout.verification`; here is only who is asked, and in which order. Nothing here
changes anything but one file, `outputs/compare_stageN.json`, and the journal's word on the change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from canary.cloud.views import HealthReport, ServiceState
from canary.engine.jobs.job import Host, attempt
from canary.engine.jobs.router_requests import OnProgress, Sleep, compare_now, read_router
from canary.engine.observe.event_log import Severity
from canary.engine.session import Session
from canary.rollout.change.change import Change, SetTraffic, Side
from canary.rollout.errors import CanaryError
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.served import format_others
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.trials.comparison import Comparison
from canary.rollout.trials.jobs import VerificationView
from canary.rollout.trials.verification import (
    HealthAnswer,
    Reported,
    Verification,
    VerificationVerdict,
    VerifyProgress,
    judge_verification,
    output_name,
    verification_document,
    verification_line,
)
from canary.store.journal import Journal, NoteState
from canary.store.outputs import output_path, write_output

VERIFIED_KINDS: Final = frozenset({"promote", "step_back", "rollback_all", "revert"})
"""Changes of the split. Adopting writes only the record, and scaling moves nobody."""


NOTED: Final[dict[VerificationVerdict, NoteState]] = {
    "passed": "verified",
    "not_passed": "not_verified",
    "unverified": "unverified",
}


SEVERITY: Final[dict[VerificationVerdict, Severity]] = {
    "passed": "good",
    "not_passed": "critical",
    "unverified": "warning",
}
"""Not passed is as loud as a failed change."""


class VerifyOrder(msgspec.Struct, frozen=True):
    """What is to be verified. None stands for the plan's number, or for the stage record's share.

    `change` is the id of the change that it is for.
    """

    requests: int | None = None
    delay_ms: float | None = None
    intended_percent: int | None = None
    stage: int | None = None
    change: str = ""


OnVerification = Callable[[Verification], None]


def order_of(change: Change) -> VerifyOrder | None:
    """What verifies a change; None for one that does not move anybody."""
    if change.kind not in VERIFIED_KINDS:
        return None
    moves = [s for s in change.steps if isinstance(s, SetTraffic)]
    if not moves:
        return None
    return VerifyOrder(intended_percent=moves[-1].percent, stage=change.to_stage, change=change.id)


async def verify(
    session: Session, order: VerifyOrder, on_progress: OnProgress, *, sleep: Sleep = asyncio.sleep
) -> Verification:
    """Verify now. What fails is a check of the result; nothing is raised for it.

    The session must be connected. Health is asked first, so that a cold start is over by then.
    """
    plan = session.plan
    total = order.requests if order.requests is not None else plan.verify.requests
    on_progress(VerifyProgress("health", total=total))
    # The observer knows from it where the services answer.
    await session.observer.read_run()
    reports = await session.probe()
    comparison: Comparison | None = None
    why = ""
    try:
        comparison = await compare_now(
            session, on_progress, requests=order.requests, delay_ms=order.delay_ms, sleep=sleep
        )
    except CanaryError as error:
        why = str(error)
    # Behind the requests: what is reported must still be so after them.
    state = await read_router(session)
    intended, stage = _intended(plan, order, state)
    done = comparison.requests if comparison is not None else 0
    on_progress(VerifyProgress("done", done, total))
    return judge_verification(
        plan,
        session.clock.now(),
        intended,
        _reported(state),
        _health_answers(reports),
        comparison,
        stage=stage,
        change=order.change,
        trouble=why,
    )


def write_verification(plan: Plan, base: Path, verification: Verification) -> Path:
    """Write `compare_stageN.json` into the outputs beside canary.toml (`base`); returns its path.

    Raises RecordError.
    """
    path = output_path(base, plan.record.outputs, output_name(verification.stage))
    write_output(path, verification_document(verification))
    return path


def note_verification(journal: Journal | None, verification: Verification) -> bool:
    """Keep in the journal what was found of a change, whoever's console is opened next.

    False for one that was asked for alone, or of a change made elsewhere. Raises RecordError.
    """
    if journal is None or not verification.change:
        return False
    line = verification_line(verification)
    return journal.remark(verification.change, NOTED[verification.verdict], line, verification.at)


def _intended(
    plan: Plan, order: VerifyOrder, state: ServiceState | CanaryError
) -> tuple[int | None, int | None]:
    """The intended share and its stage: as ordered, else as the stage record says."""
    if order.intended_percent is not None:
        stage = order.stage
        if stage is None:
            stage = plan.stage_of_percent(order.intended_percent)
        return order.intended_percent, stage
    if isinstance(state, CanaryError):
        return None, None
    if state.record is not None:
        return state.record.percent, state.record.stage
    stage = None if state.percent is None else plan.stage_of_percent(state.percent)
    return None, stage


def _reported(state: ServiceState | CanaryError) -> Reported:
    if isinstance(state, CanaryError):
        return Reported(None, trouble=str(state))
    if state.percent is None or state.split_trouble:
        why = state.split_trouble or "what is set on the router's service is no share"
        return Reported(None, trouble=why)
    if state.others:
        return Reported(None, trouble=format_others(state.others))
    served = state.served_percent if state.served_percent is not None else state.percent
    return Reported(served, state.reconciling)


def _health_answers(reports: tuple[HealthReport, ...]) -> tuple[HealthAnswer, ...]:
    """Legacy's first, as `Session.probe` has them. Without an address nothing was asked."""
    sides: tuple[Side, Side] = ("legacy", "canary")
    return tuple(
        HealthAnswer(side, report.service, report.ok if report.reached else None, report.message)
        for side, report in zip(sides, reports, strict=True)
    )


class VerificationJob:
    """The console's verifications: one at a time, asked for, or after a change it has submitted.

    `start`, `stop` and `expect` may be called from any thread and return at once. What is found
    goes to the event log, into the file, and to the listeners, in the engine's thread.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._on_progress: OnProgress = lambda _: None
        self._on_verification: OnVerification = lambda _: None
        self._expected: dict[str, Change] = {}
        self._task: asyncio.Task[None] | None = None
        self.view = VerificationView()

    def listen(self, on_progress: OnProgress, on_verification: OnVerification) -> None:
        """Who hears how far it is, and the result."""
        self._on_progress, self._on_verification = on_progress, on_verification

    def start(self, order: VerifyOrder | None = None) -> None:
        """Verify now; a verification that runs is abandoned for it."""
        self._host.in_loop(lambda: self._begin(order if order is not None else VerifyOrder()))

    def stop(self) -> None:
        """Abandon the verification that runs, without a result; nothing when none does."""
        self._host.in_loop(self._abandon)

    def acknowledge(self) -> None:
        """The last result has been seen. In the loop."""
        self._show(acknowledged=self.view.result is not None)

    def expect(self, change: Change) -> None:
        """Verify this change once it is done, if the plan has it so.

        One that runs is abandoned: what it measures is about to be another share.
        """
        wanted = self._host.opening.plan.verify.after_change and order_of(change) is not None

        def note() -> None:
            if order_of(change) is not None:
                self._abandon()
            if wanted:
                self._expected[change.id] = change

        self._host.in_loop(note)

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
        session = self._host.opening.connected
        if session is None:
            self._host.report("The cloud is not connected yet: nothing can be verified.")
            return
        self._task = asyncio.get_running_loop().create_task(
            self._run(session, order), name="verifying"
        )

    def _abandon(self) -> None:
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            self._show(progress=None)
            self._say("info", "the verification was abandoned")

    async def _run(self, session: Session, order: VerifyOrder) -> None:
        async def work() -> None:
            self._keep(session, await verify(session, order, self._follow))

        try:
            error = await attempt("verification", work())
            if error:
                self._host.report(error)
                # A report goes with the next snapshot; that nothing was verified must stay.
                self._say("warning", f"not verified: {error}")
        finally:
            if self._task is asyncio.current_task():
                self._task = None
                self._host.logged()
                self._show(progress=None)

    def _keep(self, session: Session, verification: Verification) -> None:
        self.view = VerificationView(result=verification)
        noted = False
        try:
            noted = note_verification(session.journal, verification)
        except CanaryError as error:
            self._host.report(str(error))
        if noted:
            # The line is the journal's, as for the next console and for others on this host.
            session.observer.read_journal()
            self._host.logged()
        else:
            self._say(SEVERITY[verification.verdict], verification_line(verification))
        self._host.changed()
        self._on_verification(verification)
        try:
            write_verification(session.plan, session.base, verification)
        except CanaryError as error:
            self._host.report(str(error))

    def _follow(self, progress: VerifyProgress) -> None:
        self._show(progress=progress)
        self._on_progress(progress)

    def _show(self, **changes: Any) -> None:
        self.view = msgspec.structs.replace(self.view, **changes)
        self._host.changed()

    def _say(self, severity: Severity, text: str) -> None:
        session = self._host.opening.session
        session.observer.log.say(session.clock.now(), severity, text)
        self._host.logged()


def _is_split_set(change: Change, view: ChangeView) -> bool:
    """Whether the split is as it was wished: also where only a step behind it failed."""
    if view.outcome is not None and view.outcome.state == "done":
        return True
    split = next((i for i, s in enumerate(change.steps) if isinstance(s, SetTraffic)), None)
    return split is not None and split < len(view.steps) and view.steps[split].state == "done"
