"""The evidence: Canary against Legacy on one axis, in a way that survives being looked at often.

For each metric the interval of how many times as bad Canary is, the verdict in words, and the count
it rests on. Below it the source with its age, the split, and what was left out. Nothing here is a
threshold, an empty axis says nothing good, and what is old is grey.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
from rich.style import Style

from canary.rollout.evidence.interval import format_interval
from canary.rollout.evidence.metric_evidence import Metric
from canary.rollout.evidence.verdict import AWAY_FOR_S, MetricVerdict, Word
from canary.rollout.evidence.view import EvidenceView
from canary.rollout.evidence.words import GLYPHS, WORDS, bad_of, format_needed, percent_complete
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.impact import find_impact, format_impact
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import (
    format_clock,
    format_count,
    format_percent,
    format_ratio,
    format_score,
    sanitize,
)
from themes import Palette
from widgets.panels.evidence_about import MINUTES, about_rows, format_since, source_runs
from widgets.panels.evidence_axis import draw_interval, draw_lines, draw_scale
from widgets.plots.canvas import Canvas, Run, bar_runs, width_of
from widgets.plots.cells import CellWidget, bound

NAMES: Final[dict[Metric, str]] = {"errors": "errors", "slow": "slow", "score": "score"}
_NAME: Final = 9
_AXIS: Final = 15
_WIDE_AXIS: Final = 33
_WORDS: Final = 19
_COUNT: Final = 16
_BAR: Final = 16
_LONG_WORDS: Final = 44
_SHORT_WORDS: Final = 26
_OFF: Final = "– nothing to compare: all is on Legacy"
_NOTHING: Final = "no data: nothing is compared yet"


class _Axis(msgspec.Struct, frozen=True):
    """How wide the axis is (0: there is no room), and where the words and the count begin."""

    width: int
    words: int
    count: int


class EvidencePanel(CellWidget):
    """The axis and a row a metric, more where there is room; then source, split, what was left."""

    BORDER_TITLE = "evidence"

    snapshot: bound[Snapshot | None] = bound(None)
    now: bound[float] = bound(0.0)
    plan: bound[Plan | None] = bound(None)

    @property
    def _minutes(self) -> str:
        """What the source of the minutes is called."""
        return MINUTES if self.plan is None else self.plan.metrics.source_name

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """What is known; words where nothing is."""
        view = self.snapshot.evidence if self.snapshot is not None else None
        now = self.now or (self.snapshot.as_of if self.snapshot is not None else 0.0)
        if self.snapshot is not None and self.snapshot.traffic.is_all_on_legacy:
            canvas.text(0, 0, _OFF, palette.dim)
            return
        if view is None or not view.metrics:
            canvas.text(0, 0, nothing(view), palette.no_data)
            if view is not None and canvas.height > 1:
                canvas.runs(0, 1, source_runs(view, now, palette, self._minutes))
            return
        about = [*about_rows(view, now, palette, self._minutes), *self._slow(palette, canvas.width)]
        axis = _lay_out(canvas.width)
        headed = canvas.height > len(view.metrics) + 1 and axis.width > 0
        rows = _rows_a_metric(canvas.height - headed, len(view.metrics), len(about))
        y = 0
        if headed:
            _draw_heading(canvas, axis, view, now, palette)
            y = 1
        for metric in view.metrics:
            _draw_metric(canvas, y, metric, axis, is_old=_is_old(view, now), palette=palette)
            if rows > 1:
                canvas.runs(_NAME, y + 1, _sides(metric, canvas.width - _NAME, palette))
            if rows > 2 and metric.verdict != "inconclusive":
                _draw_strengths(canvas, y + 2, metric, palette)
            y += rows
        # Where rows are short, the source goes before what was left out: it says how old all is.
        for runs in about[: max(0, canvas.height - y)]:
            canvas.runs(0, y, runs)
            y += 1

    def _slow(self, palette: Palette, width: int) -> list[list[Run]]:
        """What slow requests have come to, as the impact line says it of failed ones."""
        if self.snapshot is None or self.plan is None:
            return []
        impact = find_impact(self.snapshot, self.plan, "slow")
        if impact is None or impact.unknown:
            return []
        name = "  slow  "
        said = format_impact(impact, width - len(name))
        return [[(name, palette.dim), (said, palette.text)]]


def nothing(view: EvidenceView | None) -> str:
    """Why there is no verdict at all; while the past is judged again, how far that is."""
    if view is None or view.rebuilding is None:
        return _NOTHING
    return f"no data: rebuilding, {format_percent(math.floor(view.rebuilding * 100))} judged again"


def _is_old(view: EvidenceView, now: float) -> bool:
    """Whether what is drawn is of then and not of now, as `verdict.AWAY_FOR_S` has it."""
    if view.away_since is not None or view.judged_until is None:
        return True
    return now - view.judged_until >= AWAY_FOR_S


def said(metric: MetricVerdict, room: int) -> str:
    """The verdict in words, with what a decision still takes, or why there is none.

    Shorter words where `room` (cells) is short.
    """
    is_long, is_short = room >= _LONG_WORDS, room < _SHORT_WORDS
    word = WORDS[metric.verdict]
    if metric.verdict == "rollback":
        word = "proven" if is_short else word
        return f"{word} {format_clock(metric.detected_at)}{_holds(metric, is_long=is_long)}"
    if metric.verdict == "worse_now":
        more = f", proof {percent_complete(metric.strength)} % complete" if is_long else ""
        return f"{word} {format_clock(metric.worse_at)}{more}"
    if metric.verdict == "pass":
        return _passed(metric, room)
    if metric.why:
        return f"{word}: {sanitize(metric.why, 120)}"
    if metric.verdict == "inconclusive":
        return word
    if is_short:
        return f"open: {format_needed(metric, is_long=False).partition(',')[0]}"
    return f"{word}: {format_needed(metric, is_long=is_long)}"


def _passed(metric: MetricVerdict, room: int) -> str:
    """A pass with the stretch that it is of."""
    word = "no worse, proven" if metric.metric == "score" else WORDS["pass"]
    on = metric.passed_on
    if on is None or room < _LONG_WORDS:
        return word
    return f"{word}, {format_clock(on.since)} to {format_clock(on.until)}"


def _holds(metric: MetricVerdict, *, is_long: bool) -> str:
    """Up to which length of bursts a proof holds, and what is wrong beside it."""
    holds = "" if metric.holds_for_s is None else f", bursts up to {metric.holds_for_s:.0f} s"
    beside = f"; {sanitize(metric.why, 120)}" if metric.why else ""
    return (holds if is_long else "") + beside


def verdict_style(verdict: Word, palette: Palette) -> Style:
    """The style of a verdict's words; what is good or open is plain text beside its glyph."""
    return {
        "rollback": palette.alarm,
        "worse_now": palette.watch,
        "pass": palette.text,
        "undecided": palette.text,
        "inconclusive": palette.no_data,
    }[verdict]


