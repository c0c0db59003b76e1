"""What the actions work on: the screen, the application around it, the change that waits."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Protocol

from canary.rollout.change.change import GOING_BACK, give_reason, is_final_approval
from canary.rollout.change.irreversible import format_marked
from canary.rollout.change.text import format_title
from canary.rollout.change.timing import date_change, why_expired
from canary.rollout.errors import CanaryError, GateNotMet
from canary.rollout.permit import permit
from canary.rollout.snapshot.snapshot import Snapshot
from tui.actions.changes import Pending, Situation, cause_of_death
from tui.actions.questions import approval_of, ask
from tui.engine_port import EnginePort, JobsPort
from widgets.bars.proposal import Proposal

if TYPE_CHECKING:
    from textual.screen import Screen

    from canary.rollout.recording.player import Recording
    from tui.pages.main import MainScreen


class Host(Protocol):
    """The application, as far as the actions need it."""

    @property
    def theme_names(self) -> tuple[str, ...]:
        """The themes of the house, in the order of the key."""

    @property
    def theme_name(self) -> str:
        """The present one."""

    def set_theme(self, name: str) -> None:
        """Change the colours to the theme of that name."""

    def engine_of(self) -> EnginePort:
        """The engine. Raises Unavailable while there is none."""

    def situation(self) -> Situation:
        """What a wish is judged by now."""

    def scenarios(self) -> Mapping[str, str]:
        """The scenarios of the local cloud, each with a sentence; empty elsewhere."""

    def open_past(self) -> Recording:
        """What was recorded. Raises RecordError where there is nothing."""

    def note_wish(self, name: str) -> None:
        """The person wants an action, by its key or from the palette."""

    def note_asked(self, what: str) -> None:
        """The strip was opened on something."""

    def why_past(self) -> str | None:
        """Why nothing can be changed: the past is shown; None where the present is."""

    def show_screen(self, screen: Screen[None]) -> None:
        """Lay a screen over the main one until it is dismissed."""

    @property
    def came_from_list(self) -> bool:
        """Whether Esc goes back to the list of rollouts, which this console was opened from."""

    def dismiss_tip(self) -> None:
        """Put the demo's tip away, and show the next."""

    def open_palette(self) -> None:
        """Find a command by its name."""

    def begin(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run something that takes a while beside the screen's loop."""

    def redraw(self) -> None:
        """Draw every cell anew."""

    def write_raw(self, text: str) -> None:
        """Send an escape sequence to the terminal."""

    def action_suspend_process(self) -> None:
        """Go back to the shell for a while."""

    def leave_with(self, code: int) -> None:
        """End in order, with this exit code."""


class Context:
    """The screen, its host and the engine, in one hand. `pending` is the change asked about."""

    def __init__(self, host: Host, screen: MainScreen) -> None:
        self.host = host
        self.screen = screen
        self.pending: Pending | None = None
        self._submitted = ""
        self._deaths: dict[str, str] = {}

    @property
    def engine(self) -> EnginePort:
        """The engine. Raises Unavailable while there is none."""
        return self.host.engine_of()

    @property
    def jobs(self) -> JobsPort:
        """What the engine runs beside observing. Raises Unavailable while there is none."""
        return self.engine.procedure

    def situation(self) -> Situation:
        """What a wish is judged by at this moment."""
        return self.host.situation()

    # -- answering -------------------------------------------------------------------------------

    def say(self, note: str) -> None:
        """Answer the last key in the talk rows; "" takes the answer back."""
        self.screen.talk.note = note

    def attempt(self, act: Callable[[], None]) -> None:
        """Do something that the engine may refuse; say so instead of ending the console."""
        try:
            act()
        except CanaryError as refusal:
            self.say(str(refusal))

    def ask(self, proposal: Proposal) -> None:
        """Open the confirm strip; in the past there is nothing to confirm."""
        if (past := self.host.why_past()) is not None:
            self.say(past)
            return
        self.host.note_asked(proposal.change_id)
        self.screen.talk.open(proposal)

    def toggle_page(self, page: str) -> None:
        """Let a page fill the screen; again gives the others back."""
        if self.screen.zoomed and self.screen.panel == page:
            self.screen.zoomed = False
        else:
            self.open_page(page)

    def open_page(self, page: str) -> None:
        """Let a page fill the screen."""
        self.screen.panel = page
        self.screen.zoomed = True

    # -- a change that waits for its confirmation ------------------------------------------------

    def open_change(self, build: Callable[[], Pending]) -> None:
        """Open the confirm strip on a change, or say why it cannot be."""
        if (past := self.host.why_past()) is not None:
            self.say(past)
            return
        snapshot = self.screen.snapshot
        try:
            pending = build()
        except CanaryError as refusal:
            self.say(str(refusal))
            return
        if snapshot is not None:
            self.pending = pending
            self._show_approval(pending, snapshot)
            self.ask(ask(pending, self.screen.plan, snapshot))

    def _show_approval(self, pending: Pending, snapshot: Snapshot) -> None:
        """A final approval is deliberate: all that it makes true is on the screen before."""
        approval = approval_of(pending.change, self.screen.plan, snapshot)
        if approval is not None:
            self.screen.approval.approval = approval
            self.open_page("approval")

    def submit_at_once(self, build: Callable[[], Pending]) -> None:
        """Hand over what moves nothing and was just typed: it needs no second key."""
        situation = self.situation()
        try:
            pending = build()
            if situation.snapshot is not None:
                change, read_only = pending.change, situation.read_only
                permit.authorize(change, situation.snapshot, read_only=read_only)
                self.engine.submit(change)
                self._submitted = change.id
                self.say(f"{format_title(change)}: handed to the executor.")
        except CanaryError as refusal:
            self.say(f"Nothing was sent. {refusal}")

    def submit(self, change_id: str, reason: str = "") -> None:
        """The person confirmed, and said why: check once more, then hand it to the engine."""
        pending, self.pending = self.pending, None
        situation = self.situation()
        if pending is None or pending.change.id != change_id or situation.snapshot is None:
            # The answer and a snapshot that let the question die were on their way together.
            self.say(f"Nothing was sent. {self._deaths.get(change_id, '')}".rstrip())
            return
        snapshot, now = situation.snapshot, situation.now
        change = give_reason(pending.change, reason) if reason else pending.change
        try:
            permit.authorize(change, snapshot, read_only=situation.read_only)
            if expired := why_expired(change, situation.plan, now, snapshot.speed):
                raise GateNotMet(expired)
            self.engine.submit(date_change(change, now))
        except CanaryError as refusal:
            self.say(f"Nothing was sent. {refusal}")
            return
        self._submitted = pending.change.id
        title = pending.title or format_title(pending.change)
        self.say(
            f"{title}: handed to the executor. {_marked_meanwhile(pending, snapshot)}".rstrip()
        )

    def drop(self) -> None:
        """Forget the change that was asked about."""
        if self.pending is not None and is_final_approval(self.pending.change):
            self.screen.approval.approval = None
            self.screen.zoomed = False
        self.pending = None

    def recheck(self, snapshot: Snapshot) -> None:
        """Let the open strip die when the world is no longer what it was opened on.

        A change that was handed over speaks for itself once the journal shows it.
        """
        if self._submitted and any(c.id == self._submitted for c in snapshot.changes):
            self._submitted = ""
            self.say("")
        if self.pending is None:
            return
        now, plan = self.situation().now, self.screen.plan
        reason = cause_of_death(self.pending, snapshot, plan, now, read_only=self.screen.read_only)
        if reason is not None:
            self._deaths = {self.pending.change.id: reason}
            self.pending = None
            self.screen.talk.die(reason)


def _marked_meanwhile(pending: Pending, snapshot: Snapshot) -> str:
    """What was marked irreversible while a rollback was asked about: said, and in nobody's way."""
    mark = snapshot.irreversible
    asked_without = pending.change.kind in GOING_BACK and not pending.typed_name
    return format_marked(mark) if mark is not None and asked_without else ""
