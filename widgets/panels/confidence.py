"""The confidence of both sides: the means as bars with the stage's criterion, and the histogram.

Each side of the histogram is drawn as a share of its own values, on one scale: Canary has a tenth
of the requests, and what is compared is the shape.
"""

from __future__ import annotations

import math
from typing import Final

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
        asked = limit if side == "canary" else None
        is_off = side == "canary" and snapshot.traffic.is_all_on_legacy
        _draw_side(canvas, row, side, view, asked, palette, is_off=is_off)
    return y + len(sides)


def _draw_side(
    canvas: Canvas,
    y: int,
    side: Side,
    view: SideView,
    limit: float | None,
    palette: Palette,
    *,
    is_off: bool,
) -> None:
    label = _LABEL if canvas.width >= 24 else 2
    canvas.runs(0, y, name_runs(side, view, palette, is_off=is_off), label - 1)
    value = view.window.confidence
    judged = value is not None and view.data == "ok"
    if value is None and is_off:
        canvas.text(label, y, "–", palette.dim)
        return
    canvas.text(label, y, format_score(value), palette.text if judged else palette.no_data, _VALUE)
    x = label + _VALUE
    width = canvas.width - x
    if width < 4 or value is None:
        return
    canvas.bar(x, y, width, value, palette.side(side) if judged else palette.stale, palette.masked)
    if limit is not None:
        canvas.put(x + min(width - 1, int(limit * width)), y, "┃", palette.marker)


BIN: Final = 0.05
"""The width of a bin: always the same, so that two histograms can be compared by eye."""

MOST_ROWS: Final = 12
_BINS: Final = 20
_SEEN: Final = 0.005
"""A bin with less of both sides than this is not worth a row at the top."""

_GUTTER: Final = 8
_HALVES: Final = 2


def bin_shares(found: Distribution | None) -> tuple[float, ...] | None:
    """The shares (0…1 of all values) in the 20 bins of 0.05, lowest first; None without values.

    A bucket is spread evenly over the bins that it covers. What lies outside 0…1 is counted in the
    outermost bin.
    """
    if found is None or not found.bounds:
        return None
    total = sum(found.counts)
    if total <= 0:
        return None
    shares = [0.0] * _BINS
    for index, count in enumerate(found.counts):
        if not count:
            continue
        start, end = _edges(found.bounds, index)
        # A bin more on both sides: what a division rounds is not to lose an edge.
        first, last = max(0, int(start / BIN) - 1), max(0, int(end / BIN) + 1)
        for b in range(min(first, _BINS - 1), min(last, _BINS - 1) + 1):
            left = b * BIN if b else min(0.0, start)
            right = (b + 1) * BIN if b < _BINS - 1 else max(1.0, end)
            overlap = min(end, right) - max(start, left)
            if overlap > 0 and end > start:
                shares[b] += count / total * overlap / (end - start)
    return tuple(shares)


def _edges(bounds: tuple[float, ...], index: int) -> tuple[float, float]:
    """Lower and upper bound of a bucket; underflow and overflow get the width of a neighbour."""
    if index == 0:
        return min(0.0, bounds[0] - 1e-9), bounds[0]
    if index >= len(bounds):
        last = bounds[-1]
        before = bounds[-2] if len(bounds) > 1 else 0.0
        return last, max(1.0, last + 1e-9) if last < 1 else last + (last - before or 1.0)
    return bounds[index - 1], bounds[index]


def bin_of(value: float) -> int:
    """The bin that holds a value: its lower edge belongs to it, as 1 belongs to the last."""
    return min(_BINS - 1, max(0, math.floor(value / BIN + 1e-9)))


