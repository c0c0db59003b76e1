"""What the console runs beside observing: its jobs, as one frozen JobsView.

Lives in the engine's loop. Wishes may come from any thread and return at once; what has become of
them leaves a few times a second at most, called from the engine's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from canary.engine.change.recovery import Finding, FindingState, How, Recovery, find_entry, withdraw
from canary.engine.jobs.ab_test import AbTestJob
from canary.engine.jobs.alert_policies import AlertsJob
from canary.engine.jobs.checklist import ChecklistJob
from canary.engine.jobs.job import Host, InLoop
from canary.engine.jobs.load_test import LoadTestJob
from canary.engine.jobs.log_lines import LogLinesJob, OnLines
from canary.engine.jobs.monitoring_loop import LoopOrder
from canary.engine.jobs.monitoring_process import start_detached, state, stop, view_monitoring
from canary.engine.jobs.retirement import RetirementJob
from canary.engine.jobs.verification import VerificationJob
from canary.engine.observe.event_log import Severity
from canary.engine.observe.journal_view import title_of
from canary.engine.session import Session, SessionOpening
from canary.paint.last_seen import Subject
from canary.rollout.change.change import Author, Outcome
from canary.rollout.errors import CanaryError, ReadOnly, Unavailable
from canary.rollout.failures.requests import FailedRequest
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import JobsView, MonitoringView, ResultOf
from canary.rollout.trials.load_test import LoadTestSettings
from canary.store.journal import Journal
from canary.store.outputs import outputs_path

LEAST_PAUSE_S = 0.25
"""Between two views that differ only in how far something is."""
MONITORING_S = 2.0
"""Real seconds between two looks at the monitoring loop's state file."""

OnJobs = Callable[[JobsView], None]


