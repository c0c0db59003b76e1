"""The first line: services, project, LOCAL CLOUD and READ-ONLY in words, clock, data age."""

from __future__ import annotations

from canary.rollout.snapshot import Snapshot
from themes import Palette
from widgets.canvas import Canvas
from widgets.cells import CellWidget, drawn


class Header(CellWidget):
    """The first line: services, project, LOCAL CLOUD and READ-ONLY in words, clock, data age."""

    snapshot: drawn[Snapshot | None] = drawn(None)
    now: drawn[float] = drawn(0.0)
    read_only: drawn[bool] = drawn(False)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Not drawn yet."""
        canvas.text(0, 0, "not drawn yet", palette.dim)
