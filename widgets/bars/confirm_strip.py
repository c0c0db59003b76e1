"""The confirm strip: always laid out at the bottom, never a window over the numbers."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from textual.events import Key
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from canary.rollout.text import keep_printable, sanitize
from themes import Palette
from widgets.plots.canvas import Canvas, Run
from widgets.plots.cells import CellWidget, bound


class Proposal(msgspec.Struct, frozen=True):
    """What is to be confirmed. All text may come from outside; it is made plain when drawn.

    `change_id` comes back in the answer. `title` is what is done ("Promote to stage 3"), `facts`
    what changes from → to ("canary 10 % → 25 %"), `target` the revision or service, `data_age`
    words, `unmet` the gates that fail, `command` the gcloud equivalent, `whole` the
    shell's command that shows all of it where it does not fit, `typed_name` a name that
    must be typed ("": `y` is enough). `note` is what to know of it: why its steps come in their
    order, that it makes real load.
    """

    change_id: str
    title: str
    facts: tuple[str, ...] = ()
    target: str = ""
    data_age: str = ""
    unmet: tuple[str, ...] = ()
    command: str = ""
    whole: str = ""
    typed_name: str = ""
    note: str = ""


class ConfirmStrip(CellWidget):
    """Shows a Proposal and asks. `open` it, it posts Accepted or Left; `die` says why it ended.

    Fixed height in CSS (rows are blank when closed): opening repaints only the text's own cells.
    `y` accepts, Esc or `n` leaves, every other key but those of `passes` does nothing; with
    `typed_name` it is Enter on the exact name. A key counts only if it was typed after the strip
    had been painted.
    """

    DEFAULT_CSS = """
    ConfirmStrip { height: 4; }
    """

    proposal: bound[Proposal | None] = bound(None)
    death: bound[str] = bound("")
    typed: bound[str] = bound("")

    class Accepted(Message):
        """The person confirmed. The strip stays open until it is closed."""

        def __init__(self, proposal: Proposal) -> None:
            super().__init__()
            self.proposal = proposal

    class Left(Message):
        """The person left it; nothing is to be done. `reason` when it had died of itself."""

        def __init__(self, proposal: Proposal, reason: str = "") -> None:
            super().__init__()
            self.proposal = proposal
            self.reason = reason

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._armed_at: float | None = None
        self.passes: Callable[[Key], bool] = lambda _: False
        """Whether a key means something else than an answer: it is left to the screen then."""
        self.is_answered = False
        """It was confirmed and is on its way: nothing else may take its place."""
        self._focused_before: Widget | None = None

    @property
    def is_armed(self) -> bool:
        """Whether a key would be heard: painted, not dead, not answered."""
        return self.proposal is not None and self._armed_at is not None and not self.death

    def open(self, proposal: Proposal) -> None:
        """Show it and take the keys; those typed before it was painted do not count."""
        self._armed_at = None
        self.is_answered = False
        self.death = ""
        self.typed = ""
        self.proposal = proposal
        self._take_keys()
        self.call_after_refresh(self._arm, proposal)

    def _take_keys(self) -> None:
        """Let keys come here, quietly: `set_focus` repaints the whole screen, 23 kB at 160×48."""
        screen = self.screen
        if screen.focused is not self:
            self._focused_before = screen.focused
            screen.set_reactive(Screen.focused, self)

    def _give_keys_back(self) -> None:
        screen = self.screen
        if screen.focused is self:
            before = self._focused_before
            alive = before is not None and before.is_attached
            screen.set_reactive(Screen.focused, before if alive else None)
        self._focused_before = None

    def _arm(self, proposal: Proposal) -> None:
        if self.proposal is proposal:
            # The clock that stamps key events, so that the two can be compared.
            self._armed_at = Message().time

    def die(self, reason: str) -> None:
        """The target changed: say so, accept nothing any more. Esc, n or Enter closes it."""
        if self.proposal is not None:
            self.death = reason
            self._armed_at = None

    def close(self) -> None:
        """Blank again, without a message; the keys go back to where they went before."""
        self._give_keys_back()
        self.proposal = None
        self.death = ""
        self.typed = ""
        self._armed_at = None

    def on_key(self, event: Key) -> None:
        """Answer while something is asked; every key but those of `passes` is kept from the screen.

        Where a name is typed a letter is a letter.
        """
        proposal = self.proposal
        if proposal is None or (not proposal.typed_name and self.passes(event)):
            return
        event.stop()
        event.prevent_default()
        leaving = event.key == "escape" or (not proposal.typed_name and event.key == "n")
        if self.death:
            leaving = leaving or event.key in ("enter", "n")
        if leaving:
            reason = self.death
            self.close()
            self.post_message(self.Left(proposal, reason))
            return
        if self._armed_at is None or event.time < self._armed_at or self.death:
            return
        if proposal.typed_name:
            self._type(event, proposal)
        elif event.key == "y":
            self._accept(proposal)

    def _type(self, event: Key, proposal: Proposal) -> None:
        if event.key == "enter":
            if self.typed == proposal.typed_name:
                self._accept(proposal)
        elif event.key == "backspace":
            self.typed = self.typed[:-1]
        elif event.key == "ctrl+u":
            self.typed = ""
        elif event.is_printable and event.character and len(self.typed) < 100:
            self.typed += event.character

    def _accept(self, proposal: Proposal) -> None:
        """Once: a second `y` before the strip is closed is not a second change."""
        self._armed_at = None
        self.is_answered = True
        self.post_message(self.Accepted(proposal))

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """As many of the four rows as there are; the answer's row is the last to go."""
        proposal = self.proposal
        if proposal is None:
            return
        rows = [_what(proposal, palette)]
        if not self.death:
            rows += [_doubts(proposal, palette), _command(proposal, palette, canvas.width - 1)]
        rows = [row for row in rows if row][: max(0, canvas.height - 1)]
        if canvas.height == 1:
            rows = [[(sanitize(proposal.title, 60), palette.strip), ("  ", palette.text)]]
            canvas.runs(1, 0, [*rows[0], *self._answer(proposal, palette)])
            return
        for y, row in enumerate([*rows, self._answer(proposal, palette)]):
            canvas.runs(1, y, row, canvas.width - 1)

    def _answer(self, proposal: Proposal, palette: Palette) -> list[Run]:
        if self.death:
            return [
                ("✗ ", palette.alarm),
                (f"{sanitize(self.death, 200)} ", palette.text),
                ("Nothing was sent. ", palette.text),
                ("Esc", palette.key),
                (" closes", palette.dim),
            ]
        if proposal.typed_name:
            ready = self.typed == proposal.typed_name
            return [
                (f"type {sanitize(proposal.typed_name, 80)}: ", palette.text),
                (sanitize(self.typed, 100) + "▏", palette.strip),
                ("  Enter", palette.key if ready else palette.key_off),
                (" confirms  ", palette.dim if ready else palette.key_off),
                ("Esc", palette.key),
                (" cancels", palette.dim),
            ]
        return [
            ("y", palette.key),
            (" confirm   ", palette.dim),
            ("n", palette.key),
            (" or Esc cancels", palette.dim),
        ]


