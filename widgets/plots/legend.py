"""The legend of a plot: shape, name, newest value and number of values, for both sides."""

from __future__ import annotations

from canary.rollout.decision.gates import DATA_WORDS
from canary.rollout.measure.samples import Window
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.text import NO_DATA, format_count, format_rate, format_value
from themes import Palette
from themes.palette import Side
from widgets.plots.canvas import Canvas, Run, width_of
from widgets.plots.series import Metric

MARKS: dict[Side, str] = {"legacy": "▆", "canary": "⠒"}
"""The shape that stands for a side wherever it is plotted: an area and a line."""
NAMES: dict[Metric, str] = {
    "requests_per_s": "requests/s",
    "error_ratio": "error",
    "success_ratio": "success",
    "p50_ms": "p50",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "confidence": "confidence",
    "cpu": "cpu",
    "memory": "memory",
    "instances": "instances",
}


def value_in(window: Window, metric: Metric) -> float | None:
    """The window's value of a metric; requests/s from the count and the window's length."""
    if metric == "requests_per_s":
        seconds = window.end - window.start
        return None if window.requests is None or seconds <= 0 else window.requests / seconds
    value: float | None = getattr(window, metric)
    return value


def count_in(window: Window, metric: Metric) -> int | None:
    """How many values are behind it; None when nothing was counted."""
    if metric.endswith("_ms"):
        return window.latency_count
    if metric == "confidence":
        return window.confidence_count
    return window.requests


def show_value(metric: Metric, value: float | None) -> str:
    """A value in the manner of its metric; "no data" for None."""
    if metric == "requests_per_s":
        return format_rate(value)
    if metric == "instances":
        return NO_DATA if value is None else f"{value:.0f}"
    return format_value(metric, value)


def value_run(view: SideView, metric: Metric, palette: Palette) -> Run:
    """A side's newest value: in its text style when it may be judged, else in "no data" style."""
    value = value_in(view.window, metric)
    style = palette.text if value is not None and view.data == "ok" else palette.no_data
    return show_value(metric, value), style


def name_runs(side: Side, view: SideView, palette: Palette) -> list[Run]:
    """Shape and name of a side; "?" behind it while its numbers may not be judged."""
    runs: list[Run] = [(f"{MARKS[side]} {side}", palette.side(side))]
    return runs if view.data == "ok" else [*runs, ("?", palette.no_data)]


def data_note(view: SideView) -> str:
    """What is wrong with a side's data, in words; empty when nothing is."""
    return "" if view.data in ("ok", "missing") else DATA_WORDS[view.data]


def draw_legend(
    canvas: Canvas, y: int, metric: Metric, snapshot: Snapshot, palette: Palette
) -> None:
    """One row: name, then each side; the counts only where there is room for them."""
    runs: list[Run] = [(NAMES[metric], palette.dim)]
    counted: list[Run] = list(runs)
    for side, view in (("legacy", snapshot.legacy), ("canary", snapshot.canary)):
        accent = palette.legacy if side == "legacy" else palette.canary
        mark = MARKS["legacy"] if side == "legacy" else MARKS["canary"]
        part: list[Run] = [
            ("  " + mark + " ", accent),
            (side + " ", accent),
            value_run(view, metric, palette),
        ]
        if note := data_note(view):
            part.append((f" {note}", palette.no_data))
        runs += part
        counted += [*part, (f" n {format_count(count_in(view.window, metric))}", palette.quiet)]
    canvas.runs(0, y, counted if width_of(counted) <= canvas.width else runs)
