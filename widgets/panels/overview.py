"""The overview: requests/s, error ratio and success ratio, Legacy above Canary, with ages."""

from __future__ import annotations

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.text import NO_DATA, format_count, format_duration
from themes import Palette
from widgets.plots.canvas import Canvas, Run
from widgets.plots.cells import CellWidget, bound
from widgets.plots.picture import Picture, PlotMaker
from widgets.plots.series import Metric
from widgets.plots.sides import (
    NAMES,
    Column,
    age_run,
    both_names,
    data_note,
    draw_sides,
    lay_out,
    value_run,
)

_METRICS: tuple[Metric, ...] = ("requests_per_s", "error_ratio", "success_ratio")


class OverviewPanel(CellWidget):
    """Three metrics with sparks, the requests behind them, and how old they are."""

    BORDER_TITLE = "overview"

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    window_s: bound[float] = bound(3600.0)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._maker = PlotMaker()

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """The table; a note below when a side's data may not be judged."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        now = self.now or snapshot.as_of
        columns = self._columns(snapshot, now, palette)
        layout = lay_out(columns, canvas.width)
        sparks = self._sparks(snapshot, now, layout.spark_width) if layout.spark_width else {}
        y = draw_sides(canvas, 0, columns, sparks, layout, both_names(snapshot, palette), palette)
        notes = _notes(snapshot, palette)
        if notes and y < canvas.height:
            canvas.runs(0, y, notes)

    def _columns(self, snapshot: Snapshot, now: float, palette: Palette) -> tuple[Column, ...]:
        measured = tuple(
            Column(
                NAMES[metric],
                value_run(snapshot.legacy, metric, palette),
                value_run(snapshot.canary, metric, palette),
                has_spark=True,
            )
            for metric in _METRICS
        )
        return (
            *measured,
            Column(
                "age",
                age_run(snapshot.legacy, now, palette),
                age_run(snapshot.canary, now, palette),
                width=7,
            ),
            Column(
                f"in {format_duration(snapshot.window_s)}",
                _count_run(snapshot.legacy, palette),
                _count_run(snapshot.canary, palette),
                width=7,
            ),
        )

    def _sparks(self, snapshot: Snapshot, now: float, width: int) -> dict[int, Picture]:
        found: dict[int, Picture] = {}
        for index, metric in enumerate(_METRICS):
            picture = self._maker.picture(
                metric, snapshot, self.plan, now=now, window_s=self.window_s, columns=width
            )
            found[index] = picture
        return found


def _count_run(view: SideView, palette: Palette) -> Run:
    style = palette.no_data if view.data in ("thin", "missing") else palette.dim
    return format_count(view.window.requests), style


def _notes(snapshot: Snapshot, palette: Palette) -> list[Run]:
    """Why a side's numbers may not be judged, and what it refused for want of an instance."""
    runs: list[Run] = []
    for name, view in (("legacy", snapshot.legacy), ("canary", snapshot.canary)):
        note = data_note(view)
        if note:
            runs.append((f"{'  ' if runs else ''}? {name}: {note}", palette.no_data))
        if view.window.refused:
            count = format_count(view.window.refused)
            text = f"{'  ' if runs else ''}! {name}: {count} refused, no instance free"
            runs.append((text, palette.watch))
    return runs
