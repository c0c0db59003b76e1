"""The confirm strip: always laid out at the bottom, never a window over the numbers."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from themes import Palette
from widgets.canvas import Canvas
from widgets.cells import CellWidget, drawn


@dataclass(frozen=True)
class Proposal:
    """What is to be confirmed. All text may come from outside; it is made plain when drawn.

    `change_id` comes back in the answer. `title` is what is done ("Promote to stage 3"), `facts`
    what changes from → to ("canary 10 % → 25 %"), `target` the revision or service, `data_age`
    words, `unmet` the gates that fail, `command` the gcloud equivalent, `typed_name` a name that
    must be typed ("": `y` is enough).
    """

    change_id: str
    title: str
    facts: tuple[str, ...] = ()
    target: str = ""
    data_age: str = ""
    unmet: tuple[str, ...] = ()
    command: str = ""
    typed_name: str = ""


class ConfirmStrip(CellWidget, can_focus=True):
    """Shows a Proposal and asks. `open` it, it posts Accepted or Left; `die` says why it ended.

    Fixed height in CSS (rows are blank when closed): opening repaints only the text's own cells.
    """

    DEFAULT_CSS = """
    ConfirmStrip { height: 4; }
    """

    proposal: drawn[Proposal | None] = drawn(None)

    class Accepted(Message):
        """The person confirmed."""

        def __init__(self, proposal: Proposal) -> None:
            super().__init__()
            self.proposal = proposal

    class Left(Message):
        """The person left it; nothing is to be done. `reason` when it died of itself."""

        def __init__(self, proposal: Proposal, reason: str = "") -> None:
            super().__init__()
            self.proposal = proposal
            self.reason = reason

    def open(self, proposal: Proposal) -> None:
        """Show it and take the focus; keys typed before it was painted do not count."""
        self.proposal = proposal

    def die(self, reason: str) -> None:
        """The target changed: say so, accept nothing any more. Esc (or any key) closes it."""

    def close(self) -> None:
        """Blank again, without a message."""
        self.proposal = None

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Not drawn yet."""
        canvas.text(0, 0, "not drawn yet", palette.dim)
