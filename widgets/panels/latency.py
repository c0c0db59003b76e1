"""The latency: p50, p95 and p99 of both sides, and the plot of one, or of all if there is room."""

from __future__ import annotations

from typing import Literal

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.text import NO_DATA, format_count
from themes import Palette
from widgets.plots.axes import Box
from widgets.plots.canvas import Canvas, Run
from widgets.plots.cells import CellWidget, bound
from widgets.plots.picture import PlotMaker, plotted_now
from widgets.plots.plot import draw_picture
from widgets.plots.series import Metric
from widgets.plots.sides import (
    Column,
    both_names,
    draw_legend,
    draw_sides,
    lay_out,
    value_run,
)
from widgets.plots.values import NAMES

Percentile = Literal["p50", "p95", "p99"]
_METRICS: tuple[Metric, Metric, Metric] = ("p50_ms", "p95_ms", "p99_ms")
_THREE_PLOTS = 132
"""From this width on, three plots of 44 columns say more than one of 132."""


class LatencyPanel(CellWidget):
    """Percentiles of the tree's window as a table, and over `window_s` as a plot.

    `percentile` chooses the plot. The percentiles are of merged distributions, never averaged.
    """

    BORDER_TITLE = "latency"

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    window_s: bound[float] = bound(3600.0)
    percentile: bound[Percentile] = bound("p95")

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._maker = PlotMaker()

    def validate_now(self, now: float) -> float:
        """Only the plots hang on it."""
        return plotted_now(now)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Table above plot; below six rows only a legend above the plot."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        chosen = _METRICS[("p50", "p95", "p99").index(self.percentile)]
        if canvas.height < 6:
            draw_legend(canvas, 0, chosen, snapshot, palette)
            self._draw_plot(canvas, Box(0, 1, canvas.width, canvas.height - 1), chosen, palette)
            return
        columns = _columns(snapshot, chosen, palette)
        layout = lay_out(columns, canvas.width)
        y = draw_sides(canvas, 0, columns, {}, layout, both_names(snapshot, palette), palette)
        height = canvas.height - y
        if canvas.width < _THREE_PLOTS:
            self._draw_plot(canvas, Box(0, y, canvas.width, height), chosen, palette)
            return
        third = canvas.width // 3
        for index, metric in enumerate(_METRICS):
            canvas.text(index * third + 7, y, NAMES[metric], palette.dim)
            box = Box(index * third, y + 1, third - 1, height - 1)
            self._draw_plot(canvas, box, metric, palette)

    def _draw_plot(self, canvas: Canvas, box: Box, metric: Metric, palette: Palette) -> None:
        if self.snapshot is None or box.inner().width < 1 or box.height < 1:
            return
        picture = self._maker.picture(
            metric,
            self.snapshot,
            self.plan,
            now=self.now or self.snapshot.as_of,
            window_s=self.window_s,
            columns=box.inner().width,
        )
        draw_picture(canvas, box, picture, palette)


def _columns(snapshot: Snapshot, chosen: Metric, palette: Palette) -> tuple[Column, ...]:
    """The three percentiles, the plotted one marked, and how many values are behind them."""
    counts = [_count_run(view, palette) for view in (snapshot.legacy, snapshot.canary)]
    return (
        *(
            Column(
                f"▸ {NAMES[metric]}" if metric == chosen else NAMES[metric],
                value_run(snapshot.legacy, metric, palette),
                value_run(snapshot.canary, metric, palette),
            )
            for metric in _METRICS
        ),
        Column("requests", counts[0], counts[1]),
    )


def _count_run(view: SideView, palette: Palette) -> Run:
    return format_count(view.window.latency_count), palette.dim
