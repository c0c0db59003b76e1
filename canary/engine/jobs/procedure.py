"""What the console runs beside observing: verification, load test, A/B test, monitoring loop.

Lives in the engine's loop. Wishes may come from any thread and return at once; what has become of
them leaves as one frozen Procedure, a few times a second at most, called from the engine's thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import msgspec

from canary.engine.jobs.ab_test import ask_bigquery, write_analysis
from canary.engine.jobs.checklist_desk import ChecklistDesk
from canary.engine.jobs.console_load_test import LoadTesting
from canary.engine.jobs.console_verification import Verifying
from canary.engine.jobs.monitoring_loop import LoopOrder
from canary.engine.jobs.monitoring_process import start_detached, state, stop, view_monitoring
from canary.engine.jobs.surveys import Surveys
from canary.engine.observe.event_log import Severity
from canary.engine.session import SessionOpening
from canary.rollout.change.change import Author
from canary.rollout.errors import CanaryError, ReadOnly
from canary.rollout.trials.ab_test import AbStatus, summarise
from canary.rollout.trials.checklist import ChecklistBook
from canary.rollout.trials.jobs import (
    AbTestView,
    JobsView,
    MonitoringView,
    ResultOf,
    VerificationView,
)
from canary.rollout.trials.load_test import LoadTestSettings
from canary.rollout.trials.verification import Verification, VerifyProgress

log = logging.getLogger(__name__)

LEAST_PAUSE_S = 0.25
"""Between two Procedures that differ only in how far something is."""
MONITORING_S = 2.0
"""Real seconds between two looks at the monitoring loop's state file."""

AB_SEVERITY: Final[dict[AbStatus, Severity]] = {
    "APPROVED": "good",
    "NOT_APPROVED": "critical",
    "NO_DATA": "warning",
}
AB_WORDS: Final[dict[AbStatus, str]] = {
    "APPROVED": "A/B test approves Canary",
    "NOT_APPROVED": "A/B test does not approve Canary",
    "NO_DATA": "A/B test",
}

OnJobs = Callable[[JobsView], None]
InLoop = Callable[[Callable[[], object]], None]


