"""The plot: both sides as lines on one scale, named at their ends, with limits, gaps and changes.

No side is filled: a filled cell hides the other line. Legacy's line is dotted and Canary's whole,
so they are told apart without colour, and each is named at its end. A lone sample is a point
(◦ Legacy, • Canary). What is too old is hatched, what is from before the last change dotted, the
seconds that the evidence sets apart are dotted twice, and "✗" marks a proven regression.
"""

from __future__ import annotations

from canary.rollout.text import NO_DATA, format_age
from themes import Palette
from widgets.plots.axes import Box, box_row, draw_time_axis, draw_value_axis
from widgets.plots.canvas import Canvas
from widgets.plots.names import draw_ends, name_limits
from widgets.plots.picture import Picture
from widgets.plots.series import PlotSeries

_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Braille bits of the left and the right dot column, from the bottom up (Unicode, U+2800)."""


def draw_picture(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """Draw a picture into a box, back to front: from the hatching to words and axes."""
    inner = box.inner()
    if inner.width < 1 or inner.height < 1:
        return
    _draw_masked(canvas, inner, picture, palette)
    _draw_stale(canvas, inner, picture, palette)
    _draw_limits(canvas, inner, picture, palette)
    _draw_changes(canvas, inner, picture, palette)
    _draw_set_apart(canvas, inner, picture, palette)
    _draw_legacy(canvas, inner, picture, palette)
    _draw_canary(canvas, inner, picture, palette)
    _draw_marks(canvas, inner, picture, palette)
    _draw_detections(canvas, inner, picture, palette)
    name_limits(canvas, inner, picture, palette)
    _name_stale(canvas, inner, picture, palette)
    if box.ends:
        draw_ends(canvas, inner, picture, box.ends, palette)
    if inner.x > box.x:
        draw_value_axis(canvas, inner, picture.metric, picture.scale, palette)
    if inner.height < box.height:
        draw_time_axis(canvas, inner, picture.grid, picture.now, palette)
    if not picture.legacy.known and not picture.canary.known:
        x = inner.x + max(0, (inner.width - len(NO_DATA)) // 2)
        canvas.text(x, inner.y + inner.height // 2, NO_DATA, palette.no_data)


def _draw_masked(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    for start, end in picture.masked:
        first, last = picture.grid.column_of(start) + 1, picture.grid.column_of(end)
        for column in range(max(0, first), min(last, box.width - 1) + 1):
            for row in range(box.height):
                if (row + column) % 2 == 0:
                    canvas.put(box.x + column, box.y + row, "·", palette.masked)


def _draw_set_apart(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """At least a column behind the change: seconds are narrow."""
    for start, end in picture.set_apart:
        first = picture.grid.column_of(start) + 1
        last = max(first, picture.grid.column_of(end))
        for column in range(max(0, first), min(last, box.width - 1) + 1):
            for row in range(box.height):
                canvas.put(box.x + column, box.y + row, "∶", palette.marker)


def _draw_detections(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """The moment of proof: "✗" on a line of its own, below where limits are named; and of what."""
    mark = 1 if box.height >= 4 else 0
    for at, name in picture.detected:
        column = picture.grid.column_of(at)
        if not 0 <= column < box.width:
            continue
        for row in range(box.height):
            char, style = ("✗", palette.roll_back) if row == mark else ("╎", palette.alarm)
            canvas.put(box.x + column, box.y + row, char, style)
        if box.height >= 4:
            # At the right edge, where news happens, the name goes to the left.
            left = column + 1 if column + 1 + len(name) <= box.width else column - len(name)
            for index, char in enumerate(name if left >= 0 else ""):
                canvas.put(box.x + left + index, box.y + mark, char, palette.alarm)


def _stale_columns(box: Box, picture: Picture) -> tuple[int, int] | None:
    """First and last column from Canary's newest sample to now, once that is older than allowed."""
    since = _newest_at(picture)
    if since is None or picture.now - since <= picture.stale_after_s:
        return None
    first = max(0, picture.grid.column_of(since) + 1)
    return first, min(picture.grid.column_of(picture.now), box.width - 1)


