"""Both sides beside each other: legend, spark, and a table with one column a metric.

The table is the base of overview, latency and resources: the same columns stand under each other,
and what does not fit goes away from the right, sparks first, leaving a mark.
"""

from __future__ import annotations

import msgspec
from rich.style import Style

from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.text import format_age
from themes import Palette
from themes.palette import Side
from widgets.plots.axes import Scale
from widgets.plots.canvas import CUT, Canvas, Run, cut_text
from widgets.plots.picture import Picture
from widgets.plots.series import Metric, PlotSeries
from widgets.plots.values import show_value, value_in

MARKS: dict[Side, str] = {"legacy": "⠂", "canary": "⠒"}
"""The shape that stands for a side wherever it is plotted: a dotted line and a whole one."""


def value_run(view: SideView, metric: Metric, palette: Palette) -> Run:
    """A side's newest value: in its text style when it may be judged, else in "no data" style."""
    value = value_in(view.window, metric)
    style = palette.text if value is not None and view.data == "ok" else palette.no_data
    return show_value(metric, value), style


def name_runs(side: Side, view: SideView, palette: Palette, *, is_off: bool = False) -> list[Run]:
    """Shape and name of a side; "?" behind it while its numbers may not be judged, unless it
    `is_off`: meant to have no traffic.
    """
    runs: list[Run] = [(f"{MARKS[side]} {side}", palette.side(side))]
    return runs if view.data == "ok" or is_off else [*runs, ("?", palette.no_data)]


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
            canvas.put(x + column, y, "✗", palette.alarm)


LABEL_WIDTH = 10
_GAP = 2
_LEAST_SPARK = 4
_MOST_SPARK = 24


class Column(msgspec.Struct, frozen=True):
    """One column: heading, both values as styled text, their width, and whether it has a spark."""

    heading: str
    legacy: Run
    canary: Run
    width: int = 8
    has_spark: bool = False

    @property
    def cells(self) -> int:
        """The cells of the column without its spark."""
        return max(self.width, len(self.heading))


class Layout(msgspec.Struct, frozen=True):
    """How many columns are shown, and how wide each spark is (0: none)."""

    shown: int
    spark_width: int


def lay_out(columns: tuple[Column, ...], width: int) -> Layout:
    """As many columns as fit into `width`, then sparks of equal width into what is left."""
    shown, used = 0, LABEL_WIDTH
    for index, column in enumerate(columns):
        need = column.cells + (_GAP if index else 0)
        if used + need > width and shown:
            break
        shown, used = shown + 1, used + need
    sparks = sum(1 for c in columns[:shown] if c.has_spark)
    spare = (width - used) // sparks - 1 if sparks else 0
    return Layout(shown, min(_MOST_SPARK, spare) if spare >= _LEAST_SPARK else 0)


def draw_sides(
    canvas: Canvas,
    y: int,
    columns: tuple[Column, ...],
    sparks: dict[int, Picture],
    layout: Layout,
    names: tuple[list[Run], list[Run]],
    palette: Palette,
) -> int:
    """Draw heading (when 3 rows are left), Legacy and Canary from row `y`; returns the next row.

    `sparks` maps a column's index to the picture of its sparks, each `layout.spark_width` columns
    wide; `names` are those of the two sides, as `both_names` gives them.
    """
    headed = canvas.height - y >= 3
    first = y + 1 if headed else y
    for row, name in enumerate(names, first):
        canvas.runs(0, row, name, LABEL_WIDTH - 1)
    x = LABEL_WIDTH
    for index, column in enumerate(columns[: layout.shown]):
        x += _GAP if index else 0
        if headed:
            canvas.right(y, column.heading, palette.dim, x + column.cells)
        for row, (text, style) in enumerate((column.legacy, column.canary), first):
            canvas.right(row, cut_text(text, column.cells), style, x + column.cells)
        x += column.cells
        if column.has_spark and layout.spark_width:
            if index in sparks:
                found = sparks[index]
                draw_spark(canvas, x + 1, first, found.legacy, found.scale, palette.legacy)
                draw_spark(canvas, x + 1, first + 1, found.canary, found.scale, palette.canary)
                draw_spark_marks(canvas, x + 1, first + 1, found, palette)
            x += layout.spark_width + 1
    if layout.shown < len(columns):
        canvas.put(min(x + 1, canvas.width - 1), first, CUT, palette.dim)
    return first + 2


def both_names(snapshot: Snapshot, palette: Palette) -> tuple[list[Run], list[Run]]:
    """The names of the two rows."""
    return (
        name_runs("legacy", snapshot.legacy, palette),
        name_runs("canary", snapshot.canary, palette, is_off=snapshot.traffic.is_all_on_legacy),
    )


def age_run(view: SideView, now: float, palette: Palette) -> Run:
    """The age of a side's newest sample, counted on to `now`; in "no data" style when too old."""
    style = palette.no_data if view.data in ("stale", "missing") else palette.dim
    newest = view.window.newest_at
    if newest is None and view.data_age_s is not None:
        return format_age(view.data_age_s), style
    return format_age(None if newest is None else max(0.0, now - newest)), style
