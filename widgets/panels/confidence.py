"""The confidence panel: the gauge above the histogram."""

from __future__ import annotations

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import NO_DATA, format_clock, format_count, format_limit
from themes import Palette
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, drawn
from widgets.plots.gauge import confidence_limit, draw_gauge
from widgets.plots.histogram import draw_histogram


class ConfidencePanel(CellWidget):
    """Mean and shape of the application's own score, 0…1."""

    BORDER_TITLE = "confidence"

    snapshot: drawn[Snapshot | None] = drawn(None)
    plan: drawn[Plan | None] = drawn(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Gauge in the first rows, the criterion in words, the histogram in what is left."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        y = draw_gauge(canvas, 0, snapshot, self.plan, palette)
        limit = confidence_limit(snapshot, self.plan)
        if canvas.height - y >= 4:
            counts = " / ".join(
                format_count(v.window.confidence_count) for v in (snapshot.legacy, snapshot.canary)
            )
            asked = "" if limit is None else f"┃ asked ≥ {format_limit('confidence', limit)}"
            x = canvas.text(0, y, asked, palette.dim) + 2 * bool(asked)
            scored = f"scores {counts}"
            if proven := _proven(snapshot):
                canvas.text(x, y, proven, palette.critical_line)
            elif canvas.width - x >= len(scored):
                canvas.text(x, y, scored, palette.quiet)
            y += 1
        if canvas.height - y >= 2:
            draw_histogram(canvas, y, snapshot, palette)


def _proven(snapshot: Snapshot) -> str:
    """That the evidence has proven Canary's score to be worse, and when; "" while it has not."""
    metrics = snapshot.evidence.metrics if snapshot.evidence is not None else ()
    for metric in metrics:
        if metric.metric == "score" and metric.verdict == "rollback":
            return f"✗ proven worse {format_clock(metric.detected_at)}"
    return ""
