"""What each action does on the main screen. One method an action, found by its name.

Looking is done at once. Changing goes: why not → change as data → confirm strip → engine. Nothing
here touches the cloud.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from canary.rollout.change.change import is_final_approval
from canary.rollout.change.text import format_title
from canary.rollout.errors import CanaryError
from canary.rollout.permit import permit
from canary.rollout.text import sanitize
from tui.actions.approval import approval_of
from tui.actions.changes import KINDS, prepare, why_not
from tui.actions.look import LookActions
from tui.actions.pending import Pending, Situation, cause_of_death
from tui.actions.procedure import JobActions
from tui.actions.question import LEAVE_CONSOLE, LEAVE_LOAD_TEST, ask, ask_to_leave
from tui.actions.safety import SafetyActions
from tui.actions.scale import prepare_scale
from tui.actions.surveys import SurveyActions
from widgets.bars.confirm_strip import Proposal
from widgets.bars.outcome import LOAD_TEST, VERIFICATION, results

if TYPE_CHECKING:
    from canary.rollout.snapshot.snapshot import Snapshot
    from tui.app import CanaryApp
    from tui.pages.main import MainScreen


class Commands:
    """The actions of one main screen. `pending` is the change whose strip is open."""

    def __init__(self, app: CanaryApp, screen: MainScreen) -> None:
        self.app = app
        self.screen = screen
        self.pending: Pending | None = None
        self._handed_over = ""
        self._asked = ""
        self._looks: dict[str, Callable[[], None]] = {
            "acknowledge": self.acknowledge,
            "palette": app.open_palette,
            "suspend": app.action_suspend_process,
            "quit": self.quit,
        }
        self.procedure = JobActions(self)
        self.safety = SafetyActions(self)
        self.look = LookActions(self)
        self._groups = (self.procedure, SurveyActions(self), self.safety)
        self._looks |= self.look.actions
        for group in self._groups:
            self._looks |= group.actions

    # -- dispatch --------------------------------------------------------------------------------

    def press(self, key: str) -> None:
        """Do what a key means now; one that asks something leaves the question that is open."""
        stops = self.screen.keymap.action(key) == "cancel_guard"
        if self.screen.talk.proposal is not None and not stops:
            if not self._asks_something_else(key):
                return
            self.screen.talk.close()
            self._drop()
        if key == "escape":
            self.leave()
            return
        if self.procedure.takes(key):
            return
        name = self.screen.keymap.action(key)
        if name is not None:
            self.do(name)
        elif key == "ctrl+c":
            self.say(f"{self.screen.keymap.key('quit')} leaves the console.")
        elif len(key) == 1:
            named = "space" if key.isspace() else sanitize(key)
            self.say(f"{named} is no key here; {self.screen.keymap.key('help')} shows all.")

    def _asks_something_else(self, key: str) -> bool:
        """Whether a key leaves the open question for its own; the same key again does nothing."""
        talk, keymap = self.screen.talk, self.screen.keymap
        again = keymap.action(key) == self._asked and not talk.death
        return keymap.asks(key) and not again and not talk.is_answered

    def do(self, name: str) -> None:
        """Do an action by its name; say why not where it can do nothing now."""
        self.say("")
        self._asked = name
        reason = self.why_not(name)
        if reason is not None:
            self.say(reason)
        elif name == "scale":
            self.screen.open_prompt("scale", self._scale_label())
        elif name in KINDS or name.startswith("stage_"):
            self.open(lambda: prepare(name, self.situation(), new_id))
        else:
            self.attempt(self._looks[name])

    def attempt(self, act: Callable[[], None]) -> None:
        """Do something that the engine may refuse; say so instead of ending the console."""
        try:
            act()
        except CanaryError as refusal:
            self.say(str(refusal))

    def why_not(self, name: str) -> str | None:
        """Why an action can do nothing now; None when it can."""
        if name == "acknowledge":
            return None if self._finished() else "There is no result to dismiss."
        ours = next((why for group in self._groups if (why := group.why_not(name))), None)
        return ours or why_not(name, self.situation())

    def situation(self) -> Situation:
        """What a wish is judged by at this moment."""
        return self.app.situation()

    def say(self, note: str) -> None:
        """Answer the last key in the talk rows; "" takes the answer back."""
        self.screen.talk.note = note

    # -- changes ---------------------------------------------------------------------------------

    def open(self, build: Callable[[], Pending]) -> None:
        """Open the confirm strip on a change, or say why it cannot be."""
        snapshot = self.screen.snapshot
        try:
            pending = build()
        except CanaryError as refusal:
            self.say(str(refusal))
            return
        if snapshot is not None:
            self.pending = pending
            self._show_approval(pending, snapshot)
            self.screen.talk.open(ask(pending, self.screen.plan, snapshot))

    def _show_approval(self, pending: Pending, snapshot: Snapshot) -> None:
        """A final approval is deliberate: all that it makes true is on the screen before."""
        approval = approval_of(pending.change, self.screen.plan, snapshot)
        if approval is not None:
            self.screen.approval.approval = approval
            self.procedure.open_page("approval")

    def answer_prompt(self, purpose: str, text: str) -> None:
        """Take what was typed into the prompt."""
        if purpose == "scale" and text.strip():
            self.open(lambda: prepare_scale(text, self.situation(), new_id))

    def accept(self, proposal: Proposal) -> None:
        """The person confirmed: check once more, then hand the change to the engine."""
        self.screen.talk.close()
        if proposal.change_id == LEAVE_CONSOLE:
            self.app.exit(return_code=0)
            return
        if any(group.accept(proposal) for group in self._groups):
            return
        pending, self.pending = self.pending, None
        if pending is None or pending.change.id != proposal.change_id:
            return
        self._submit(pending)

    def _submit(self, pending: Pending) -> None:
        situation = self.situation()
        if situation.snapshot is None:
            return
        try:
            permit.authorize(pending.change, situation.snapshot, read_only=situation.read_only)
            self.app.engine_of().submit(pending.change)
        except CanaryError as refusal:
            self.say(f"Nothing was sent. {refusal}")
            return
        self._handed_over = pending.change.id
        title = pending.title or format_title(pending.change)
        self.say(f"{title}: handed to the executor.")

    def let_go(self, reason: str) -> None:
        """The strip was left; nothing is done."""
        self._drop()
        self.say(reason or "Left; nothing was changed.")

    def _drop(self) -> None:
        """Forget the change that was asked about."""
        if self.pending is not None and is_final_approval(self.pending.change):
            self.screen.approval.approval = None
            self.screen.zoomed = False
        self.pending = None

    def recheck(self, snapshot: Snapshot) -> None:
        """Let the open strip die when the world is no longer what it was opened on.

        A change that was handed over speaks for itself once the journal shows it.
        """
        self.safety.hear(snapshot)
        if self._handed_over and any(c.id == self._handed_over for c in snapshot.changes):
            self._handed_over = ""
            self.say("")
        if self.pending is None:
            return
        reason = cause_of_death(self.pending, snapshot, read_only=self.screen.read_only)
        if reason is not None:
            self.pending = None
            self.screen.talk.die(reason)

    def _scale_label(self) -> str:
        snapshot = self.screen.snapshot
        sides = (snapshot.legacy, snapshot.canary) if snapshot else ()
        now = ", ".join(
            f"{name} {s.scale.min}–{s.scale.max}" if s.scale else f"{name} ?"
            for name, s in zip(("legacy", "canary"), sides, strict=False)
        )
        return f"scale: canary 2 8, legacy backup …  now {now}"

    # -- results, and the way out -----------------------------------------------------------------

    def acknowledge(self) -> None:
        """Dismiss the newest result."""
        finished, engine = self._finished(), self.app.engine_of()
        verified = self.screen.procedure.verification.waiting
        if not finished:
            return
        if finished[0] == LOAD_TEST:
            engine.procedure.acknowledge("load_test")
        elif finished[0] == VERIFICATION:
            engine.procedure.acknowledge("verification")
        else:
            engine.acknowledge(finished[0])
            # A change and its verification that was passed are shown as one result.
            if verified is not None and (verified.change, verified.verdict) == (
                finished[0],
                "passed",
            ):
                engine.procedure.acknowledge("verification")

    def leave(self) -> None:
        """Esc: leave what is open, the innermost first."""
        if self.screen.has_class("-prompting"):
            if self.screen.prompt_purpose == "filter":
                self.screen.event_log.filter_text = ""
            self.screen.close_prompt()
        elif self.screen.zoomed:
            self.screen.zoomed = False
        self.say("")

    def quit(self) -> None:
        """Leave the console; asks first while a change is in flight."""
        snapshot = self.screen.snapshot
        flying = [c for c in snapshot.changes if c.outcome is None] if snapshot else []
        if flying:
            self.screen.talk.open(ask_to_leave(flying[0].title))
        elif self.screen.procedure.load_test.is_running:
            self.screen.talk.open(LEAVE_LOAD_TEST)
        else:
            self.app.exit(return_code=0)

    def _finished(self) -> tuple[str, ...]:
        """What ended and was not acknowledged, in the order in which it is dismissed."""
        return results(self.screen.snapshot, self.screen.procedure)


def new_id() -> str:
    """A new change's identity."""
    return uuid.uuid4().hex