class Rows(msgspec.Struct, frozen=True):
    """The bins `first` to `last` that have a row each; what lies beyond is in the outermost."""

    first: int
    last: int

    def of(self, index: int) -> int:
        """The bin whose row holds `index`."""
        return min(self.last, max(self.first, index))

    def label(self, index: int) -> str:
        """The lower edge: "0.85"; "<0.45" and "≥0.95" where more than one bin is in the row."""
        if index == self.first and self.first > 0:
            return f"<{(index + 1) * BIN:.2f}"
        sign = "≥" if index == self.last and self.last < _BINS - 1 else ""
        return f"{sign}{index * BIN:.2f}"

    def fold(self, shares: tuple[float, ...]) -> dict[int, float]:
        """The share of each row; together they are all."""
        folded = dict.fromkeys(range(self.first, self.last + 1), 0.0)
        for index, share in enumerate(shares):
            folded[self.of(index)] += share
        return folded


def choose_rows(both: tuple[tuple[float, ...] | None, ...], needed: int, rows: int) -> Rows:
    """At most `rows` (and never more than 12) bins, from the highest that has anything in it on.

    `needed` is the bin that must be there: the limit's. It moves the rows only as far as it must.
    """
    seen = [i for shares in both if shares for i, share in enumerate(shares) if share >= _SEEN]
    size = max(1, min(rows, MOST_ROWS))
    last = max([*seen, needed], default=_BINS - 1)
    lowest = min([*seen, needed], default=0)
    first = max(0, last - size + 1)
    # Few bins are in use: no rows for nothing.
    return Rows(max(first, min(lowest, last)), last)


def draw_histogram(
    canvas: Canvas, y: int, snapshot: Snapshot, limit: float | None, palette: Palette
) -> None:
    """Draw into the rows from `y` on: Legacy to the left, Canary to the right, ● at the means."""
    rows = canvas.height - y
    half = (canvas.width - _GUTTER) // 2
    if rows < 1 or half < 3:
        return
    sides = (snapshot.legacy, snapshot.canary)
    both = tuple(bin_shares(v.window.confidence_distribution) for v in sides)
    means = tuple(v.window.confidence for v in sides)
    known = [m for m in means if m is not None]
    needed = bin_of(limit) if limit is not None else bin_of(known[0]) if known else _BINS - 1
    shown = choose_rows(both, needed, rows)
    folded = [shown.fold(shares) if shares else {} for shares in both]
    most = max((share for one in folded for share in one.values()), default=0.0)
    for row, index in enumerate(range(shown.last, shown.first - 1, -1), y):
        canvas.right(row, shown.label(index), palette.quiet, half + 6)
        for side, one, mean in zip(range(2), folded, means, strict=True):
            style, x = (palette.canary, half + _GUTTER) if side else (palette.legacy, half - 1)
            style = style if sides[side].data == "ok" else palette.stale
            if one and most > 0:
                _draw_half(canvas, x, row, one[index] / most * half, not side, style)
            if mean is not None and shown.of(bin_of(mean)) == index:
                canvas.put(half + 6 if side else half, row, "●", style)
        if limit is not None and shown.of(bin_of(limit)) == index:
            canvas.put(half + 7, row, "┃", palette.marker)
    middle = y + (shown.last - shown.first) // 2
    if both[0] is None:
        canvas.right(middle, NO_DATA, palette.no_data, half)
    if both[1] is None:
        is_off = snapshot.traffic.is_all_on_legacy
        said, style = ("–", palette.dim) if is_off else (NO_DATA, palette.no_data)
        canvas.text(half + _GUTTER, middle, said, style)


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
            required = "● mean"
            if limit is not None:
                required += f"  ┃ required ≥ {format_limit('confidence', limit)}"
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
            draw_histogram(canvas, y, snapshot, limit, palette)


def _proven(snapshot: Snapshot) -> str:
    """That the evidence has proven Canary's score to be worse, and when; "" while it has not."""
    metrics = snapshot.evidence.metrics if snapshot.evidence is not None else ()
    for metric in metrics:
        if metric.metric == "score" and metric.verdict == "rollback":
            return f"✗ proven worse {format_clock(metric.detected_at)}"
    return ""
