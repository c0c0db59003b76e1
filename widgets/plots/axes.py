"""The value axis that both sides share, where the data goes in its rectangle, and the labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from canary.rollout.text import format_limit
from themes import Palette
from widgets.plots.canvas import Canvas
from widgets.plots.series import ColumnGrid, Metric

_LADDER = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_FLOORS = (0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5, 0.0)
_LEAST_TOP: dict[Metric, float] = {
    "requests_per_s": 1.0,
    "error_ratio": 0.01,
    "p50_ms": 10.0,
    "p95_ms": 10.0,
    "p99_ms": 10.0,
    "cpu": 0.5,
    "memory": 0.5,
    "instances": 2.0,
}
_NEAR = 0.3
"""A limit joins the scale once the data reaches this part of it: before, it would press all data
into the lowest rows. Until then the plot says in words that it lies above."""


class Scale(msgspec.Struct, frozen=True):
    """`low` at the bottom, `high` at the top; both sides and the limits are placed by it."""

    low: float
    high: float

    def fraction(self, value: float) -> float:
        """0 at the bottom, 1 at the top; values outside are held at the edge."""
        span = self.high - self.low
        return min(1.0, max(0.0, (value - self.low) / span)) if span > 0 else 0.0

    def contains(self, value: float) -> bool:
        """Whether the value is on the scale at all."""
        return self.low <= value <= self.high


def choose_scale(
    metric: Metric, values: Sequence[float], limits: Sequence[float], last: Scale | None
) -> Scale:
    """A scale that holds all `values`, and the limits that are near them.

    `last` is kept while it still fits and is not more than about twice too wide: an axis that
    jumps is hard to read and repaints everything. Empty values: a scale up to the lowest limit.
    """
    if metric in ("success_ratio", "confidence"):
        return _choose_floor(values, limits, last)
    top = max(values, default=0.0)
    near = [limit for limit in limits if top >= limit * _NEAR]
    wanted = max([top * 1.02, *(limit * 1.08 for limit in near), _LEAST_TOP.get(metric, 0.0)])
    if not values and limits:
        wanted = min(limits) * 1.08
    if last is not None and last.low == 0.0 and wanted <= last.high <= wanted * 2.5:
        return last
    return Scale(0.0, round_up(wanted))


def _choose_floor(values: Sequence[float], limits: Sequence[float], last: Scale | None) -> Scale:
    """Ratios that live near 1: the top is 1 and the floor goes down as far as the data asks."""
    bottom = min(values, default=0.9)
    near = [limit for limit in limits if 1 - bottom >= (1 - limit) * _NEAR]
    wanted = min([bottom - (1 - bottom) * 0.05, *(limit - 0.005 for limit in near)])
    floor = next((f for f in _FLOORS if f <= wanted), 0.0)
    if last is not None and last.high == 1.0 and floor / 2 <= last.low <= floor:
        span, kept = 1 - floor, 1 - last.low
        if kept <= span * 2.5:
            return last
    return Scale(floor, 1.0)


def round_up(value: float) -> float:
    """The next round number (1, 1.5, 2, 3, 4, 5, 6, 8 × a power of ten) not below `value`."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _LADDER if step * power >= value * (1 - 1e-9))


def label(metric: Metric, value: float) -> str:
    """A value on the axis, short: "20 s", "1.5 %", "0.8", "40"."""
    if metric.endswith("_ratio") or metric in ("cpu", "memory"):
        return f"{value * 100:.4g} %"
    if metric.endswith("_ms"):
        return format_limit(metric, float(f"{value:.3g}")) if value else "0"
    return f"{value:.3g}"


_GUTTER = 7
_ENDS = ((64, 16), (36, 10))
"""From which width on how many cells at the right are kept for the names of the lines."""
_TICKS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800)


class Box(msgspec.Struct, frozen=True):
    """A rectangle of a canvas. `with_time`: the time axis is its lowest row, if there is room."""

    x: int
    y: int
    width: int
    height: int
    with_time: bool = True

    @property
    def ends(self) -> int:
        """The cells at the right that are kept for the names of the lines; 0: no room for them."""
        return next((cells for width, cells in _ENDS if self.width >= width), 0)

    def inner(self) -> Box:
        """Where the data goes: between the axis' labels and the lines' names, above the time."""
        gutter = _GUTTER if self.width >= 3 * _GUTTER else 0
        axis = 1 if self.height >= 4 and self.with_time else 0
        width = self.width - gutter - self.ends
        return Box(self.x + gutter, self.y, width, self.height - axis)


def box_row(box: Box, scale: Scale, value: float) -> int:
    """The row of the canvas in which a value lies."""
    steps = round(scale.fraction(value) * (box.height * 4 - 1))
    return box.y + box.height - 1 - steps // 4


def draw_value_axis(
    canvas: Canvas, inner: Box, metric: Metric, scale: Scale, palette: Palette
) -> None:
    """Labels at the top and bottom, and in the middle where there is room."""
    for row in range(inner.height):
        canvas.put(inner.x - 1, inner.y + row, "│", palette.quiet)
    marks = [(inner.y, scale.high)]
    if inner.height >= 2:
        marks.append((inner.y + inner.height - 1, scale.low))
    if inner.height >= 5 and inner.height % 2 == 1:
        marks.append((inner.y + inner.height // 2, (scale.low + scale.high) / 2))
    elif inner.height >= 8:
        middle = (scale.low + scale.high) / 2
        marks.append((box_row(inner, scale, middle), middle))
    for y, value in marks:
        canvas.right(y, label(metric, value), palette.dim, inner.x - 1)
        canvas.put(inner.x - 1, y, "┤", palette.quiet)


_NOW = "now"


def draw_time_axis(
    canvas: Canvas, inner: Box, grid: ColumnGrid, now: float, palette: Palette
) -> None:
    """Round times as labels under their columns, never nearer than a label is wide, and now."""
    y = inner.y + inner.height
    present = inner.x + min(inner.width - 1, grid.column_of(now))
    canvas.put(present, y, "╵", palette.quiet)
    room_at_right = canvas.width - present - 1 >= len(_NOW)
    first_of_now = present + 1 if room_at_right else present - len(_NOW)
    canvas.text(first_of_now, y, _NOW, palette.dim)
    end = min(present, first_of_now) - 1
    tick_s = next((t for t in _TICKS_S if t / grid.column_s >= 12), _TICKS_S[-1])
    at = (grid.start // tick_s + 1) * tick_s
    while at <= grid.end:
        text = _time_label(at, tick_s)
        x = inner.x + grid.column_of(at)
        if x + len(text) < end:
            canvas.put(x, y, "╵", palette.quiet)
            canvas.text(x + 1, y, text, palette.dim)
        at += tick_s


def _time_label(at: float, tick_s: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    if tick_s >= 86400 or (moment.hour == 0 and moment.minute == 0):
        return moment.strftime("%a %d")
    return moment.strftime("%H:%M")
