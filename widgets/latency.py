"""p50, p95, p99 of both sides, and the plot of one (or of all where there is room)."""

from __future__ import annotations

from canary.rollout.plan import Plan
from canary.rollout.snapshot import Snapshot
from themes import Palette
from widgets.canvas import Canvas
from widgets.cells import CellWidget, drawn


class LatencyPanel(CellWidget):
    """p50, p95, p99 of both sides, and the plot of one (or of all where there is room)."""

    snapshot: drawn[Snapshot | None] = drawn(None)
    now: drawn[float] = drawn(0.0)
    plan: drawn[Plan | None] = drawn(None)
    window_s: drawn[float] = drawn(3600.0)
    percentile: drawn[str] = drawn("p95")

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Not drawn yet."""
        canvas.text(0, 0, "not drawn yet", palette.dim)
