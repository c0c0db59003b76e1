"""Two series on one shared scale over a time window."""

from __future__ import annotations

from canary.rollout.plan import Plan
from canary.rollout.snapshot import Snapshot
from themes import Palette
from widgets.canvas import Canvas
from widgets.cells import CellWidget, drawn


class Plot(CellWidget):
    """Two series on one shared scale over a time window."""

    snapshot: drawn[Snapshot | None] = drawn(None)
    now: drawn[float] = drawn(0.0)
    plan: drawn[Plan | None] = drawn(None)
    window_s: drawn[float] = drawn(3600.0)
    metric: drawn[str] = drawn("p95_ms")

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Not drawn yet."""
        canvas.text(0, 0, "not drawn yet", palette.dim)
