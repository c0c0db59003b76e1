"""A horizontal bar in eighths of a cell."""

from __future__ import annotations

from rich.style import Style

from widgets.plots.canvas import Canvas

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def draw_bar(
    canvas: Canvas, x: int, y: int, width: int, fraction: float, full: Style, empty: Style
) -> None:
    """A bar of `width` cells filled to `fraction` (held to 0…1); the rest is drawn as "░".

    More than nothing is always seen: it fills at least an eighth of a cell.
    """
    if width <= 0:
        return
    held = min(1.0, max(0.0, fraction))
    eighths = round(held * width * 8)
    if held > 0:
        eighths = max(1, eighths)
    whole, rest = divmod(eighths, 8)
    for column in range(width):
        if column < whole:
            canvas.put(x + column, y, "█", full)
        elif column == whole and rest:
            canvas.put(x + column, y, _EIGHTHS[rest], full)
        else:
            canvas.put(x + column, y, "░", empty)
