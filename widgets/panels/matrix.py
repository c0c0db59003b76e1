"""The matrix: each metric once, with both sides, their ratio, the alarm limit, the gate, the spark.

It stands for what were the overview, the gates' metrics and the decision's margins. Read downwards,
"of alarm limit" is the decision tree. What has no room goes from the least needed on and leaves a
mark; each column says over which time it is.
"""

from __future__ import annotations

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import NO_DATA
from themes import Palette
from widgets.panels.matrix_cells import ROWS, RowMetric, limit_share
from widgets.panels.matrix_layout import Scene, lay_out
from widgets.panels.matrix_rows import (
    draw_gate,
    draw_heading,
    draw_label,
    draw_share,
    draw_values,
)
from widgets.panels.matrix_traffic import draw_requests, draw_traffic, find_notes
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, bound
from widgets.plots.picture import Picture, PlotMaker, plotted_now
from widgets.plots.series import Metric
from widgets.plots.sides import draw_spark, draw_spark_marks


class MatrixPanel(CellWidget):
    """Five rows below a heading; with rows to spare the requests, the ages, and what was refused.

    `window_s` is how far back the sparks reach.
    """

    BORDER_TITLE = "overview"

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    window_s: bound[float] = bound(3600.0)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._maker = PlotMaker()

    def forget_scales(self) -> None:
        """Choose the plots' scales anew."""
        self._maker.scales.clear()

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """The rows, as far down as there are; the heading only where it takes no row's place."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        now = self.now or snapshot.as_of
        scene = Scene(snapshot, self.plan, now, lay_out(canvas.width), palette)
        y = 0
        if canvas.height > len(ROWS):
            draw_heading(canvas, scene, self.window_s)
            y = 1
        for metric in ROWS:
            self._draw_row(canvas, y, metric, scene)
            y += 1
        is_alone = canvas.height <= y + 1
        if y < canvas.height:
            draw_traffic(canvas, y, scene, is_alone=is_alone)
            if not is_alone:
                self._draw_spark(canvas, y, "requests_per_s", scene)
        if not is_alone:
            draw_requests(canvas, y + 1, scene)
        for row, runs in enumerate(find_notes(scene), y + 2):
            canvas.runs(0, row, runs)

    def _draw_row(self, canvas: Canvas, y: int, metric: RowMetric, scene: Scene) -> None:
        found = None
        if scene.canary == "ok" and not scene.is_off and scene.plan is not None:
            found = limit_share(metric, scene.snapshot.canary.window, scene.plan)
        draw_label(canvas, y, ROWS[metric], found, scene)
        draw_values(canvas, y, metric, scene)
        draw_share(canvas, y, metric, found, scene)
        draw_gate(canvas, y, metric, scene)
        self._draw_spark(canvas, y, metric, scene)

    def _draw_spark(self, canvas: Canvas, y: int, metric: Metric, scene: Scene) -> None:
        x, width = scene.columns.spark
        if not width:
            return
        picture = self._picture(metric, scene, width)
        palette = scene.palette
        draw_spark(canvas, x, y, picture.canary, picture.scale, palette.canary)
        draw_spark_marks(canvas, x, y, picture, palette)

    def _picture(self, metric: Metric, scene: Scene, width: int) -> Picture:
        return self._maker.picture(
            metric,
            scene.snapshot,
            scene.plan,
            now=plotted_now(scene.now),
            window_s=self.window_s,
            columns=width,
        )
