"""What the keys do about rollback readiness, automatic rollback, and changes that are not finished.

What makes things safer is done at once (disarm, cancel a countdown, withdraw what waits); what
lets something act, or gives something up, asks in the strip before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from canary.rollout.evidence.view import proven_metrics, proven_text
from canary.rollout.snapshot.snapshot import (
    ChangeView,
    Event,
    Snapshot,
    find_unfinished,
    find_waiting,
)
from canary.rollout.text import sanitize
from tui.actions.changes import NOT_LOOKED
from tui.actions.context import Context
from tui.actions.questions import (
    ABANDON,
    ARM,
    DISMISS,
    LEAVE,
    RESUME,
    ask_to_abandon,
    ask_to_arm,
    ask_to_dismiss,
    ask_to_leave_guard,
    ask_to_resume,
)
from tui.engine_port import How
from widgets.bars.proposal import Proposal

LOOKED_UP: Final = "looked up: "
"""How the engine's event about what was found begins; the change's title follows."""
READ_ONLY: Final = "This console is read-only: nothing can be changed from here."
_RECOVERY: Final[dict[str, How]] = {
    "look_up": "verify",
    "resume": "resume",
    "abandon": "abandon",
}
LONGEST_REASON: Final = 200
"""Characters of a reason that is typed; the rest is cut with a mark."""

_SAFETY: Final = ("guard", "cancel_guard", "withdraw", "dismiss_proof", *_RECOVERY)


class SafetyActions:
    """The actions of safety, by their names in the table of keys."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._screen = context.screen
        self._asked = ""
        self._reason = ""
        self._heard: Event | None = None
        self.actions: dict[str, Callable[[], None]] = {
            "readiness": lambda: context.toggle_page("readiness"),
            "guard": self.guard,
            "cancel_guard": self.cancel,
            "withdraw": self.withdraw,
            "dismiss_proof": self.dismiss_proof,
            "recovery": lambda: context.toggle_page("recovery"),
            "suspend": self.suspend,
            "look_up": self.look_up,
            "resume": self.resume,
            "abandon": self.abandon,
        }

    def why_not(self, name: str) -> str | None:
        """Why an action of these can do nothing now; None when it can."""
        if name not in _SAFETY:
            return None
        situation, snapshot = self._context.situation(), self._screen.snapshot
        if snapshot is None:
            return NOT_LOOKED
        if situation.read_only:
            return READ_ONLY
        if name == "guard" and snapshot.guard is None:
            return "Automatic rollback needs the journal, which cannot be written."
        if name == "guard" and snapshot.missing_rights and not _is_armed(snapshot):
            return "It could not act: the right to change the split is missing."
        counting = snapshot.guard is not None and snapshot.guard.left_s is not None
        if name == "cancel_guard" and not counting:
            return "No countdown of automatic rollback runs here."
        if name == "withdraw" and find_waiting(snapshot.changes) is None:
            return "No change waits for Cloud Run."
        if name == "dismiss_proof" and not proven_metrics(snapshot.evidence):
            return "No regression of Canary is proven: there is nothing to dismiss."
        if name in _RECOVERY and self._chosen() is None:
            return "No pending changes."
        return None

    # -- automatic rollback ----------------------------------------------------------------------

    def guard(self) -> None:
        """Ask whether to arm it; armed, disarm it at once."""
        snapshot, plan = self._screen.snapshot, self._screen.plan
        if snapshot is None or snapshot.guard is None:
            return
        if snapshot.guard.armed:
            self._context.engine.disarm_guard()
            self._context.say("Automatic rollback is disarmed.")
        else:
            key = self._screen.keymap.key("cancel_guard")
            self._context.ask(ask_to_arm(plan, key))

    def suspend(self) -> None:
        """Go back to the shell for a while. Armed, automatic rollback would sleep: asked is whether
        a guard is left behind. Pressed once more it is disarmed first, so that nobody relies on it.
        """
        snapshot, asked = self._screen.snapshot, self._screen.talk.proposal
        if snapshot is not None and _is_armed(snapshot):
            if asked is None or asked.change_id != LEAVE:
                self._context.drop()
                self._context.ask(ask_to_leave_guard(self._screen.keymap.key("suspend")))
                return
            self._screen.talk.close()
            self._context.engine.disarm_guard()
            arm = self._screen.keymap.key("guard")
            self._context.say(
                f"Automatic rollback was disarmed: it would sleep in the background. {arm} arms it;"
                " `canary guard` in a shell guards without a screen."
            )
        self._context.host.action_suspend_process()

    def _leave_guard(self) -> None:
        pid = self._context.engine.leave_guard()
        self._context.say(
            f"Process {pid} guards now, and goes on when this console ends: kill {pid} ends it."
        )
        self._context.host.action_suspend_process()

    def cancel(self) -> None:
        """Stop the countdown, for this cause."""
        cancelled = self._context.engine.cancel_guard()
        said = "Cancelled: automatic rollback does not act for this cause."
        self._context.say(said if cancelled else "No countdown runs any more.")

    # -- changes that are not finished -------------------------------------------------------------

    def withdraw(self) -> None:
        """Withdraw the change that waits for Cloud Run."""
        snapshot = self._screen.snapshot
        waiting = find_waiting(snapshot.changes) if snapshot is not None else None
        if waiting is not None:
            self._context.engine.withdraw(waiting.id)
            self._context.say(f"Withdrawn: {sanitize(waiting.title, 80)}.")

    def dismiss_proof(self) -> None:
        """Let the person type why what is proven is to be let go of."""
        self._screen.open_prompt(DISMISS, "why is the proof dismissed? (kept in the journal)")

    def dismiss_because(self, typed: str) -> None:
        """Ask whether to let go of what is proven, for the reason that was typed."""
        reason = sanitize(typed.strip(), LONGEST_REASON)
        view = self._screen.snapshot.evidence if self._screen.snapshot is not None else None
        if not reason:
            self._context.say("A proof is dismissed only with a reason; nothing was changed.")
        elif view is not None:
            self._reason = reason
            self._context.ask(ask_to_dismiss(proven_text(view), reason))

    def _dismiss(self) -> None:
        snapshot = self._screen.snapshot
        metrics = proven_metrics(snapshot.evidence) if snapshot is not None else ()
        if metrics:
            self._context.engine.dismiss_proof(metrics, self._reason)
            self._context.say("Dismissed: comparison restarted; it may prove it again.")

    def look_up(self) -> None:
        """Look at the cloud what became of it."""
        self._recover("verify", "Checking its status …")

    def resume(self) -> None:
        """Ask whether to go on with it."""
        chosen = self._chosen()
        if chosen is not None:
            self._context.ask(ask_to_resume(chosen))

    def abandon(self) -> None:
        """Ask whether to abandon it."""
        chosen = self._chosen()
        if chosen is not None:
            self._context.ask(ask_to_abandon(chosen))

    def accept(self, proposal: Proposal) -> bool:
        """Do what was asked for, if it is one of these; False when it is not."""
        what, _, change_id = proposal.change_id.partition(":")
        if what == ARM:
            self._context.attempt(self._arm)
        elif what == LEAVE:
            self._context.attempt(self._leave_guard)
        elif what == DISMISS:
            self._context.attempt(self._dismiss)
        elif what == RESUME and change_id:
            self._context.attempt(lambda: self._recover("resume", "Resuming it.", change_id))
        elif what == ABANDON and change_id:
            self._context.attempt(lambda: self._recover("abandon", "Abandoning it.", change_id))
        else:
            return False
        return True

    def _arm(self) -> None:
        if self._context.situation().read_only:
            self._context.say(READ_ONLY)
            return
        self._context.engine.arm_guard()
        off = self._screen.keymap.key("guard")
        self._context.say(f"Automatic rollback is armed; {off} disarms it.")

    def _recover(self, how: How, said: str, change_id: str = "") -> None:
        chosen = self._chosen()
        found = change_id or (chosen.id if chosen is not None else "")
        if found:
            self._listen(found)
            self._context.engine.recover(found, how)
            self._context.say(said)

    def _listen(self, change_id: str) -> None:
        """What is found comes as an event: remember the newest that there is."""
        snapshot = self._screen.snapshot
        changes = snapshot.changes if snapshot is not None else ()
        title = next((c.title for c in changes if c.id == change_id), "")
        self._asked = f"{LOOKED_UP}{title}: "
        self._heard = self._newest(snapshot)

    def hear(self, snapshot: Snapshot) -> None:
        """Answer the key with what was found: the events may have no room below a result."""
        newest = self._newest(snapshot) if self._asked else None
        if newest is not None and newest != self._heard:
            self._context.say(newest.text.removeprefix(self._asked))
            self._asked = ""
        self._reason = ""

    def _newest(self, snapshot: Snapshot | None) -> Event | None:
        events = snapshot.events if snapshot is not None else ()
        return next((e for e in events if e.text.startswith(self._asked)), None)

    def _chosen(self) -> ChangeView | None:
        """The change that the page's cursor is on; the newest while another page is shown."""
        snapshot, page = self._screen.snapshot, self._screen.recovery
        unfinished = find_unfinished(snapshot.changes) if snapshot is not None else ()
        if not unfinished:
            return None
        shown = self._screen.zoomed and self._screen.panel == "recovery"
        return unfinished[min(page.cursor, len(unfinished) - 1)] if shown else unfinished[0]


def _is_armed(snapshot: Snapshot) -> bool:
    return snapshot.guard is not None and snapshot.guard.armed
