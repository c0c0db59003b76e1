"""Requests/s, error ratio and success ratio of both sides, with sparks and ages."""

from __future__ import annotations

from canary.rollout.plan import Plan
from canary.rollout.snapshot import Snapshot
from themes import Palette
from widgets.canvas import Canvas
from widgets.cells import CellWidget, drawn


class OverviewPanel(CellWidget):
    """Requests/s, error ratio and success ratio of both sides, with sparks and ages."""

    snapshot: drawn[Snapshot | None] = drawn(None)
    now: drawn[float] = drawn(0.0)
    plan: drawn[Plan | None] = drawn(None)
    window_s: drawn[float] = drawn(3600.0)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Not drawn yet."""
        canvas.text(0, 0, "not drawn yet", palette.dim)