def _newest_at(picture: Picture) -> float | None:
    """The end of Canary's newest sample; Legacy's where there is none, or none is expected."""
    canary, legacy = picture.canary.newest_at, picture.legacy.newest_at
    return legacy if canary is None or picture.is_canary_idle else canary


def _draw_stale(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    columns = _stale_columns(box, picture)
    if columns is None:
        return
    for column in range(columns[0], columns[1] + 1):
        for row in range(box.height):
            canvas.put(box.x + column, box.y + row, "╱", palette.stale)


def _name_stale(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """Say in the hatching how old it is, and whose: Legacy may well be fresh behind it."""
    columns = _stale_columns(box, picture)
    if columns is None:
        return
    first, last = columns
    legacy, since = picture.legacy.newest_at, _newest_at(picture)
    if since is None:
        return
    whose = "canary " if legacy is not None and legacy > since else ""
    age = format_age(picture.now - since)
    for note in (f" {whose}stale {age} ", f" stale {age} "):
        if last - first + 1 >= len(note):
            x = box.x + first + (last - first + 1 - len(note)) // 2
            canvas.text(x, box.y + box.height // 2, note, palette.no_data)
            return


def _draw_limits(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """A dashed line for each limit that is on the scale."""
    for limit in picture.limits:
        if not picture.scale.contains(limit.value):
            continue
        critical = limit.kind == "critical"
        style = palette.critical_line if critical else palette.warning_line
        row = box_row(box, picture.scale, limit.value)
        for column in range(box.width):
            canvas.put(box.x + column, row, "╍" if critical else "╌", style)


def _draw_marks(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """A flag at the foot of the plot, where a person has marked or noted something."""
    for at in picture.marks:
        column = picture.grid.column_of(at)
        if 0 <= column < box.width:
            canvas.put(box.x + column, box.y + box.height - 1, "¶", palette.marker)


def _draw_changes(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    for at in picture.changes:
        column = picture.grid.column_of(at)
        if 0 <= column < box.width:
            for row in range(box.height):
                canvas.put(box.x + column, box.y + row, "┊", palette.marker)


def _draw_legacy(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """One dot column of the two: the line is dotted where it runs level."""
    series = picture.legacy
    for column, bits in enumerate(_line_bits(series, box, picture)):
        for row, pattern in bits.items():
            char = "◦" if column in series.lone else chr(0x2800 + (pattern & 0x47))
            if char != "\u2800":
                canvas.put(box.x + column, box.y + box.height - 1 - row, char, palette.legacy)


def _draw_canary(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    series = picture.canary
    for column, bits in enumerate(_line_bits(series, box, picture)):
        for row, pattern in bits.items():
            char = "•" if column in series.lone else chr(0x2800 + pattern)
            canvas.put(box.x + column, box.y + box.height - 1 - row, char, palette.canary)


def _line_bits(series: PlotSeries, box: Box, picture: Picture) -> list[dict[int, int]]:
    """For each column {row from the bottom: braille pattern}; joined only to a direct neighbour."""
    top = box.height * 4 - 1
    steps = [
        None if v is None else round(picture.scale.fraction(v) * top)
        for v in series.values[: box.width]
    ]
    columns: list[dict[int, int]] = []
    before: int | None = None
    for step in steps:
        bits: dict[int, int] = {}
        if step is not None:
            middle = step if before is None else (before + step) // 2
            for dots, start, end in (
                (_DOTS[0], middle if before is None else before, middle),
                (_DOTS[1], middle, step),
            ):
                # The first dot of a stretch belongs to the stretch before it.
                low, high = sorted((_towards(start, end), end))
                for height in range(low, high + 1):
                    bits[height // 4] = bits.get(height // 4, 0) | dots[height % 4]
        columns.append(bits)
        before = step
    return columns


def _towards(start: int, end: int) -> int:
    return start if start == end else start + (1 if end > start else -1)