class BackgroundJobs:
    """Runs the procedure's parts, once `opening` is connected, in the loop that `in_loop` reaches.

    `on_event` is told that the event log has something new, `on_trouble` what hinders.
    """

    def __init__(
        self,
        opening: SessionOpening,
        in_loop: InLoop,
        on_event: Callable[[], None],
        on_trouble: Callable[[str], None],
        *,
        author: Author,
        read_only: bool,
    ) -> None:
        self._opening = opening
        self._in_loop = in_loop
        self._on_event, self._on_trouble = on_event, on_trouble
        self._author = author
        self._read_only = read_only
        self._on_procedure: OnJobs = _hear
        self._shown: JobsView | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._acknowledged: Verification | None = None
        self._ab_test = AbTestView()
        self._asking: asyncio.Task[None] | None = None
        self._monitoring: MonitoringView | None = None
        self._book: ChecklistBook | None = None
        self.surveys = Surveys(opening, self._say, self._changed, author)
        self.load_testing = LoadTesting(opening, self._say, self._changed)
        self.verifying = Verifying(opening, in_loop, on_trouble, self._heard)
        self.verifying.listen(self._hear_progress, self._hear_result)
        self.checklists = ChecklistDesk(opening, in_loop, on_trouble, read_only=read_only)
        self.checklists.listen(self._take_book)

    def listen(self, on_procedure: OnJobs) -> None:
        """Who is told."""
        self._on_procedure = on_procedure

    # -- wishes, from any thread -----------------------------------------------------------------

    def verify(self) -> None:
        """Verify the present split now; a verification that runs is abandoned for it."""
        self.verifying.start()

    def stop(self) -> None:
        """End the verification and the load test that run here."""
        self.verifying.stop()
        self._in_loop(lambda: self.load_testing.stop(str(self._author)))

    def acknowledge(self, what: ResultOf) -> None:
        """The last result of that has been seen."""

        def note() -> None:
            self._acknowledged = self.verifying.last
            self._changed()

        self._in_loop(note if what == "verification" else self.load_testing.acknowledge)

    def load_target(self) -> str:
        """Where a load test's requests would enter; "" while it is not known."""
        return self.load_testing.target_url()

    def start_load_test(self, settings: LoadTestSettings) -> None:
        """Begin a load test. Raises ReadOnly."""
        self._demand_write("A load test is refused")
        self._in_loop(lambda: self._begin_load_test(settings))

    def run_ab_test(self) -> None:
        """Ask BigQuery, and write the analysis for the gate; nothing while it is being asked."""
        self._in_loop(self._begin_ab_test)

    def look_at_retirement(self) -> None:
        """Look up what a retirement would delete."""
        self._in_loop(self.surveys.look_at_retirement)

    def look_at_alerts(self) -> None:
        """Compare the alert policies with the plan."""
        self._in_loop(self.surveys.look_at_alerts)

    def apply_alerts(self) -> None:
        """Write the alert policies as they were shown to differ. Raises ReadOnly."""
        self._demand_write("Alert policies are not written")
        self._in_loop(self.surveys.apply_alerts)

    def start_monitoring(self, every_s: float | None = None, for_s: float | None = None) -> int:
        """Start the loop in a process of its own, replacing the one that runs; its number.

        None: as the procedure has it for the stage; `for_s` 0: without end. Raises ReadOnly and
        RecordError.
        """
        self._demand_write("The monitoring loop is not started")
        opening = self._opening
        outputs = opening.base / opening.plan.record.outputs
        order = LoopOrder(str(outputs.absolute()), every_s, for_s)
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
        self.checklists.tick(item, self._author, stage=stage, done=done)

    # -- in the loop -----------------------------------------------------------------------------

    async def watch(self) -> None:
        """Follow the monitoring loop's state, whoever started it; until cancelled."""
        while True:
            self._look_at_monitoring()
            await asyncio.sleep(MONITORING_S)

    def view(self) -> JobsView:
        """All of it now."""
        verifying = self.verifying
        result = verifying.last
        return JobsView(
            verification=VerificationView(
                verifying.progress, result, result is not None and result is self._acknowledged
            ),
            load_test=self.load_testing.view,
            ab_test=self._ab_test,
            monitoring=self._monitoring,
            checklists=self._book,
            retirement=self.surveys.retirement,
            alerts=self.surveys.alerts,
        )

    def _begin_load_test(self, settings: LoadTestSettings) -> None:
        if self._opening.connected is None:
            self._on_trouble("The cloud is not connected yet: no load test can begin.")
            return
        self.load_testing.begin(settings, str(self._author))

    def _begin_ab_test(self) -> None:
        if self._ab_test.running:
            return
        if self._opening.connected is None:
            self._on_trouble("The cloud is not connected yet: the A/B test cannot be asked for.")
            return
        self._ab_test = msgspec.structs.replace(self._ab_test, running=True, trouble="")
        loop = asyncio.get_running_loop()
        self._asking = loop.create_task(self._ask_ab_test(), name="A/B test")
        self._changed()

    async def _ask_ab_test(self) -> None:
        session, trouble = self._opening.session, ""
        try:
            run = await ask_bigquery(session)
            self._ab_test = AbTestView(True, run.analysis, run.source)
            write_analysis(session.plan, session.base, run)
            status = run.analysis.status
            self._say(AB_SEVERITY[status], f"{AB_WORDS[status]}: {summarise(run.analysis)}")
        except CanaryError as error:
            trouble = str(error)
        except Exception as error:
            # The boundary of this task: what nobody foresaw is logged and shown.
            log.exception("A/B test")
            trouble = f"The A/B test failed ({type(error).__name__}). See engine.log."
        if trouble:
            self._say("warning", f"A/B test: {trouble}")
        self._ab_test = msgspec.structs.replace(self._ab_test, running=False, trouble=trouble)
        self._changed()

    def _look_at_monitoring(self) -> None:
        try:
            seen = view_monitoring(state(self._opening.plan))
        except CanaryError as error:
            seen = MonitoringView(trouble=str(error))
        if seen != self._monitoring:
            self._monitoring = seen
            self._changed()

    def _take_book(self, book: ChecklistBook) -> None:
        self._book = book
        self._changed()

    def _hear_progress(self, _: VerifyProgress) -> None:
        self._changed()

    def _hear_result(self, _: Verification) -> None:
        self._changed()

    def _heard(self) -> None:
        """The event log has something new, perhaps because something ended."""
        self._on_event()
        self._changed()

    def _say(self, severity: Severity, text: str, by: str = "") -> None:
        session, author = self._opening.connected, by or str(self._author)
        if session is not None:
            session.observer.log.say(session.clock.now(), severity, text, author)
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
            self._on_procedure(view)

    def _demand_write(self, what: str) -> None:
        if self._read_only:
            raise ReadOnly(f"{what}: this console is read-only.")


def _hear(_: JobsView) -> None:
    """Nobody listens."""
