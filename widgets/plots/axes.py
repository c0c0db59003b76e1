"""Where a plot's data goes in its rectangle, and the labels around it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from themes import Palette
from widgets.plots.canvas import Canvas
from widgets.plots.picture import Picture
from widgets.plots.scale import label

_GUTTER = 7
_TICKS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800)


class Box(msgspec.Struct, frozen=True):
    """A rectangle of a canvas."""

    x: int
    y: int
    width: int
    height: int

    def inner(self) -> Box:
        """Where the data goes: right of the labels and above the time axis, if there is room."""
        gutter = _GUTTER if self.width >= 3 * _GUTTER else 0
        axis = 1 if self.height >= 4 else 0
        return Box(self.x + gutter, self.y, self.width - gutter, self.height - axis)


def box_row(box: Box, picture: Picture, value: float) -> int:
    """The row of the canvas in which a value lies."""
    steps = round(picture.scale.fraction(value) * (box.height * 4 - 1))
    return box.y + box.height - 1 - steps // 4


def draw_value_axis(canvas: Canvas, inner: Box, picture: Picture, palette: Palette) -> None:
    """Labels at the top and bottom, and in the middle where there is room."""
    for row in range(inner.height):
        canvas.put(inner.x - 1, inner.y + row, "│", palette.quiet)
    scale = picture.scale
    marks = [(inner.y, scale.high)]
    if inner.height >= 2:
        marks.append((inner.y + inner.height - 1, scale.low))
    if inner.height >= 5 and inner.height % 2 == 1:
        marks.append((inner.y + inner.height // 2, (scale.low + scale.high) / 2))
    elif inner.height >= 8:
        marks.append(
            (box_row(inner, picture, (scale.low + scale.high) / 2), (scale.low + scale.high) / 2)
        )
    for y, value in marks:
        canvas.right(y, label(picture.metric, value), palette.dim, inner.x - 1)
        canvas.put(inner.x - 1, y, "┤", palette.quiet)


def draw_time_axis(canvas: Canvas, inner: Box, picture: Picture, palette: Palette) -> None:
    """Round times as labels under their columns, never nearer than a label is wide."""
    grid, y = picture.grid, inner.y + inner.height
    tick_s = next((t for t in _TICKS_S if t / grid.column_s >= 12), _TICKS_S[-1])
    at = (grid.start // tick_s + 1) * tick_s
    while at <= grid.end:
        text = _time_label(at, tick_s)
        x = inner.x + grid.column_of(at)
        if x + len(text) < inner.x + inner.width:
            canvas.put(x, y, "╵", palette.quiet)
            canvas.text(x + 1, y, text, palette.dim, inner.x + inner.width - x - 1)
        at += tick_s


def _time_label(at: float, tick_s: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    if tick_s >= 86400 or (moment.hour == 0 and moment.minute == 0):
        return moment.strftime("%a %d")
    return moment.strftime("%H:%M")
