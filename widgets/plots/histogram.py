"""The histogram: the distribution of confidence, Legacy to the left and Canary to the right.

Each side is drawn as a share of its own values, on one scale: Canary has a tenth of the requests,
and what is compared is the shape.
"""

from __future__ import annotations

import msgspec
from rich.style import Style

from canary.rollout.measure.samples import Distribution
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import NO_DATA
from themes import Palette
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, drawn

_LABEL = 6
_HALVES = 2
_TAIL = 0.01


class Bins(msgspec.Struct, frozen=True):
    """Shares (0…1 of all values) in `len(shares)` equal bins from `low` to `high`, lowest first."""

    low: float
    high: float
    shares: tuple[float, ...]


def bin_shares(found: Distribution | None, low: float, high: float, bins: int) -> Bins | None:
    """Spread the buckets over equal bins, each bucket evenly; None when there are no values.

    What lies outside low…high is counted in the outermost bin.
    """
    if found is None or bins < 1 or high <= low:
        return None
    total = sum(found.counts)
    if total <= 0:
        return None
    shares = [0.0] * bins
    size = (high - low) / bins
    for index, count in enumerate(found.counts):
        if not count:
            continue
        start, end = _edges(found.bounds, index)
        for b in range(bins):
            left = low + b * size if b else min(low, start)
            right = low + (b + 1) * size if b < bins - 1 else max(high, end)
            overlap = min(end, right) - max(start, left)
            if overlap > 0 and end > start:
                shares[b] += count / total * overlap / (end - start)
    return Bins(low, high, tuple(shares))


def _edges(bounds: tuple[float, ...], index: int) -> tuple[float, float]:
    """Lower and upper bound of a bucket; underflow and overflow get the width of a neighbour."""
    if index == 0:
        return min(0.0, bounds[0] - 1e-9), bounds[0]
    if index >= len(bounds):
        last = bounds[-1]
        return last, max(1.0, last + 1e-9) if last < 1 else last + (last - bounds[-2] or 1.0)
    return bounds[index - 1], bounds[index]


def floor_of(distributions: tuple[Distribution | None, ...]) -> float:
    """The tenth below nearly all values (99 %), at most 0.5: the part of 0…1 worth the rows."""
    lows = [
        low for d in distributions if d is not None and (low := d.percentile(_TAIL)) is not None
    ]
    lowest = min(lows, default=0.0)
    return max(0.0, min(0.5, int(lowest * 10) / 10))


class Histogram(CellWidget):
    """Two-sided, highest confidence on top. No values on a side: "no data" on that side."""

    snapshot: drawn[Snapshot | None] = drawn(None)
    plan: drawn[Plan | None] = drawn(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """The whole canvas."""
        if self.snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        draw_histogram(canvas, 0, self.snapshot, palette)


def draw_histogram(canvas: Canvas, y: int, snapshot: Snapshot, palette: Palette) -> None:
    """Draw into all rows from `y` on."""
    rows = canvas.height - y
    half = (canvas.width - _LABEL) // 2
    if rows < 1 or half < 3:
        return
    pair = (
        snapshot.legacy.window.confidence_distribution,
        snapshot.canary.window.confidence_distribution,
    )
    low = floor_of(pair)
    legacy, canary = (bin_shares(d, low, 1.0, rows) for d in pair)
    most = max((s for b in (legacy, canary) if b is not None for s in b.shares), default=0.0)
    for row in range(rows):
        edge = low + (1.0 - low) * (rows - 1 - row) / rows
        canvas.text(half + 1, y + row, f"{edge:.2f}", palette.quiet)
        index = rows - 1 - row
        for bins, leftwards in ((legacy, True), (canary, False)):
            if bins is not None and most > 0:
                style = palette.legacy if leftwards else palette.canary
                x = half - 1 if leftwards else half + _LABEL
                _draw_half(canvas, x, y + row, bins.shares[index] / most * half, leftwards, style)
    middle = y + rows // 2
    if legacy is None:
        canvas.right(middle, NO_DATA, palette.no_data, half)
    if canary is None:
        canvas.text(half + _LABEL, middle, NO_DATA, palette.no_data)


def _draw_half(canvas: Canvas, x: int, y: int, cells: float, leftwards: bool, style: Style) -> None:
    """A bar from `x` outwards in half cells; less than half a cell, but not none, is a mark."""
    halves = round(cells * _HALVES)
    step = -1 if leftwards else 1
    for column in range(halves // _HALVES):
        canvas.put(x + step * column, y, "█", style)
    if halves % _HALVES:
        canvas.put(x + step * (halves // _HALVES), y, "▐" if leftwards else "▌", style)
    elif halves == 0 and cells > 0.02:
        canvas.put(x, y, "▕" if leftwards else "▏", style)
