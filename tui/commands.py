"""What each key and each command does on the main screen: found by the action's name.

Looking is done at once. Changing goes: why not → change as data → confirm strip → engine. Nothing
here touches the cloud.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from canary.rollout.errors import Unavailable
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.text import sanitize
from tui.actions.changes import (
    new_id,
    prepare,
    prepare_hold,
    prepare_note,
    prepare_release,
    prepare_scale,
    why_not,
)
from tui.actions.context import Context
from tui.actions.failures import FailuresActions
from tui.actions.jobs import JobActions
from tui.actions.look import LookActions
from tui.actions.questions import (
    DISMISS,
    LEAVE_CONSOLE,
    LEAVE_FOR_LIST,
    LEAVE_LOAD_TEST,
    ask_to_leave,
    ask_to_list,
)
from tui.actions.safety import SafetyActions
from tui.terminal.app import LIST
from widgets.bars.outcome import LOAD_TEST, VERIFICATION, results
from widgets.bars.proposal import Proposal

if TYPE_CHECKING:
    from tui.actions.replay import ReplayMode

HOLD_LABEL: Final = "hold until … because …: 09:00 the database moves, 14h …, or only why"


NOTE_LABEL: Final = "note for everybody; TODO: … is for the handover; Enter alone marks the moment"


class Commands:
    """The actions of one main screen."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.screen = context.screen
        self._asked = ""
        self._safety = SafetyActions(context)
        self._jobs = JobActions(context)
        self._failures = FailuresActions(context)
        self.look = LookActions(context, self.why_not)
        self.replay: ReplayMode | None = None
        """The past; the application puts it in."""
        self._groups = (self._jobs, self._safety)
        self._actions: dict[str, Callable[[], None]] = {
            "scale": lambda: self.screen.open_prompt("scale", self._scale_label()),
            "hold": self.hold,
            "note": lambda: self.screen.open_prompt("note", NOTE_LABEL),
            "acknowledge": self.acknowledge,
            "palette": context.host.open_palette,
            "replay": self._enter_replay,
            "fleet": self.show_fleet,
            "quit": self.quit,
            **self.look.actions,
            **self._jobs.actions,
            **self._failures.actions,
            "copy": lambda: self.look.copy(self._failures.copied()),
            **self._safety.actions,
        }

    # -- dispatch --------------------------------------------------------------------------------

    def press(self, key: str) -> None:
        """Do what a key means now; one that asks something leaves the question that is open."""
        stops = self.screen.keymap.action(key) in ("cancel_guard", "suspend")
        if self.screen.talk.proposal is not None and not stops:
            if not self._asks_something_else(key):
                return
            self.screen.talk.close()
            self.context.drop()
        prompting = self.screen.has_class("-prompting")
        if self.replay is not None and not prompting and self.replay.press(key):
            return
        if key == "escape":
            self.leave()
            return
        if self._failures.takes(key) or self._jobs.takes(key):
            return
        name = self.screen.keymap.action(key)
        if name is not None:
            self.do(name)
        elif key == "ctrl+c":
            self.context.say(f"{self.screen.keymap.key('quit')} leaves the console.")
        elif len(key) == 1:
            named = "space" if key.isspace() else sanitize(key)
            help_key = self.screen.keymap.key("help")
            self.context.say(f"{named} is no key here; {help_key} shows all.")

    def _asks_something_else(self, key: str) -> bool:
        """Whether a key leaves the open question for its own; the same key again does nothing."""
        talk, keymap = self.screen.talk, self.screen.keymap
        again = keymap.action(key) == self._asked and not talk.death
        return keymap.asks(key) and not again and not talk.is_answered

    def do(self, name: str) -> None:
        """Do an action by its name; say why not where it can do nothing now."""
        context = self.context
        context.host.note_wish(name)
        context.say("")
        self._asked = name
        reason = self.why_not(name)
        if reason is not None:
            context.say(reason)
        elif name in self._actions:
            context.attempt(self._actions[name])
        else:
            context.open_change(lambda: prepare(name, context.situation(), new_id))

    def why_not(self, name: str) -> str | None:
        """Why an action can do nothing now; None when it can."""
        if (past := self.why_nothing_changes(name)) is not None:
            return past
        if name == "acknowledge":
            return None if self._finished() else "There is no result to dismiss."
        ours = next((why for group in self._groups if (why := group.why_not(name))), None)
        return ours or why_not(name, self.context.situation())

    def why_nothing_changes(self, name: str) -> str | None:
        """Why an action cannot be in the past that is shown; None where the present is, and for
        what only looks.
        """
        return None if self.replay is None else self.replay.why_not(name)

    def _enter_replay(self) -> None:
        if self.replay is None:
            raise Unavailable("There is nothing to replay here.")
        self.replay.enter()

    # -- answers ---------------------------------------------------------------------------------

    def answer_prompt(self, purpose: str, text: str) -> None:
        """Take what was typed into the prompt."""
        if self.replay is not None and self.replay.is_active:
            if purpose == "goto":
                self.replay.go_to(text)
            return
        if purpose == "scale" and text.strip():
            context = self.context
            context.open_change(lambda: prepare_scale(text, context.situation(), new_id))
        elif purpose == DISMISS:
            self._safety.dismiss_because(text)

        if purpose == "note":
            context = self.context
            context.submit_at_once(lambda: prepare_note(text, context.situation(), new_id))
        if purpose == "hold" and text.strip():
            context = self.context
            context.open_change(lambda: prepare_hold(text, context.situation(), new_id))

    def hold(self) -> None:
        """Ask until when and why; what is held already, whether to release it."""
        context, snapshot = self.context, self.screen.snapshot
        if snapshot is not None and snapshot.hold is not None:
            context.open_change(lambda: prepare_release(context.situation(), new_id))
        else:
            self.screen.open_prompt("hold", HOLD_LABEL)

    def accept(self, proposal: Proposal, reason: str = "") -> None:
        """The person confirmed: do what was asked about. `reason` is what was typed as why."""
        if self.why_nothing_changes("") is not None:
            return
        self.screen.talk.close()
        if proposal.change_id in (LEAVE_CONSOLE, LEAVE_FOR_LIST):
            self.context.host.leave_with(0 if proposal.change_id == LEAVE_CONSOLE else LIST)
        elif not any(group.accept(proposal) for group in self._groups):
            self.context.submit(proposal.change_id, reason)

    def let_go(self, reason: str) -> None:
        """The strip was left; nothing is done."""
        self.context.drop()
        self.context.say(reason or "Left; nothing was changed.")

    def recheck(self, snapshot: Snapshot) -> None:
        """Take what a snapshot says of what was asked for, before it is drawn."""
        self._safety.hear(snapshot)
        self.context.recheck(snapshot)

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
        finished, engine = self._finished(), self.context.engine
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
            shown = (finished[0], "passed")
            if verified is not None and (verified.change, verified.verdict) == shown:
                engine.procedure.acknowledge("verification")

    def leave(self) -> None:
        """Esc: leave what is open, the innermost first."""
        if self.screen.has_class("-prompting"):
            if self.screen.prompt_purpose == "filter":
                self.screen.event_log.filter_text = ""
            self.screen.close_prompt()
        elif self.screen.zoomed:
            if not self._failures.leave():
                self.screen.zoomed = False
        elif self.screen.talk.note:
            self.context.say("")
        elif self.context.host.came_from_list:
            self.show_fleet()
            return
        else:
            self.context.host.dismiss_tip()
        self.context.say("")

    def quit(self) -> None:
        """Leave the console; asks first while a change is in flight."""
        if self.replay is not None and self.replay.is_active:
            if self.replay.is_alone:
                self.context.host.leave_with(0)
                return
            self.replay.leave()  # what is in flight now is what counts
        if (change := self._in_flight()) is not None:
            self.context.ask(ask_to_leave(change.title))
        elif self.screen.procedure.load_test.is_running:
            self.context.ask(LEAVE_LOAD_TEST)
        else:
            self.context.host.leave_with(0)

    def show_fleet(self) -> None:
        """Leave for the list of rollouts, unless something ends with this console; asks first while
        a change is in flight.
        """
        snapshot = self.screen.snapshot
        if snapshot is not None and snapshot.guard is not None and snapshot.guard.armed:
            arm = self.screen.keymap.key("guard")
            self.context.say(
                "Automatic rollback is armed here and would end with this console:"
                f" {arm} disarms it; `canary guard` guards without a screen."
            )
        elif self.screen.procedure.load_test.is_running:
            self.context.say("A load test runs here and would end with this console: stop it.")
        elif (change := self._in_flight()) is not None:
            self.context.ask(ask_to_list(change.title))
        else:
            self.context.host.leave_with(LIST)

    def _in_flight(self) -> ChangeView | None:
        """A change of this host that has not ended; None: there is none."""
        snapshot = self.screen.snapshot
        changes = snapshot.changes if snapshot is not None else ()
        return next((change for change in changes if change.outcome is None), None)

    def _finished(self) -> tuple[str, ...]:
        """What ended and was not acknowledged, in the order in which it is dismissed."""
        return results(self.screen.snapshot, self.screen.procedure)
