"""One axis for all evidence: how many times as bad Canary is as Legacy, on a log scale.

The interval is the anytime-valid one: whatever is outside of it is ruled out, however often one
looks. It is drawn where there is one; no line is no knowledge, and words stand in its place.
"""

from __future__ import annotations

import math
from typing import Final

from rich.style import Style

from canary.rollout.evidence.interval import RatioInterval
from themes import Palette
from widgets.plots.canvas import Canvas

LOW: Final = 0.25
HIGH: Final = 16.0
"""The ends of the axis; what lies beyond is an arrow there."""

SAME: Final = 1.0
TWICE: Final = 2.0
"""Canary as good as Legacy, and the bound of "no worse than 2×": the two lines of the axis."""


def column_of(ratio: float, width: int) -> int:
    """The cell of a ratio on an axis of `width` cells; held at the ends."""
    if ratio <= LOW:
        return 0
    share = math.log(min(ratio, HIGH) / LOW) / math.log(HIGH / LOW)
    return min(width - 1, round(share * (width - 1)))


def draw_scale(canvas: Canvas, y: int, x: int, width: int, palette: Palette) -> int:
    """The names of both lines above them, and which way is worse; returns the next column."""
    canvas.right(y, "better ◂", palette.dim, x)
    same, twice = x + column_of(SAME, width), x + column_of(TWICE, width)
    canvas.right(y, "×1", palette.dim, same + 1)
    end = canvas.text(max(twice, same + 2), y, "×2", palette.dim)
    return canvas.text(max(end + 1, x + width - len("▸ worse")), y, "▸ worse", palette.dim)


def draw_lines(canvas: Canvas, y: int, x: int, width: int, palette: Palette) -> None:
    """The two lines, in a row without an interval too: so it is seen to be an empty axis."""
    canvas.put(x + column_of(SAME, width), y, "┆", palette.quiet)
    canvas.put(x + column_of(TWICE, width), y, "┃", palette.marker)


def draw_interval(
    canvas: Canvas, y: int, x: int, width: int, interval: RatioInterval, style: Style
) -> None:
    """From the lower to the upper bound, the estimate a dot; an arrow where it goes on.

    An estimate beyond the end of the axis is behind the arrow: its figure is in the text.
    """
    goes_on_up = interval.high is None or interval.high > HIGH
    high = HIGH if interval.high is None else interval.high
    first, last = column_of(interval.low, width), column_of(high, width)
    for column in range(first, last + 1):
        canvas.put(x + column, y, "─", style)
    canvas.put(x + first, y, "├", style)
    canvas.put(x + last, y, "▸" if goes_on_up else "┤", style)
    if interval.low < LOW:  # last: where all of it lies beyond that end
        canvas.put(x + first, y, "◂", style)
    if LOW <= interval.estimate <= HIGH:
        canvas.put(x + column_of(interval.estimate, width), y, "●", style)
