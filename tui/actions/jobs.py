"""What the keys do beside changing the split: verification, trials, loops, checklists, surveys.

Most are begun at once. What makes load or leaves a process behind asks in the strip before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from canary.rollout.errors import CanaryError, GateNotMet
from canary.rollout.permit import permit
from canary.rollout.plan.plan import Plan
from canary.rollout.trials import retirement
from canary.rollout.trials.checklist import check_tick
from canary.rollout.trials.jobs import JobsView
from canary.rollout.trials.load_test import LoadTestSettings
from tui.actions.changes import NOT_LOOKED, Pending, make_request, new_id, pin
from tui.actions.context import Context
from tui.actions.questions import (
    APPLY_ALERTS,
    LOAD_TEST,
    START_MONITORING,
    STOP_MONITORING,
    ask_load_test,
    ask_monitoring,
    ask_to_apply,
    ask_to_stop,
)
from tui.pages.layout import PAGES
from widgets.bars.proposal import Proposal

if TYPE_CHECKING:
    from widgets.pages.checklist import ChecklistPage
    from widgets.pages.differences import DifferencesPage

_MOVES: Final = {"up": -1, "down": 1, "pageup": -10, "pagedown": 10}
_LETTERS: Final = {"k": "up", "j": "down"}
"""Scroll as in less and vim, where the plan gives them no other meaning."""
READ_ONLY: Final = "This console is read-only."
NOT_COMPARED: Final = "The alert policies were not compared yet: open alerts first."


class JobActions:
    """The actions by their names in the table of keys."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._screen = context.screen
        self.actions: dict[str, Callable[[], None]] = {
            "verify": self.verify,
            "verification": lambda: context.toggle_page("verification"),
            "load_test": self.load_test,
            "stop": self.stop,
            "checklist": self.checklist,
            "differences": self.differences,
            "ab_test": self.ab_test,
            "monitoring": lambda: context.toggle_page("monitoring"),
            "start_monitoring": self.ask_to_start_monitoring,
            "stop_monitoring": self.ask_to_stop_monitoring,
            "approval": lambda: context.toggle_page("approval"),
            "retirement": self.show_retirement,
            "retire": self.retire,
            "alerts": self.show_alerts,
            "apply_alerts": self.ask_to_apply,
        }

    @property
    def _procedure(self) -> JobsView:
        return self._screen.procedure

    def why_not(self, name: str) -> str | None:
        """Why an action of these can do nothing now; None when it can."""
        procedure, situation = self._procedure, self._context.situation()
        if name == "stop":
            running = procedure.verification.progress is not None or procedure.load_test.is_running
            return None if running else "Nothing runs here that could be stopped."
        if name == "approval":
            found = self._screen.approval.approval is not None
            return None if found else "No final approval was asked for from here."
        if name == "load_test":
            if procedure.load_test.is_running:
                return None
            return self._why_no_load(situation.read_only)
        if name in ("start_monitoring", "stop_monitoring") and situation.read_only:
            return READ_ONLY
        if name == "retire":
            return self._why_not_retire()
        if name == "apply_alerts":
            return self._why_not_apply(situation.read_only)
        loop = procedure.monitoring
        if name == "stop_monitoring" and (loop is None or not loop.running):
            return "No monitoring loop runs on this host."
        return None

    def _why_no_load(self, read_only: bool) -> str | None:
        snapshot = self._screen.snapshot
        if read_only:
            return f"{READ_ONLY} A load test would put load on both sides."
        if snapshot is None:
            return NOT_LOOKED
        if snapshot.traffic.canary_percent == 0:
            return "Canary takes 0 %: a load test would not reach it."
        return None

    def _why_not_apply(self, read_only: bool) -> str | None:
        view = self._procedure.alerts
        if read_only:
            return READ_ONLY
        if view.actions is None:
            return NOT_COMPARED
        return None if view.changes else "All alert policies are as the plan says."

    # -- doing -----------------------------------------------------------------------------------

    def verify(self) -> None:
        """Verify the present split; the bar shows how far it is."""
        self._context.jobs.verify()

    def stop(self) -> None:
        """End what runs."""
        self._context.jobs.stop()
        self._context.say("Stopping it …")

    def load_test(self) -> None:
        """Ask whether to begin one; show the one that runs."""
        if self._procedure.load_test.is_running:
            self._context.toggle_page("load-test")
            return
        plan = self._screen.plan
        settings = settings_of(plan)
        self._context.ask(ask_load_test(settings, self._context.jobs.load_target(), plan))

    def ab_test(self) -> None:
        """Ask BigQuery, and show what it says."""
        self._context.jobs.run_ab_test()
        self._context.open_page("ab-test")

    def ask_to_start_monitoring(self) -> None:
        """Ask whether to start the loop."""
        self._context.ask(ask_monitoring(self._procedure.monitoring, self._screen.plan))

    def ask_to_stop_monitoring(self) -> None:
        """Ask whether to stop the loop."""
        loop = self._procedure.monitoring
        if loop is not None:
            self._context.ask(ask_to_stop(loop))

    def checklist(self) -> None:
        """Show the checklist of the present stage, read anew."""
        self._context.jobs.read_checklists()
        page = self._screen.checklist
        page.chosen = None
        page.cursor = page.top = 0
        self._context.toggle_page("checklist")

    def differences(self) -> None:
        """Show what Canary runs otherwise; the next stage's checklist has it as looked at."""
        self._context.toggle_page("differences")
        snapshot, book = self._screen.snapshot, self._procedure.checklists
        following = book.following if book is not None else None
        line = following.line("differences") if following is not None else None
        shown = snapshot is not None and snapshot.differences is not None and self._screen.zoomed
        may = shown and not self._context.situation().read_only
        if may and following is not None and line is not None and not line.done:
            self._context.jobs.tick(following.stage, "differences", done=True)

    def accept(self, proposal: Proposal) -> bool:
        """Do what was asked for, if it is one of these; False when it is not."""
        accepted: dict[str, Callable[[], None]] = {
            LOAD_TEST: self._begin_load_test,
            START_MONITORING: self._start_monitoring,
            STOP_MONITORING: self._stop_monitoring,
            APPLY_ALERTS: lambda: self._context.jobs.apply_alerts(),
        }
        act = accepted.get(proposal.change_id)
        if act is None:
            return False
        self._context.attempt(act)
        return True

    def _begin_load_test(self) -> None:
        self._context.jobs.start_load_test(settings_of(self._screen.plan))
        self._context.open_page("load-test")

    def _start_monitoring(self) -> None:
        pid = self._context.jobs.start_monitoring()
        self._context.say(f"The monitoring loop is started (process {pid}).")

    def _stop_monitoring(self) -> None:
        pid = self._context.jobs.stop_monitoring()
        asked = f"The loop of process {pid} is asked to end." if pid else "No loop runs any more."
        self._context.say(asked)

    def _why_not_retire(self) -> str | None:
        situation, view = self._context.situation(), self._screen.procedure.retirement
        snapshot = situation.snapshot
        if snapshot is None:
            return NOT_LOOKED
        if snapshot.retired or view.gone:
            return "Legacy is retired already."
        reason = permit.why_not("retire", snapshot, situation.read_only)
        if reason is not None:
            return reason
        against = retirement.find_reasons(situation.plan, snapshot)
        if against:
            return f"{against[0].text} {against[0].remedy}"
        if view.candidate is None:
            return "What would be deleted was not looked up yet: open retirement first."
        return None

    def show_retirement(self) -> None:
        """The calendar; what would be deleted is looked up."""
        self._context.jobs.look_at_retirement()
        self._context.toggle_page("retirement")

    def retire(self) -> None:
        """Ask for the service's name, on all that would be deleted."""
        self._context.open_page("retirement")
        self._context.open_change(self._prepare)

    def _prepare(self) -> Pending:
        situation, candidate = self._context.situation(), self._screen.procedure.retirement
        snapshot = situation.snapshot
        if snapshot is None or candidate.candidate is None:
            raise GateNotMet(NOT_LOOKED)
        request = make_request(situation, snapshot, new_id)
        change = retirement.retire(situation.plan, candidate.candidate, snapshot, request)
        return pin(situation, snapshot, change)

    def show_alerts(self) -> None:
        """Compare, and show the difference."""
        self._context.jobs.look_at_alerts()
        self._context.toggle_page("alerts")

    def ask_to_apply(self) -> None:
        """Ask whether to write the difference that is shown."""
        self._context.open_page("alerts")
        self._context.ask(ask_to_apply(self._screen.procedure.alerts))

    # -- pages -----------------------------------------------------------------------------------

    def takes(self, key: str) -> bool:
        """Give a key to the page (or the events) shown; False when it means nothing there."""
        screen = self._screen
        if screen.keymap.action(key) is None:
            key = _LETTERS.get(key, key)
        if screen.zoomed and screen.panel == "events" and key in _MOVES:
            screen.event_log.move(_MOVES[key])
            return True
        if not screen.zoomed or screen.panel not in PAGES:
            return False
        page = screen.pages[screen.panel]
        if key in _MOVES:
            page.move(_MOVES[key])
            return True
        if isinstance(page, _differences_page()) and key in ("space", " "):
            page.whole = not page.whole
            return True
        checklist = screen.checklist
        if page is not checklist:
            return False
        if key in ("left", "right"):
            checklist.turn(-1 if key == "left" else 1)
        elif key in ("space", " ", "enter"):
            self._context.attempt(lambda: self.tick(checklist))
        else:
            return False
        return True

    def tick(self, page: ChecklistPage) -> None:
        """Tick the item at the cursor, or take the tick back; say why it may not be."""
        shown, line = page.shown, page.line
        if shown is None or line is None:
            return
        if self._context.situation().read_only:
            self._context.say(f"{READ_ONLY} Nothing can be ticked from here.")
            return
        try:
            check_tick(shown, line.item.id, done=not line.done)
        except CanaryError as refusal:
            self._context.say(str(refusal))
            return
        self._context.jobs.tick(shown.stage, line.item.id, done=not line.done)


def _differences_page() -> type[DifferencesPage]:
    from widgets.pages.differences import DifferencesPage  # no first frame shows a page

    return DifferencesPage


def settings_of(plan: Plan) -> LoadTestSettings:
    """The plan's load test. Raises UsageError when its profile is not there."""
    from canary.engine.jobs.load_test import choose_settings

    return choose_settings(plan)
