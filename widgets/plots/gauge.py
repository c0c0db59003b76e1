"""The gauge: mean confidence of both sides on 0…1, with the mark of the stage's criterion."""

from __future__ import annotations

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.text import NO_DATA, format_score
from themes import Palette
from themes.palette import Side
from widgets.plots.bar import draw_bar
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, drawn
from widgets.plots.legend import name_runs

_LABEL = 10
_VALUE = 8


def confidence_limit(snapshot: Snapshot, plan: Plan | None) -> float | None:
    """The least confidence for leaving the present stage; None when nothing asks for one."""
    index = snapshot.stage.index
    if plan is None or index is None or not 1 <= index <= len(plan.stages):
        return None
    criteria = plan.stage(index).criteria
    return criteria.min_confidence if criteria else None


class Gauge(CellWidget):
    """One bar a side. No data: no bar, and the words."""

    DEFAULT_CSS = """
    Gauge { height: 2; }
    """

    snapshot: drawn[Snapshot | None] = drawn(None)
    plan: drawn[Plan | None] = drawn(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Legacy above Canary."""
        if self.snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        draw_gauge(canvas, 0, self.snapshot, self.plan, palette)


def draw_gauge(
    canvas: Canvas, y: int, snapshot: Snapshot, plan: Plan | None, palette: Palette
) -> int:
    """Draw from row `y`; Canary alone when only one row is left. Returns the next row."""
    limit = confidence_limit(snapshot, plan)
    sides: tuple[Side, ...] = ("legacy", "canary")
    if canvas.height - y < 2:
        sides = ("canary",)
    for row, side in enumerate(sides, y):
        view = snapshot.legacy if side == "legacy" else snapshot.canary
        _draw_side(canvas, row, side, view, limit if side == "canary" else None, palette)
    return y + len(sides)


def _draw_side(
    canvas: Canvas, y: int, side: Side, view: SideView, limit: float | None, palette: Palette
) -> None:
    label = _LABEL if canvas.width >= 24 else 2
    canvas.runs(0, y, name_runs(side, view, palette), label - 1)
    value = view.window.confidence
    judged = value is not None and view.data == "ok"
    canvas.text(label, y, format_score(value), palette.text if judged else palette.no_data, _VALUE)
    x = label + _VALUE
    width = canvas.width - x
    if width < 4 or value is None:
        return
    draw_bar(canvas, x, y, width, value, palette.side(side), palette.masked)
    if limit is not None:
        canvas.put(x + min(width - 1, int(limit * width)), y, "┃", palette.critical_line)
