"""Events, newest first, filtered and scrolled."""

from __future__ import annotations

from canary.rollout.snapshot import Snapshot
from themes import Palette
from widgets.canvas import Canvas
from widgets.cells import CellWidget, drawn


class EventLog(CellWidget):
    """Events, newest first, filtered and scrolled."""

    snapshot: drawn[Snapshot | None] = drawn(None)
    filter_text: drawn[str] = drawn("")

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Not drawn yet."""
        canvas.text(0, 0, "not drawn yet", palette.dim)
