"""What is looked up on request, and what may follow: Legacy's retirement, the alert policies."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from canary.rollout.errors import GateNotMet
from canary.rollout.permit import permit
from canary.rollout.text import format_count
from canary.rollout.trials import retirement
from canary.rollout.trials.jobs import AlertsView
from tui.actions.changes import NOT_LOOKED
from tui.actions.pending import Pending, make_request, pin
from widgets.bars.confirm_strip import Proposal

if TYPE_CHECKING:
    from tui.commands import Commands
    from tui.engine_port import JobsPort

APPLY_ALERTS: Final = "apply_alerts"
"""Id of the question; those of changes are hexadecimal."""
NOT_COMPARED: Final = "The alert policies were not compared yet: open alerts first."


class SurveyActions:
    """The actions by their names in the table of keys."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._screen = commands.screen
        self.actions: dict[str, Callable[[], None]] = {
            "retirement": self.show_retirement,
            "retire": self.retire,
            "alerts": self.show_alerts,
            "apply_alerts": self.ask_to_apply,
        }

    def why_not(self, name: str) -> str | None:
        """Why an action of these can do nothing now; None when it can."""
        situation = self._commands.situation()
        if name == "retire":
            return self._why_not_retire()
        if name == "apply_alerts":
            if situation.read_only:
                return "This console is read-only."
            view = self._screen.procedure.alerts
            if view.actions is None:
                return NOT_COMPARED
            return None if view.changes else "All alert policies are as the plan says."
        return None

    def _why_not_retire(self) -> str | None:
        situation, view = self._commands.situation(), self._screen.procedure.retirement
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
        self._port().look_at_retirement()
        self._commands.procedure.show("retirement")

    def retire(self) -> None:
        """Ask for the service's name, on all that would be deleted."""
        self._commands.procedure.open_page("retirement")
        self._commands.open(self._prepare)

    def _prepare(self) -> Pending:
        situation, candidate = self._commands.situation(), self._screen.procedure.retirement
        snapshot = situation.snapshot
        if snapshot is None or candidate.candidate is None:
            raise GateNotMet(NOT_LOOKED)
        request = make_request(situation, snapshot, lambda: uuid.uuid4().hex)
        change = retirement.retire(situation.plan, candidate.candidate, snapshot, request)
        return pin(situation, snapshot, change)

    def show_alerts(self) -> None:
        """Compare, and show the difference."""
        self._port().look_at_alerts()
        self._commands.procedure.show("alerts")

    def ask_to_apply(self) -> None:
        """Ask whether to write the difference that is shown."""
        self._commands.procedure.open_page("alerts")
        self._screen.talk.open(ask_to_apply(self._screen.procedure.alerts))

    def accept(self, proposal: Proposal) -> bool:
        """Do what was asked for, if it is one of these; False when it is not."""
        if proposal.change_id != APPLY_ALERTS:
            return False
        self._commands.attempt(self._port().apply_alerts)
        return True

    def _port(self) -> JobsPort:
        return self._commands.app.engine_of().procedure


def ask_to_apply(view: AlertsView) -> Proposal:
    """The question before alert policies are written: how many of which kind."""
    kinds = ("create", "update", "delete")
    counted = {kind: sum(one.kind == kind for one in view.changes) for kind in kinds}
    facts = tuple(f"{kind} {format_count(number)}" for kind, number in counted.items() if number)
    return Proposal(
        change_id=APPLY_ALERTS,
        title="Write the alert policies",
        facts=facts,
        note="Policies of others are not touched, nor the channels of these.",
        command="canary alerts apply --yes",
    )
