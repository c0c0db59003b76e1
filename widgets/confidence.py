"""Gauge above histogram."""

from __future__ import annotations

from canary.rollout.plan import Plan
from canary.rollout.snapshot import Snapshot
from themes import Palette
from widgets.canvas import Canvas
from widgets.cells import CellWidget, drawn


class ConfidencePanel(CellWidget):
    """Gauge above histogram."""

    snapshot: drawn[Snapshot | None] = drawn(None)
    now: drawn[float] = drawn(0.0)
    plan: drawn[Plan | None] = drawn(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Not drawn yet."""
        canvas.text(0, 0, "not drawn yet", palette.dim)
