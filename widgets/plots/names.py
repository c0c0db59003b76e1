"""The names in a plot: of the lines at their ends, and of the limits on theirs."""

from __future__ import annotations

from typing import Final

from themes import Palette
from themes.palette import Side
from widgets.plots.axes import Box, box_row, label
from widgets.plots.canvas import Canvas, Run
from widgets.plots.picture import Limit, Picture
from widgets.plots.series import PlotSeries

_SHORT: Final = 10
"""With no more cells than this a side is named by its first letter."""


def draw_ends(canvas: Canvas, box: Box, picture: Picture, room: int, palette: Palette) -> None:
    """Name both lines in the `room` cells right of the box, each beside where it ends."""
    if picture.ends is None:
        return
    series = (picture.legacy, picture.canary)
    rows = _apart([_end_row(box, picture, each) for each in series], series, box)
    sides: tuple[Side, Side] = ("legacy", "canary")
    for side, end, row in zip(sides, picture.ends, rows, strict=True):
        name = side if room > _SHORT else side[0].upper()
        name += "" if end.is_judged else "?"
        style = palette.side(side) if end.is_judged else palette.no_data
        runs: list[Run] = [(f"{name} ", palette.side(side)), (end.value, style)]
        canvas.runs(box.x + box.width + 1, row, runs, room - 1)


def _end_row(box: Box, picture: Picture, series: PlotSeries) -> int:
    """The row in which a line ends; the lowest one for a line that is not there."""
    last = next((v for v in reversed(series.values[: box.width]) if v is not None), None)
    return box.y + box.height - 1 if last is None else box_row(box, picture.scale, last)


def _apart(rows: list[int], series: tuple[PlotSeries, PlotSeries], box: Box) -> tuple[int, int]:
    """Two rows: where both lines end in the same one, the greater value is named above."""
    legacy, canary = rows
    if legacy != canary or box.height < 2:
        return legacy, canary
    ends = [next((v for v in reversed(s.values) if v is not None), -1.0) for s in series]
    if legacy == box.y:
        return (legacy, canary + 1) if ends[0] >= ends[1] else (legacy + 1, canary)
    return (legacy - 1, canary) if ends[0] >= ends[1] else (legacy, canary - 1)


def name_limits(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """Name each limit on its line; those off the scale, dim, at the edge they lie beyond."""
    beyond = []
    for limit in picture.limits:
        if picture.scale.contains(limit.value):
            _name_on_its_line(canvas, box, picture, limit, palette)
        else:
            beyond.append(limit)
    if not beyond or box.height < 3:
        return
    below = beyond[0].value < picture.scale.high
    y, end = box.y + (box.height - 1 if below else 0), box.x + box.width
    for limit in reversed(beyond):
        text = f" {'↓' if below else '↑'} {_name(picture, limit)} "
        if end - len(text) >= box.x:
            end = canvas.right(y, text, palette.quiet, end)


def _name_on_its_line(
    canvas: Canvas, box: Box, picture: Picture, limit: Limit, palette: Palette
) -> None:
    """Where it covers the least of the data: at the left, at the right or in the middle."""
    text = f" {_name(picture, limit)} "
    if len(text) > box.width:
        return
    y = box_row(box, picture.scale, limit.value)
    spare = box.width - len(text)
    places = (min(1, spare), spare, spare // 2)

    def covered(place: int) -> int:
        cells = canvas.chars[y][box.x + place : box.x + place + len(text)]
        return sum("⠀" < char <= "⣿" or char in "•◦✗" for char in cells)

    style = palette.critical_line if limit.kind == "critical" else palette.warning_line
    canvas.text(box.x + min(places, key=covered), y, text, style)


def _name(picture: Picture, limit: Limit) -> str:
    return f"{limit.kind} {label(picture.metric, limit.value)}"
