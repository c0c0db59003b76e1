"""The spark: a plot of one row. Blocks for values, blanks for gaps, a dot for a lone sample."""

from __future__ import annotations

from rich.style import Style

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import NO_DATA
from themes import Palette
from themes.palette import Side
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, drawn
from widgets.plots.legend import MARKS, NAMES, value_run
from widgets.plots.picture import Picture, PlotMaker
from widgets.plots.scale import Scale
from widgets.plots.series import Metric, PlotSeries

_EIGHTHS = "▁▂▃▄▅▆▇█"
_LONE = "∙"


def draw_spark(
    canvas: Canvas, x: int, y: int, series: PlotSeries, scale: Scale, style: Style
) -> None:
    """One cell a column. The lowest block is the scale's bottom: a zero is not a gap."""
    for column, value in enumerate(series.values):
        if value is None:
            continue
        if column in series.lone:
            canvas.put(x + column, y, _LONE, style)
            continue
        step = round(scale.fraction(value) * (len(_EIGHTHS) - 1))
        canvas.put(x + column, y, _EIGHTHS[step], style)


def draw_spark_marks(canvas: Canvas, x: int, y: int, picture: Picture, palette: Palette) -> None:
    """ "✗" where the evidence has proven a regression that concerns the metric."""
    for at, _ in picture.detected:
        column = picture.grid.column_of(at)
        if 0 <= column < picture.grid.columns:
            canvas.put(x + column, y, "✗", palette.critical_line)


class Spark(CellWidget):
    """One metric of both sides in a row, or a row a side when it is two rows high, on one scale."""

    DEFAULT_CSS = """
    Spark { height: 1; }
    """

    snapshot: drawn[Snapshot | None] = drawn(None)
    plan: drawn[Plan | None] = drawn(None)
    now: drawn[float] = drawn(0.0)
    window_s: drawn[float] = drawn(3600.0)
    metric: drawn[Metric] = drawn("error_ratio")

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._maker = PlotMaker()

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Name, then for each side its shape, the spark and the newest value."""
        if self.snapshot is None:
            canvas.runs(0, 0, [(NAMES[self.metric] + " ", palette.dim), (NO_DATA, palette.no_data)])
            return
        name_width = len(NAMES[self.metric]) + 1
        rows = 2 if canvas.height >= 2 else 1
        room = (canvas.width - name_width) // (3 - rows)
        columns = max(0, room - 14)
        canvas.text(0, 0, NAMES[self.metric], palette.dim)
        picture = self._maker.picture(
            self.metric,
            self.snapshot,
            self.plan,
            now=self.now or self.snapshot.as_of,
            window_s=self.window_s,
            columns=max(1, columns),
        )
        sides: tuple[Side, Side] = ("legacy", "canary")
        for index, side in enumerate(sides):
            x = name_width if rows == 2 else name_width + index * room
            y = index if rows == 2 else 0
            view = self.snapshot.legacy if side == "legacy" else self.snapshot.canary
            text, style = value_run(view, self.metric, palette)
            canvas.text(x, y, MARKS[side], palette.side(side))
            canvas.text(x + 2, y, text, style, max(1, room - 3))
            if columns > 3:
                series = picture.legacy if side == "legacy" else picture.canary
                draw_spark(canvas, x + 12, y, series, picture.scale, palette.side(side))
