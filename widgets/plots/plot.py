"""The plot: Legacy as an area, Canary as a line, on one scale, with limits, gaps and changes.

The two sides differ in shape, so they are told apart without colour. Legacy is what Canary is held
against, hence the quiet area behind; Canary is the fine braille line in front. A lone sample is a
point (◦ Legacy, • Canary). What is too old is hatched, what is from before the last change dotted,
the seconds that the evidence sets apart are dotted twice, and "✗" marks a proven regression.
"""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style

from canary.rollout.text import NO_DATA, format_age
from themes import Palette
from widgets.plots.axes import Box, box_row, draw_time_axis, draw_value_axis, label
from widgets.plots.canvas import Canvas
from widgets.plots.picture import Picture
from widgets.plots.series import PlotSeries

EIGHTHS = " ▁▂▃▄▅▆▇█"
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
"""Braille bits of the left and the right dot column, from the bottom up (Unicode, U+2800)."""


def draw_picture(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """Draw a picture into a box, back to front: from the hatching to words and axes."""
    inner = box.inner()
    if inner.width < 1 or inner.height < 1:
        return
    _draw_masked(canvas, inner, picture, palette)
    _draw_stale(canvas, inner, picture, palette)
    _draw_area(canvas, inner, picture, palette)
    _draw_limits(canvas, inner, picture, palette)
    _draw_changes(canvas, inner, picture, palette)
    _draw_set_apart(canvas, inner, picture, palette)
    _draw_line(canvas, inner, picture, palette)
    _draw_detections(canvas, inner, picture, palette)
    _name_limits_beyond(canvas, inner, picture, palette)
    _name_stale(canvas, inner, picture, palette)
    if inner.x > box.x:
        draw_value_axis(canvas, inner, picture.metric, picture.scale, palette)
    if inner.height < box.height:
        draw_time_axis(canvas, inner, picture.grid, palette)
    if not picture.legacy.known and not picture.canary.known:
        x = inner.x + max(0, (inner.width - len(NO_DATA)) // 2)
        canvas.text(x, inner.y + inner.height // 2, NO_DATA, palette.no_data)


@lru_cache(256)
def over(front: Style, ground: Style) -> Style:
    """`front` on a ground of `ground`'s colour; `front` alone where there are no colours."""
    if ground.color is None:
        return front
    return front + Style(bgcolor=ground.color)


def _draw_masked(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    for start, end in picture.masked:
        first, last = picture.grid.column_of(start) + 1, picture.grid.column_of(end)
        for column in range(max(0, first), min(last, box.width - 1) + 1):
            for row in range(box.height):
                if (row + column) % 2 == 0:
                    canvas.put(box.x + column, box.y + row, "·", palette.masked)


def _draw_set_apart(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """In front of Legacy's area, and at least a column behind the change: seconds are narrow."""
    for start, end in picture.set_apart:
        first = picture.grid.column_of(start) + 1
        last = max(first, picture.grid.column_of(end))
        for column in range(max(0, first), min(last, box.width - 1) + 1):
            for row in range(box.height):
                _put_over(canvas, box.x + column, box.y + row, "∶", palette.marker, palette)


def _draw_detections(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """The moment of proof: "✗" on a line of its own, below where limits are named; and of what."""
    mark = 1 if box.height >= 4 else 0
    for at, name in picture.detected:
        column = picture.grid.column_of(at)
        if not 0 <= column < box.width:
            continue
        for row in range(box.height):
            char, style = ("✗", palette.roll_back) if row == mark else ("╎", palette.alarm)
            _put_over(canvas, box.x + column, box.y + row, char, style, palette)
        if box.height >= 4:
            # At the right edge, where news happens, the name goes to the left.
            left = column + 1 if column + 1 + len(name) <= box.width else column - len(name)
            for index, char in enumerate(name if left >= 0 else ""):
                x = box.x + left + index
                _put_over(canvas, x, box.y + mark, char, palette.alarm, palette)


def _stale_columns(box: Box, picture: Picture) -> tuple[int, int] | None:
    """First and last column from Canary's newest sample to now, once that is older than allowed."""
    since = picture.canary.newest_at
    if since is None:
        since = picture.legacy.newest_at
    if since is None or picture.now - since <= picture.stale_after_s:
        return None
    first = max(0, picture.grid.column_of(since) + 1)
    return first, min(picture.grid.column_of(picture.now), box.width - 1)


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
    legacy, canary = picture.legacy.newest_at, picture.canary.newest_at
    since = canary if canary is not None else legacy
    if since is None:
        return
    whose = "canary " if canary is not None and legacy is not None and legacy > canary else ""
    age = format_age(picture.now - since)
    for note in (f" {whose}stale {age} ", f" stale {age} "):
        if last - first + 1 >= len(note):
            x = box.x + first + (last - first + 1 - len(note)) // 2
            canvas.text(x, box.y + box.height // 2, note, palette.no_data)
            return


def _draw_area(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    fill = palette.legacy_fill
    body = "█" if fill.color is not None else "░"
    series = picture.legacy
    for column, value in enumerate(series.values[: box.width]):
        if value is None:
            continue
        x = box.x + column
        if column in series.lone:
            canvas.put(x, box_row(box, picture.scale, value), "◦", palette.legacy)
            continue
        eighths = max(1, round(picture.scale.fraction(value) * box.height * 8))
        whole, rest = divmod(eighths, 8)
        bottom = box.y + box.height - 1
        for row in range(whole):
            canvas.put(x, bottom - row, body, fill)
        if rest and (body == "█" or not whole or rest >= 4):
            canvas.put(x, bottom - whole, EIGHTHS[rest] if body == "█" or not whole else body, fill)


def _put_over(canvas: Canvas, x: int, y: int, char: str, style: Style, palette: Palette) -> None:
    """Put a character; where Legacy's area fills half of the cell or more, it is the ground."""
    if not (0 <= x < canvas.width and 0 <= y < canvas.height):
        return
    there = canvas.styles[y][x]
    filled = there is palette.legacy_fill and canvas.chars[y][x] in "▄▅▆▇█"
    if filled or there.bgcolor is not None:
        style = over(style, palette.legacy_fill)
    canvas.put(x, y, char, style)


def _draw_limits(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """A dashed line for each limit that is on the scale."""
    for limit in picture.limits:
        if not picture.scale.contains(limit.value):
            continue
        critical = limit.kind == "critical"
        style = palette.critical_line if critical else palette.warning_line
        row = box_row(box, picture.scale, limit.value)
        for column in range(box.width):
            _put_over(canvas, box.x + column, row, "╍" if critical else "╌", style, palette)


def _name_limits_beyond(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    """Name the limits that are off the scale at the edge they lie beyond, on clear ground."""
    beyond = [limit for limit in picture.limits if not picture.scale.contains(limit.value)]
    if not beyond or box.height < 3:
        return
    below = beyond[0].value < picture.scale.high
    y, end = box.y + (box.height - 1 if below else 0), box.x + box.width
    for limit in reversed(beyond):
        style = palette.critical_line if limit.kind == "critical" else palette.warning_line
        arrow = "↓" if below else "↑"
        text = f" {arrow} {limit.kind} {label(picture.metric, limit.value)} "
        if end - len(text) >= box.x:
            end = canvas.right(y, text, style, end)


def _draw_changes(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    for at in picture.changes:
        column = picture.grid.column_of(at)
        if 0 <= column < box.width:
            for row in range(box.height):
                _put_over(canvas, box.x + column, box.y + row, "┊", palette.marker, palette)


def _draw_line(canvas: Canvas, box: Box, picture: Picture, palette: Palette) -> None:
    series = picture.canary
    for column, bits in enumerate(_line_bits(series, box, picture)):
        for row, pattern in bits.items():
            y = box.y + box.height - 1 - row
            char = chr(0x2800 + pattern)
            if column in series.lone:
                char = "•"
            _put_over(canvas, box.x + column, y, char, palette.canary, palette)


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