class BackgroundJobs:
    """Runs the jobs, once `opening` is connected, in the loop that `in_loop` reaches.

    `on_event` is told that the event log has something new, `on_error` what hinders. `subject`: the
    plan's file, for what a loop that is started here keeps of what it sees.
    """

    def __init__(
        self,
        opening: SessionOpening,
        in_loop: InLoop,
        on_event: Callable[[], None],
        on_error: Callable[[str], None],
        *,
        author: Author,
        read_only: bool,
        on_jobs: OnJobs | None = None,
        subject: Subject | None = None,
    ) -> None:
        self._opening = opening
        self._subject = subject
        self._in_loop = in_loop
        self._on_event = on_event
        self._on_jobs = on_jobs
        self._read_only = read_only
        self._shown: JobsView | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._monitoring: MonitoringView | None = None
        host = Host(
            opening,
            in_loop,
            say=self._say,
            logged=on_event,
            changed=self._changed,
            report=on_error,
            author=author,
            read_only=read_only,
        )
        self.verification = VerificationJob(host)
        self.load_test = LoadTestJob(host)
        self.checklists = ChecklistJob(host)
        self._ab_test = AbTestJob(host)
        self._retirement = RetirementJob(host)
        self._alerts = AlertsJob(host)
        self._log_lines = LogLinesJob(host)
        self._author = author

    # -- wishes, from any thread -----------------------------------------------------------------

    def verify(self) -> None:
        """Verify the present split now; a verification that runs is abandoned for it."""
        self.verification.start()

    def stop(self) -> None:
        """End the verification and the load test that run here."""
        self.verification.stop()
        self._in_loop(self.load_test.stop)

    def acknowledge(self, what: ResultOf) -> None:
        """The last result of that has been seen."""
        job = self.verification if what == "verification" else self.load_test
        self._in_loop(job.acknowledge)

    def load_target(self) -> str:
        """Where a load test's requests would enter; "" while it is not known."""
        return self.load_test.target_url()

    def start_load_test(self, settings: LoadTestSettings) -> None:
        """Begin a load test. Raises ReadOnly."""
        self._demand_write("A load test is refused")
        self._in_loop(lambda: self.load_test.begin(settings))

    def run_ab_test(self) -> None:
        """Ask BigQuery, and write the analysis for the gate; nothing while it is being asked."""
        self._in_loop(self._ab_test.begin)

    def look_at_retirement(self) -> None:
        """Look up what a retirement would delete."""
        self._in_loop(self._retirement.look)

    def read_lines(self, request: FailedRequest, on_lines: OnLines) -> None:
        """Ask for the application's lines about a request; told from the engine's thread."""
        self._in_loop(lambda: self._log_lines.read(request, on_lines))

    def leave_lines(self) -> None:
        """Nobody waits for them any more."""
        self._in_loop(self._log_lines.leave)

    def look_at_alerts(self) -> None:
        """Compare the alert policies with the plan."""
        self._in_loop(self._alerts.look)

    def apply_alerts(self) -> None:
        """Write the alert policies as they were shown to differ. Raises ReadOnly."""
        self._demand_write("Alert policies are not written")
        self._in_loop(self._alerts.apply)

    def start_monitoring(self, every_s: float | None = None, for_s: float | None = None) -> int:
        """Start the loop in a process of its own, replacing the one that runs; its number.

        None: as the procedure has it for the stage; `for_s` 0: without end. Raises ReadOnly and
        RecordError.
        """
        self._demand_write("The monitoring loop is not started")
        opening = self._opening
        outputs = outputs_path(opening.base, opening.plan.record.outputs)
        order = LoopOrder(str(outputs), every_s, for_s, subject=self._subject)
        pid = start_detached(opening.plan, opening.plan_path, order)
        self._in_loop(self._look_at_monitoring)
        return pid

    def stop_monitoring(self) -> int | None:
        """Ask the loop to end; its process, None when none runs. Raises ReadOnly, RecordError."""
        self._demand_write("The monitoring loop is not stopped")
        pid = stop(self._opening.plan)
        self._in_loop(self._look_at_monitoring)
        return pid

    def read_checklists(self) -> None:
        """Read the checklists anew."""
        self.checklists.read()

    def tick(self, stage: int, item: str, *, done: bool) -> None:
        """Tick an item of a stage's list, or take that back, in this console's author's name."""
        self.checklists.tick(item, stage=stage, done=done)

    # -- in the loop -----------------------------------------------------------------------------

    async def watch(self) -> None:
        """Follow the monitoring loop's state, whoever started it; until cancelled."""
        while True:
            self._look_at_monitoring()
            await asyncio.sleep(MONITORING_S)

    def look(self, snapshot: Snapshot) -> None:
        """Follow the rollout: what a change that has ended calls for is begun."""
        self.verification.look(snapshot)
        self.checklists.look(snapshot)

    def view(self) -> JobsView:
        """All of it now."""
        return JobsView(
            verification=self.verification.view,
            load_test=self.load_test.view,
            ab_test=self._ab_test.view,
            monitoring=self._monitoring,
            checklists=self.checklists.book,
            retirement=self._retirement.view,
            alerts=self._alerts.view,
        )

    def _look_at_monitoring(self) -> None:
        try:
            seen = view_monitoring(state(self._opening.plan))
        except CanaryError as error:
            seen = MonitoringView(trouble=str(error))
        if seen != self._monitoring:
            self._monitoring = seen
            self._changed()

    def _say(self, severity: Severity, text: str) -> None:
        session = self._opening.connected
        if session is not None:
            session.observer.log.say(session.clock.now(), severity, text, str(self._author))
        self._on_event()

    def _changed(self) -> None:
        """Show it soon: at once when it is the first for a while, else with the next ones."""
        if self._waiting is None:
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(LEAST_PAUSE_S, self._show)

    def _show(self) -> None:
        self._waiting = None
        view = self.view()
        if view != self._shown:
            self._shown = view
            if self._on_jobs is not None:
                self._on_jobs(view)

    def _demand_write(self, what: str) -> None:
        if self._read_only:
            raise ReadOnly(f"{what}: this console is read-only.")


# Recovery of a change: its status checked, resumed, abandoned or withdrawn. May be asked from any
# thread and returns at once; what was found goes to the event log.

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
    """Recovers changes of `session`. `begin` runs work in the engine's loop, errors told;
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
        """Verify, resume or abandon a change; refusals are told as errors."""
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
