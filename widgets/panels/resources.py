"""The resources: CPU, memory and instances of both sides, with the least and the most allowed."""

from __future__ import annotations

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.text import NO_DATA, sanitize
from themes import Palette
from widgets.plots.axes import Box
from widgets.plots.canvas import Canvas, Run
from widgets.plots.cells import CellWidget, bound
from widgets.plots.picture import Picture, PlotMaker, plotted_now
from widgets.plots.plot import draw_picture
from widgets.plots.series import Metric
from widgets.plots.sides import Column, both_names, draw_sides, lay_out, value_run
from widgets.plots.values import NAMES

_METRICS: tuple[Metric, ...] = ("cpu", "memory")
_PLOTTED: tuple[Metric, ...] = (*_METRICS, "instances")
_LEAST_ROWS = 4
"""A name, and three rows of plot."""


class ResourcesPanel(CellWidget):
    """CPU and memory utilisation, instances, and the range they may move in."""

    BORDER_TITLE = "resources"

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    window_s: bound[float] = bound(3600.0)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._maker = PlotMaker()

    def validate_now(self, now: float) -> float:
        """Only the plots hang on it."""
        return plotted_now(now)

    def forget_scales(self) -> None:
        """Choose the plots' scales anew."""
        self._maker.scales.clear()

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """The table, unready revisions, and with rows to spare a plot of each metric."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        columns = _columns(snapshot, palette)
        layout = lay_out(columns, canvas.width)
        sparks: dict[int, Picture] = {}
        for index, metric in enumerate(_PLOTTED if layout.spark_width else ()):
            picture = self._picture(metric, snapshot, layout.spark_width)
            sparks[index] = picture
        y = draw_sides(canvas, 0, columns, sparks, layout, both_names(snapshot, palette), palette)
        for name, view in (("legacy", snapshot.legacy), ("canary", snapshot.canary)):
            if view.ready is False and y < canvas.height:
                canvas.text(0, y, f"✗ {name} not ready: {sanitize(view.revision)}", palette.watch)
                y += 1
        if not layout.spark_width or canvas.height - y >= _LEAST_ROWS:
            self._draw_plots(canvas, y, snapshot, palette)

    def _draw_plots(self, canvas: Canvas, y: int, snapshot: Snapshot, palette: Palette) -> None:
        """As many of the metrics as have room from row `y` on, below each other."""
        rows = canvas.height - y
        shown = _PLOTTED[: rows // _LEAST_ROWS]
        for index, metric in enumerate(shown):
            top, end = y + rows * index // len(shown), y + rows * (index + 1) // len(shown)
            canvas.text(0, top, NAMES[metric], palette.dim)
            box = Box(0, top + 1, canvas.width, end - top - 1)
            draw_picture(canvas, box, self._picture(metric, snapshot, box.inner().width), palette)

    def _picture(self, metric: Metric, snapshot: Snapshot, columns: int) -> Picture:
        return self._maker.picture(
            metric,
            snapshot,
            self.plan,
            now=self.now or snapshot.as_of,
            window_s=self.window_s,
            columns=columns,
        )


def _columns(snapshot: Snapshot, palette: Palette) -> tuple[Column, ...]:
    sides = (snapshot.legacy, snapshot.canary)
    is_off = snapshot.traffic.is_all_on_legacy

    def idle(run: Run) -> Run:
        """Of a Canary that is meant to have no traffic nothing is missing."""
        if not is_off:
            return run
        return "–" if run[0] == NO_DATA else run[0], palette.dim

    values = tuple(
        Column(
            NAMES[metric],
            value_run(sides[0], metric, palette),
            idle(value_run(sides[1], metric, palette)),
            width=6,
            has_spark=True,
        )
        for metric in _METRICS
    )
    running = [_instances_run(sides[0], palette), idle(_instances_run(sides[1], palette))]
    width = max(len(text) for text, _ in running)
    return (*values, Column("instances", running[0], running[1], width=width, has_spark=True))


def _instances_run(view: SideView, palette: Palette) -> Run:
    """Instances running, of the range they may move in: "4 of 1–10"."""
    allowed = "" if view.scale is None else f" of {view.scale.min}–{view.scale.max}"
    value = view.window.instances
    if value is None:
        return NO_DATA, palette.no_data
    return f"{value:.0f}{allowed}", palette.text if view.data == "ok" else palette.no_data
