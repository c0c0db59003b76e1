"""What the keys do beside changing the split: verification, trials, loop, checklists, their pages.

Most are begun at once. What makes load or leaves a process behind asks in the strip before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from canary.rollout.errors import CanaryError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_count, format_duration, format_timestamp, sanitize
from canary.rollout.trials.checklist import check_tick
from canary.rollout.trials.jobs import JobsView, MonitoringView
from canary.rollout.trials.load_test import LoadTestSettings
from tui.actions.changes import NOT_LOOKED
from tui.pages.layout import PAGES
from widgets.bars.confirm_strip import Proposal

if TYPE_CHECKING:
    from tui.commands import Commands
    from tui.engine_port import JobsPort
    from widgets.pages.checklist import ChecklistPage

LOAD_TEST: Final = "load_test"
START_MONITORING: Final = "start_monitoring"
STOP_MONITORING: Final = "stop_monitoring"
"""Ids of questions; those of changes are hexadecimal."""

_MOVES: Final = {"up": -1, "down": 1, "pageup": -10, "pagedown": 10}
READ_ONLY: Final = "This console is read-only."


class JobActions:
    """The actions of the procedure, by their names in the table of keys."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._screen = commands.screen
        self.actions: dict[str, Callable[[], None]] = {
            "verify": self.verify,
            "verification": lambda: self.show("verification"),
            "load_test": self.load_test,
            "stop": self.stop,
            "checklist": self.checklist,
            "ab_test": self.ab_test,
            "monitoring": lambda: self.show("monitoring"),
            "start_monitoring": self.ask_to_start_monitoring,
            "stop_monitoring": self.ask_to_stop_monitoring,
            "approval": lambda: self.show("approval"),
        }

    @property
    def _procedure(self) -> JobsView:
        return self._screen.procedure

    def _port(self) -> JobsPort:
        return self._commands.app.engine_of().procedure

    def why_not(self, name: str) -> str | None:
        """Why an action of these can do nothing now; None when it can."""
        procedure, situation = self._procedure, self._commands.situation()
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

    # -- doing -----------------------------------------------------------------------------------

    def verify(self) -> None:
        """Verify the present split; the bar shows how far it is."""
        self._port().verify()

    def stop(self) -> None:
        """End what runs."""
        self._port().stop()
        self._commands.say("Told to stop.")

    def load_test(self) -> None:
        """Ask whether to begin one; show the one that runs."""
        if self._procedure.load_test.is_running:
            self.show("load-test")
            return
        plan = self._screen.plan
        settings = settings_of(plan)
        self._screen.talk.open(ask_load_test(settings, self._port().load_target(), plan))

    def ab_test(self) -> None:
        """Ask BigQuery, and show what it says."""
        self._port().run_ab_test()
        self.open_page("ab-test")

    def ask_to_start_monitoring(self) -> None:
        """Ask whether to start the loop."""
        self._screen.talk.open(ask_monitoring(self._procedure.monitoring, self._screen.plan))

    def ask_to_stop_monitoring(self) -> None:
        """Ask whether to stop the loop."""
        loop = self._procedure.monitoring
        if loop is not None:
            self._screen.talk.open(ask_to_stop(loop))

    def checklist(self) -> None:
        """Show the checklist of the present stage, read anew."""
        self._port().read_checklists()
        page = self._screen.checklist
        page.chosen = None
        page.cursor = page.top = 0
        self.show("checklist")

    def accept(self, proposal: Proposal) -> bool:
        """Do what was asked for, if it is one of these; False when it is not."""
        accepted: dict[str, Callable[[], None]] = {
            LOAD_TEST: self._begin_load_test,
            START_MONITORING: self._start_monitoring,
            STOP_MONITORING: self._stop_monitoring,
        }
        act = accepted.get(proposal.change_id)
        if act is None:
            return False
        self._commands.attempt(act)
        return True

    def _begin_load_test(self) -> None:
        self._port().start_load_test(settings_of(self._screen.plan))
        self.open_page("load-test")

    def _start_monitoring(self) -> None:
        pid = self._port().start_monitoring()
        self._commands.say(f"The monitoring loop is started (process {pid}).")

    def _stop_monitoring(self) -> None:
        pid = self._port().stop_monitoring()
        asked = f"The loop of process {pid} is asked to end." if pid else "No loop runs any more."
        self._commands.say(asked)

    # -- pages -----------------------------------------------------------------------------------

    def show(self, page: str) -> None:
        """Let a page fill the screen; again gives the others back."""
        if self._screen.zoomed and self._screen.panel == page:
            self._screen.zoomed = False
        else:
            self.open_page(page)

    def open_page(self, page: str) -> None:
        """Let a page fill the screen."""
        self._screen.panel = page
        self._screen.zoomed = True

    def takes(self, key: str) -> bool:
        """Give a key to the page that is shown; False when it means nothing there."""
        screen = self._screen
        if not screen.zoomed or screen.panel not in PAGES:
            return False
        page = screen.pages[screen.panel]
        if key in _MOVES:
            page.move(_MOVES[key])
            return True
        checklist = screen.checklist
        if page is not checklist:
            return False
        if key in ("left", "right"):
            checklist.turn(-1 if key == "left" else 1)
        elif key in ("space", " ", "enter"):
            self._commands.attempt(lambda: self.tick(checklist))
        else:
            return False
        return True

    def tick(self, page: ChecklistPage) -> None:
        """Tick the item at the cursor, or take the tick back; say why it may not be."""
        shown, line = page.shown, page.line
        if shown is None or line is None:
            return
        if self._commands.situation().read_only:
            self._commands.say(f"{READ_ONLY} Nothing can be ticked from here.")
            return
        try:
            check_tick(shown, line.item.id, done=not line.done)
        except CanaryError as refusal:
            self._commands.say(str(refusal))
            return
        self._port().tick(shown.stage, line.item.id, done=not line.done)

    def step_page(self, step: int) -> bool:
        """Go to the next page; False when none is shown."""
        screen = self._screen
        if not screen.zoomed or screen.panel not in PAGES:
            return False
        names = [n for n in PAGES if n != "approval" or screen.approval.approval is not None]
        at = names.index(screen.panel) if screen.panel in names else 0
        screen.panel = names[(at + step) % len(names)]
        if screen.panel == "checklist":
            self._commands.attempt(self._port().read_checklists)
        return True