def _lay_out(width: int) -> _Axis:
    """The axis takes what the words leave; in a narrow panel the words stand alone."""
    room = width - _NAME - 1 - _WORDS
    if room < _AXIS:
        return _Axis(0, _NAME, 0)
    with_count = room >= _AXIS + _COUNT + 1
    spare = room - (_COUNT + 1 if with_count else 0)
    size = min(_WIDE_AXIS, _AXIS + (spare - _AXIS) // 2)
    return _Axis(size, _NAME + size + 1, width - _COUNT if with_count else 0)


def _draw_heading(
    canvas: Canvas, axis: _Axis, view: EvidenceView, now: float, palette: Palette
) -> None:
    """The scale, and since when all of it counts: the window of every number in the frame."""
    end = draw_scale(canvas, 0, _NAME, axis.width, palette)
    since = f"since {format_since(view.began_at, now)}"
    if canvas.width - len(since) > end:
        canvas.right(0, since, palette.dim)


def _draw_metric(
    canvas: Canvas,
    y: int,
    metric: MetricVerdict,
    axis: _Axis,
    *,
    is_old: bool,
    palette: Palette,
) -> None:
    """Glyph, name, interval, words, count. Without an interval the words take the axis' place."""
    style = palette.stale if is_old else verdict_style(metric.verdict, palette)
    glyph_style = palette.ok if metric.verdict == "pass" and not is_old else style
    canvas.text(0, y, GLYPHS[metric.verdict], glyph_style)
    canvas.text(2, y, NAMES[metric.metric], palette.text, _NAME - 3)
    found = bad_of(metric)
    count = "" if found is None else f"{format_count(found[0])} of {format_count(found[1])}"
    end = canvas.width - len(count) - 1 if axis.count and count else canvas.width
    x = _NAME
    if axis.width and metric.interval is not None and metric.verdict != "inconclusive":
        draw_lines(canvas, y, x, axis.width, palette)
        draw_interval(canvas, y, x, axis.width, metric.interval, style)
        x = axis.words
    words = said(metric, canvas.width - x)
    if x == _NAME and len(words) > end - x:
        # The reason is needed more than the count, which stands in the next row if there is one.
        count, end = "", canvas.width
    canvas.text(x, y, words if x == _NAME else said(metric, end - x), style, end - x)
    if axis.count and count:
        canvas.right(y, count, palette.stale if is_old else palette.text)


def _rows_a_metric(height: int, metrics: int, about: int) -> int:
    """3: verdict, both sides, both proofs; 2: without the proofs' own row; 1: a row each."""
    for rows in (3, 2):
        if height >= metrics * rows + about:
            return rows
    return 1


def _draw_strengths(canvas: Canvas, y: int, metric: MetricVerdict, palette: Palette) -> None:
    """How far both proofs have come, each a bar that is full when it is proven and not before."""
    proven = metric.verdict == "rollback"
    x = _draw_strength(canvas, _NAME, y, "worse", 1.0 if proven else metric.strength, palette)
    if canvas.width >= x + _BAR + 20:
        passed = 1.0 if metric.verdict == "pass" else metric.pass_strength
        _draw_strength(canvas, x + 3, y, "no worse", passed, palette)


def _draw_strength(
    canvas: Canvas, x: int, y: int, name: str, strength: float, palette: Palette
) -> int:
    """A bar with its percent; red only when it is proven to be worse."""
    is_proof = strength >= 1.0
    style = palette.alarm if is_proof and name == "worse" else palette.text
    x = canvas.text(x, y, f"{name} ", palette.dim)
    # Rounded to an eighth of a cell, nearly proven would look proven.
    held = strength if is_proof else min(strength, 1 - 1 / (8 * _BAR))
    x = canvas.runs(x, y, bar_runs(_BAR, held, style, palette.masked))
    said = "proven" if is_proof else f"{percent_complete(strength)} %"
    return canvas.text(x + 1, y, said, palette.dim)


def _sides(metric: MetricVerdict, room: int, palette: Palette) -> list[Run]:
    """Both sides' values and what they rest on: "canary 3.0 % of 1 204  legacy 0.5 % of 22 800"."""
    shown = format_score if metric.metric == "score" else format_ratio
    first, on = "canary ", metric.proven_on
    if metric.verdict == "worse_now":
        on = metric.worse_on
    canary, legacy = metric.canary_ratio, metric.legacy_ratio
    counts = metric.canary_count, metric.legacy_count
    if metric.verdict in ("rollback", "worse_now") and on is not None:
        # A late regression is proven while all since the change may still look well.
        first = f"from {format_clock(on.since)}: canary "
        canary, legacy, counts = on.canary_ratio, on.legacy_ratio, (on.canary, on.legacy)
    pairs = (
        (first, canary, counts[0], palette.canary),
        ("  legacy ", legacy, counts[1], palette.legacy),
    )
    runs: list[Run] = []
    for name, value, count, style in pairs:
        value_style = palette.no_data if value is None else palette.text
        rest = f" of {format_count(count)}" if count else ""
        runs += [(name, style), (shown(value), value_style), (rest, palette.dim)]
    estimate = "" if metric.interval is None else f"  {format_interval(metric.interval)}"
    if width_of(runs) + len(estimate) <= room:
        runs.append((estimate, palette.dim))
    return runs
