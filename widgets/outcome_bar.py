"""The change in flight, or the newest result that nobody acknowledged; blank otherwise."""

from __future__ import annotations

from canary.rollout.snapshot import Snapshot
from themes import Palette
from widgets.canvas import Canvas
from widgets.cells import CellWidget, drawn


class OutcomeBar(CellWidget):
    """The change in flight, or the newest result that nobody acknowledged; blank otherwise."""

    snapshot: drawn[Snapshot | None] = drawn(None)
    now: drawn[float] = drawn(0.0)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Not drawn yet."""
        canvas.text(0, 0, "not drawn yet", palette.dim)