def settings_of(plan: Plan) -> LoadTestSettings:
    """The plan's load test. Raises UsageError when its profile is not there."""
    from canary.engine.jobs.load_test import choose_settings

    return choose_settings(plan)


def ask_load_test(settings: LoadTestSettings, url: str, plan: Plan) -> Proposal:
    """The question before real load is made."""
    users, length = format_count(settings.users), format_duration(settings.duration_s)
    pause_s = (settings.profile.min_wait_s + settings.profile.max_wait_s) / 2
    about = f"up to about {settings.users / pause_s:.0f} requests/s" if pause_s > 0 else "requests"
    where = sanitize(url, 80) or "the router's address"
    local = " (the local cloud)" if plan.provider == "local" else ""
    return Proposal(
        change_id=LOAD_TEST,
        title="Load test",
        facts=(
            f"{users} users, {settings.spawn_rate:g} more a second",
            length,
            f"profile {sanitize(settings.profile_name, 30)}",
        ),
        target=f"{where}{local}",
        note=f"It makes real load, {about}, on whatever takes the traffic: Legacy and Canary.",
        command=(
            f"canary load-test --users {settings.users} --spawn-rate {settings.spawn_rate:g}"
            f" --duration {settings.duration_s / 60:g}m --profile {settings.profile_name}"
        ),
    )


def ask_monitoring(loop: MonitoringView | None, plan: Plan) -> Proposal:
    """The question before the loop is started."""
    replaced = ""
    if loop is not None and loop.running:
        since = f" since {format_timestamp(loop.since)}" if loop.since is not None else ""
        replaced = f"It replaces the loop that runs{since} (process {loop.pid})."
    return Proposal(
        change_id=START_MONITORING,
        title="Start the monitoring loop",
        facts=(
            "a snapshot every 30 m for 24 h; at the last stage every 60 m, without end",
            f"into {sanitize(plan.record.outputs, 60)}/",
        ),
        note=replaced or "A process of its own, which goes on when this console is left.",
        command="canary monitor --detach",
    )


def ask_to_stop(loop: MonitoringView) -> Proposal:
    """The question before the loop is stopped."""
    return Proposal(
        change_id=STOP_MONITORING,
        title="Stop the monitoring loop",
        facts=(f"process {loop.pid}", f"files so far: {format_count(loop.files)}"),
        command="canary monitor --stop",
    )
