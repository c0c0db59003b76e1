"""The confirm strip: always laid out at the bottom, never a window over the numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual.events import Key
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from canary.rollout.text import sanitize
from themes import Palette
from widgets.bars.proposal import Answering, Proposal, answer_rows, question_rows
from widgets.plots.canvas import Canvas, Run
from widgets.plots.cells import CellWidget, bound

MOST_REASON: Final = 200
"""Characters of a reason: it rides in an annotation beside the record."""
_SCROLL: Final = {"down": 1, "up": -1, "pagedown": 3, "pageup": -3}


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
    reason: bound[str] = bound("")
    is_typing_reason: bound[bool] = bound(False)
    scrolled: bound[int] = bound(0)

    class Accepted(Message):
        """The person confirmed. The strip stays open until it is closed. `reason`: what was typed
        as the reason, "" for nothing.
        """

        def __init__(self, proposal: Proposal, reason: str = "") -> None:
            super().__init__()
            self.proposal = proposal
            self.reason = reason

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
        self.on_turn: Callable[[], None] = lambda: None
        """Called when a question was opened, or left."""
        self._focused_before: Widget | None = None

    @property
    def is_armed(self) -> bool:
        """Whether a key would be heard: painted, not dead, not answered."""
        return self.proposal is not None and self._armed_at is not None and not self.death

    def open(self, proposal: Proposal) -> None:
        """Show it and take the keys; those typed before it was painted do not count."""
        self._armed_at = None
        self.is_answered = False
        self._forget()
        self.proposal = proposal
        self._take_keys()
        self.call_after_refresh(self._arm, proposal)
        self.on_turn()

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

    def notice_written(self, at: float) -> None:
        """What is asked can be read from now on, so a key counts: the first, too."""
        if self.proposal and self._armed_at is None and not (self.death or self.is_answered):
            self._armed_at = at

    def _arm(self, proposal: Proposal) -> None:
        """Where Textual painted it: nobody says when, so it is when that is over."""
        if self.proposal is proposal:
            # The clock that stamps key events, so that the two can be compared.
            self.notice_written(Message().time)

    def die(self, reason: str) -> None:
        """The target changed: say so, accept nothing any more. Esc, n or Enter closes it."""
        if self.proposal is not None:
            self.death = reason
            self._armed_at = None

    def close(self) -> None:
        """Blank again, without a message; the keys go back to where they went before."""
        self._give_keys_back()
        self.proposal = None
        self._forget()
        self._armed_at = None
        self.on_turn()

    def _forget(self) -> None:
        self.death = self.typed = self.reason = ""
        self.is_typing_reason = False
        self.scrolled = 0

    @property
    def takes_letters(self) -> bool:
        """Whether a letter is a letter now: a name or a reason is typed."""
        proposal = self.proposal
        return proposal is not None and (bool(proposal.typed_name) or self.is_typing_reason)

    def on_key(self, event: Key) -> None:
        """Answer while something is asked; every key but those of `passes` is kept from the screen.

        Where a name is typed a letter is a letter.
        """
        proposal = self.proposal
        if proposal is None or (not self.takes_letters and self.passes(event)):
            return
        event.stop()
        event.prevent_default()
        if self.is_typing_reason and not self.death:
            self._type_reason(event)
        elif self._leaves(event, proposal):
            reason = self.death
            self.close()
            self.post_message(self.Left(proposal, reason))
        elif event.key in _SCROLL:
            self.scrolled = max(0, self.scrolled + _SCROLL[event.key])
        elif self._armed_at is None or event.time < self._armed_at or self.death:
            return
        elif proposal.takes_reason and (event.key == "tab" or self._is_reasons(event, proposal)):
            self.is_typing_reason = True
        elif proposal.typed_name:
            self._type_name(event, proposal)
        elif event.key == "y":
            self._accept(proposal)

    @staticmethod
    def _is_reasons(event: Key, proposal: Proposal) -> bool:
        """Whether it is the key of the reason: a letter where no name is typed."""
        return event.key == "i" and not proposal.typed_name

    def _leaves(self, event: Key, proposal: Proposal) -> bool:
        leaving = event.key == "escape" or (not proposal.typed_name and event.key == "n")
        return leaving or (bool(self.death) and event.key in ("enter", "n"))

    def _type_reason(self, event: Key) -> None:
        """Enter, Tab and Esc leave the field; a second Esc leaves the question."""
        if event.key in ("enter", "tab", "escape"):
            self.is_typing_reason = False
        else:
            self.reason = _edit(self.reason, event, MOST_REASON)

    def _type_name(self, event: Key, proposal: Proposal) -> None:
        if event.key == "enter":
            if self.typed == proposal.typed_name:
                self._accept(proposal)
        else:
            self.typed = _edit(self.typed, event, 100)

    def _accept(self, proposal: Proposal) -> None:
        """Once: a second `y` before the strip is closed is not a second change."""
        if proposal.needs_reason and not self.reason.strip():
            self.is_typing_reason = True
            return
        self._armed_at = None
        self.is_answered = True
        self.post_message(self.Accepted(proposal, self.reason.strip()))

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """The question, and how it is answered, which is the last to go. Where the rows are too
        few the question scrolls, and says so.
        """
        proposal = self.proposal
        if proposal is None:
            return
        width, state = canvas.width - 1, self._answering()
        if canvas.height == 1:
            title: list[Run] = [(sanitize(proposal.title, 60), palette.strip), ("  ", palette.text)]
            answer = answer_rows(proposal, state, 1000, palette)[0]
            canvas.runs(1, 0, [*title, *answer])
            return
        rows = question_rows(proposal, state, width, palette)
        answer_at = answer_rows(proposal, state, width, palette)
        room = max(1, canvas.height - len(answer_at))
        hidden = max(0, len(rows) - room)
        if hidden and room > 1:
            room, hidden = room - 1, hidden + 1
            answer_at.insert(0, [(f"↑ ↓ {hidden} more rows", palette.watch)])
        # What is being typed is seen: it stands last.
        at = len(rows) if self.is_typing_reason else self.scrolled
        first = max(0, min(at, len(rows) - room))
        for y, row in enumerate([*rows[first : first + room], *answer_at]):
            canvas.runs(1, y, row, width)

    def _answering(self) -> Answering:
        """How far the answer is."""
        return Answering(
            self.typed, self.reason, self.is_typing_reason, self.death, self.words_of_age()
        )

    def words_of_age(self) -> str:
        """The age of the data now, where it is known here; "" leaves what the question says."""
        return ""

    def rows_needed(self, width: int) -> int:
        """How many rows the open question needs in `width` cells; 0 while nothing is asked."""
        proposal = self.proposal
        if proposal is None or width <= 1:
            return 0
        state, palette = self._answering(), self.palette
        rows = question_rows(proposal, state, width - 1, palette)
        return len(rows) + len(answer_rows(proposal, state, width - 1, palette))


def _edit(text: str, event: Key, most: int) -> str:
    """`text` after a key: a character more, one less, or none at all."""
    if event.key == "backspace":
        return text[:-1]
    if event.key == "ctrl+u":
        return ""
    if event.is_printable and event.character and len(text) < most:
        return text + event.character
    return text