def _what(proposal: Proposal, palette: Palette) -> list[Run]:
    """What is done, from what to what, on what, on how old data."""
    rest = [*proposal.facts, proposal.target, proposal.data_age]
    text = "  ".join(sanitize(part, 120) for part in rest if part)
    return [(sanitize(proposal.title, 80), palette.strip), (f"  {text}", palette.text)]


def _doubts(proposal: Proposal, palette: Palette) -> list[Run]:
    note = sanitize(proposal.note, 300)
    if not proposal.unmet:
        return [(f"! {note}", palette.text)] if note else []
    listed = ", ".join(sanitize(gate, 60) for gate in proposal.unmet)
    return [(f"✗ not met: {listed}", palette.watch), (f"  {note}" if note else "", palette.text)]


def _command(proposal: Proposal, palette: Palette, width: int) -> list[Run]:
    """The command, whole, or as much as fits and how to see and copy all of it: half a command
    that looks like a whole one must never be there to be typed.
    """
    if not proposal.command:
        return []
    shown = f"$ {keep_printable(proposal.command)}"
    if len(shown) <= width:
        return [(shown, palette.dim)]
    rest = f" … CUT; all of it: {proposal.whole}" if proposal.whole else " … CUT"
    if len(rest) > width:
        return [(f"… {proposal.whole}"[:width], palette.watch)]
    return [(shown[: max(0, width - len(rest))], palette.dim), (rest, palette.watch)]
