"""The confidence of both sides: the means as bars with the stage's criterion, and the histogram.

Each side of the histogram is drawn as a share of its own values, on one scale: Canary has a tenth
of the requests, and what is compared is the shape.
"""

from __future__ import annotations

import msgspec
from rich.style import Style

from canary.rollout.measure.samples import Distribution
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.text import NO_DATA, format_clock, format_count, format_limit, format_score
from themes import Palette
from themes.palette import Side
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, bound
from widgets.plots.sides import name_runs

_LABEL = 10
_VALUE = 8


def confidence_limit(snapshot: Snapshot, plan: Plan | None) -> float | None:
    """The least confidence for leaving the present stage; None when nothing asks for one."""
    index = snapshot.stage.index
    if plan is None or index is None or not 1 <= index <= len(plan.stages):
        return None
    criteria = plan.stage(index).criteria
    return criteria.min_confidence if criteria else None


def draw_gauge(
    canvas: Canvas, y: int, snapshot: Snapshot, plan: Plan | None, palette: Palette
) -> int:
    """Draw from row `y`; Canary alone when only one row is left. Returns the next row."""
    limit = confidence_limit(snapshot, plan)
    sides: tuple[Side, ...] = ("legacy", "canary")
    if canvas.height - y < 2:
        sides = ("canary",)
    for row, side in enumerate(sides, y):
        view = snapshot.legacy if side == "legacy" else snapshot.canary
        _draw_side(canvas, row, side, view, limit if side == "canary" else None, palette)
    return y + len(sides)


def _draw_side(
    canvas: Canvas, y: int, side: Side, view: SideView, limit: float | None, palette: Palette
) -> None:
    label = _LABEL if canvas.width >= 24 else 2
    canvas.runs(0, y, name_runs(side, view, palette), label - 1)
    value = view.window.confidence
    judged = value is not None and view.data == "ok"
    canvas.text(label, y, format_score(value), palette.text if judged else palette.no_data, _VALUE)
    x = label + _VALUE
    width = canvas.width - x
    if width < 4 or value is None:
        return
    canvas.bar(x, y, width, value, palette.side(side), palette.masked)
    if limit is not None:
        canvas.put(x + min(width - 1, int(limit * width)), y, "┃", palette.critical_line)


_EDGE = 6
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


def draw_histogram(canvas: Canvas, y: int, snapshot: Snapshot, palette: Palette) -> None:
    """Draw into all rows from `y` on."""
    rows = canvas.height - y
    half = (canvas.width - _EDGE) // 2
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
                x = half - 1 if leftwards else half + _EDGE
                _draw_half(canvas, x, y + row, bins.shares[index] / most * half, leftwards, style)
    middle = y + rows // 2
    if legacy is None:
        canvas.right(middle, NO_DATA, palette.no_data, half)
    if canary is None:
        canvas.text(half + _EDGE, middle, NO_DATA, palette.no_data)


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


class ConfidencePanel(CellWidget):
    """Mean and shape of the application's own score, 0…1."""

    BORDER_TITLE = "confidence"

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Gauge in the first rows, the criterion in words, the histogram in what is left."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, NO_DATA, palette.no_data)
            return
        y = draw_gauge(canvas, 0, snapshot, self.plan, palette)
        limit = confidence_limit(snapshot, self.plan)
        if canvas.height - y >= 4:
            counts = " / ".join(
                format_count(v.window.confidence_count) for v in (snapshot.legacy, snapshot.canary)
            )
            required = "" if limit is None else f"┃ required ≥ {format_limit('confidence', limit)}"
            proven, scored = _proven(snapshot), f"scores {counts}"
            if proven and len(required) + 2 + len(proven) > canvas.width:
                # The proof is never cut; the criterion is on the bar and among the gates.
                required = ""
            x = canvas.text(0, y, required, palette.dim) + 2 * bool(required)
            if proven:
                canvas.text(x, y, proven, palette.alarm)
            elif canvas.width - x >= len(scored):
                canvas.text(x, y, scored, palette.quiet)
            y += 1
        if canvas.height - y >= 2:
            draw_histogram(canvas, y, snapshot, palette)


def _proven(snapshot: Snapshot) -> str:
    """That the evidence has proven Canary's score to be worse, and when; "" while it has not."""
    metrics = snapshot.evidence.metrics if snapshot.evidence is not None else ()
    for metric in metrics:
        if metric.metric == "score" and metric.verdict == "rollback":
            return f"✗ proven worse {format_clock(metric.detected_at)}"
    return ""
