"""The evidence: Canary against Legacy, in a way that survives being looked at often.

For each metric the verdict in words, how far a proof of "worse" has come on a plain scale 0…1, and
what a decision still takes. Below it the split, what was left out, and where the numbers are from.
Nothing here is a threshold, and nothing that is not proven is green.
"""

from __future__ import annotations

import math
from typing import Final

from rich.style import Style

from canary.rollout.evidence.interval import format_interval
from canary.rollout.evidence.metric_evidence import Metric
from canary.rollout.evidence.verdict import MetricVerdict, Word
from canary.rollout.evidence.view import EvidenceView, SplitView, TailView
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import (
    format_age,
    format_clock,
    format_count,
    format_duration,
    format_percent,
    format_ratio,
    format_score,
    sanitize,
)
from themes import Palette
from widgets.plots.canvas import Canvas, Run
from widgets.plots.cells import CellWidget, bound

NAMES: Final[dict[Metric, str]] = {"errors": "errors", "slow": "slow", "score": "score"}
GLYPHS: Final[dict[Word, str]] = {
    "rollback": "✗",
    "worse_now": "◐",
    "pass": "✓",
    "undecided": "◌",
    "inconclusive": "?",
}
_NAME = 9
_SHORT_BAR = 6
_BAR = 8
_WIDE_BAR = 16
_WIDE = 72
_LONG_WORDS = 60
_LONG_WAIT_S = 5.0
_NOTHING = "no data: nothing is compared yet"


class EvidencePanel(CellWidget):
    """One to three rows a metric, as there is room; then split, source, and what was left out."""

    BORDER_TITLE = "evidence"

    snapshot: bound[Snapshot | None] = bound(None)
    now: bound[float] = bound(0.0)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """What is known; words where nothing is."""
        view = self.snapshot.evidence if self.snapshot is not None else None
        if view is None or not view.metrics:
            canvas.text(0, 0, nothing(view), palette.no_data)
            if view is not None and canvas.height > 1:
                canvas.runs(0, 1, source_runs(view, self.now, palette))
            return
        now = self.now or (self.snapshot.as_of if self.snapshot is not None else 0.0)
        about = _about(view, now, palette)
        rows = _rows_a_metric(canvas.height, len(view.metrics), len(about))
        y = 0
        for metric in view.metrics:
            _draw_metric(canvas, y, metric, rows, palette)
            y += rows
        # Where rows are short, the source goes before what was left out: it says how old all is.
        for runs in about[: max(0, canvas.height - y)]:
            canvas.runs(0, y, runs)
            y += 1


def nothing(view: EvidenceView | None) -> str:
    """Why there is no verdict at all; while the past is judged again, how far that is."""
    if view is None or view.rebuilding is None:
        return _NOTHING
    return f"no data: rebuilding, {format_percent(math.floor(view.rebuilding * 100))} judged again"


def said(metric: MetricVerdict, room: int) -> str:
    """The verdict in words, with what a decision still takes, or why there is none.

    Shorter words where `room` (cells) is short.
    """
    is_long = room >= _LONG_WORDS
    if metric.verdict == "rollback":
        return f"proven worse {format_clock(metric.detected_at)}{_holds(metric, room)}"
    if metric.verdict == "worse_now":
        more = f", proof {metric.strength:.0%} complete" if room >= 40 else ""
        return f"worse now {format_clock(metric.worse_at)}{more}"
    if metric.verdict == "pass":
        return _passed(metric, room)
    if metric.verdict == "inconclusive":
        return f"inconclusive: {sanitize(metric.why, 120)}"
    if metric.why:
        return f"undecided: {sanitize(metric.why, 120)}"
    return f"undecided: {needed(metric, is_long=is_long)}"


def _passed(metric: MetricVerdict, room: int) -> str:
    """A pass with the stretch that it is of."""
    if room < 16:
        return "proven no worse"
    on = metric.passed_on
    if on is None or room < 45:
        return "no worse than 2×"
    return f"no worse than 2×, {format_clock(on.since)} to {format_clock(on.until)}"


def _holds(metric: MetricVerdict, room: int) -> str:
    """Up to which length of bursts a proof holds, and what is wrong beside it."""
    holds = "" if metric.holds_for_s is None else f", bursts up to {metric.holds_for_s:.0f} s"
    beside = f"; {sanitize(metric.why, 120)}" if metric.why else ""
    return (holds if room >= 40 else "") + beside


def needed(metric: MetricVerdict, *, is_long: bool) -> str:
    """How many more Canary requests a decision takes, and how long that is at today's rate."""
    if metric.requests_needed is None:
        return "nothing grows so" if not is_long else "no proof grows as things are"
    # A forecast of a random walk: more than two figures would only flicker.
    more = format_count(_round_up(metric.requests_needed))
    what = f"about {more} more Canary requests" if is_long else f"{more} more"
    if metric.minutes_needed is None:
        return what
    today = " at today's rate" if is_long else ""
    return f"{what}, {format_duration(_round_up(metric.minutes_needed) * 60)}{today}"


def _round_up(value: float) -> int:
    """Up to two figures: 1 234 → 1 300."""
    whole = max(1, int(value) + (value > int(value)))
    step: int = 10 ** max(0, len(str(whole)) - 2)
    return -(-whole // step) * step


def verdict_style(verdict: Word, palette: Palette) -> Style:
    """The style of a verdict, beside its glyph and words; green only for what is proven."""
    return {
        "rollback": palette.roll_back,
        "worse_now": palette.watch,
        "pass": palette.ok,
        "undecided": palette.text,
        "inconclusive": palette.no_data,
    }[verdict]


def _rows_a_metric(height: int, metrics: int, about: int) -> int:
    """3: verdict, both bars, both sides; 2: without the bars' own row; 1: a row each."""
    for rows in (3, 2):
        if height >= metrics * rows + about:
            return rows
    return 1


def _draw_metric(
    canvas: Canvas, y: int, metric: MetricVerdict, rows: int, palette: Palette
) -> None:
    style = verdict_style(metric.verdict, palette)
    canvas.text(0, y, GLYPHS[metric.verdict], style)
    canvas.text(2, y, NAMES[metric.metric], palette.text, _NAME - 3)
    x = _NAME
    if rows < 3 and canvas.width >= 36:
        width = _BAR if canvas.width >= 48 else _SHORT_BAR
        x = _draw_strength(canvas, x, y, width, metric.strength, palette) + 1
    canvas.text(x, y, said(metric, canvas.width - x), style)
    if rows == 3:
        _draw_bars(canvas, y + 1, metric, palette)
    if rows >= 2:
        canvas.runs(_NAME, y + rows - 1, _sides(metric, palette))


def _draw_bars(canvas: Canvas, y: int, metric: MetricVerdict, palette: Palette) -> None:
    """How far both proofs have come: worse, and no worse than 2×."""
    width = _WIDE_BAR if canvas.width >= _WIDE else _BAR
    x = canvas.text(_NAME, y, "worse ", palette.dim)
    x = _draw_strength(canvas, x, y, width, metric.strength, palette)
    x = canvas.text(x + 1, y, f"{metric.strength:.2f}", palette.dim)
    if canvas.width >= x + width + 17:
        x = canvas.text(x + 3, y, "no worse ", palette.dim)
        canvas.bar(x, y, width, metric.pass_strength, palette.dim, palette.masked)
        canvas.text(x + width + 1, y, f"{metric.pass_strength:.2f}", palette.dim)


def _draw_strength(
    canvas: Canvas, x: int, y: int, width: int, strength: float, palette: Palette
) -> int:
    """A bar from nothing to proven; the red only when it is full."""
    full = palette.alarm if strength >= 1.0 else palette.text
    canvas.bar(x, y, width, strength, full, palette.masked)
    return x + width


def _sides(metric: MetricVerdict, palette: Palette) -> list[Run]:
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
    if metric.interval is not None:
        runs.append((f"  {format_interval(metric.interval)}", palette.dim))
    return runs


def _about(view: EvidenceView, now: float, palette: Palette) -> list[list[Run]]:
    """The rows below the metrics, the most needed first."""
    return [
        _split_runs(view.split, palette),
        source_runs(view, now, palette),
        since_runs(view, now, palette),
        *left_out_runs(view, palette),
    ]


def _share(share: float | None) -> str:
    """A share that somebody set, 0…1: "5 %"."""
    return format_percent(None if share is None else round(share * 100, 2))


def _split_runs(split: SplitView, palette: Palette) -> list[Run]:
    """Whether the split is the intended one; with nothing measured that is not known."""
    shares = (
        f"{format_ratio(split.measured)} measured, {_share(split.intended)} intended"
        f", {_share(split.reported)} reported"
    )
    if split.is_mismatch:
        style = palette.roll_back
        return [("✗ ", style), ("split  ", palette.text), ("MISMATCH ", style), (shares, style)]
    if split.measured is None:
        return [("? ", palette.no_data), ("split  ", palette.text), (shares, palette.no_data)]
    return [("✓ ", palette.ok), ("split  ", palette.text), (shares, palette.dim)]


def source_runs(view: EvidenceView, now: float, palette: Palette) -> list[Run]:
    """The source of the newest judged window with its age; then how the request log stands."""
    age_s = None if view.judged_until is None else max(0.0, now - view.judged_until)
    runs: list[Run] = [("  source ", palette.dim)]
    if view.source == "tail":
        # Windows are a few seconds long; after a minute without one the age must be seen.
        style = palette.text if age_s is not None and age_s < 60 else palette.watch
        runs.append((f"request log, {format_age(age_s)} old", style))
    elif view.source == "monitoring":
        runs.append((f"Cloud Monitoring, {format_age(age_s)} late", palette.text))
    else:
        runs.append(("none yet", palette.no_data))
    tail = _tail_note(view.tail)
    if tail:
        is_wrong = view.tail.trouble or view.tail.incomplete
        runs.append((f"  {tail}", palette.watch if is_wrong else palette.dim))
    return runs


def _tail_note(tail: TailView) -> str:
    """What is to be known of the request log; "" when it is read without any loss."""
    if tail.off:
        return f"request log off: {sanitize(tail.off, 120)}"
    if tail.incomplete:
        return f"request log incomplete: {sanitize(tail.incomplete, 120)}"
    notes = []
    if tail.trouble:
        notes.append(f"request log: {sanitize(tail.trouble, 120)}")
    if tail.sampled < 1.0:
        notes.append(f"a sample of {format_ratio(tail.sampled)}")
    if tail.suppressed:
        notes.append(f"{format_count(tail.suppressed)} suppressed")
    if tail.late:
        notes.append(f"{format_count(tail.late)} too late")
    if tail.waits_s >= _LONG_WAIT_S:
        notes.append(f"late entries, waits {tail.waits_s:.0f} s")
    return ", ".join(notes)


def since_runs(view: EvidenceView, now: float, palette: Palette) -> list[Run]:
    """Since when it counts (the last change of the split); the seconds after it stand apart."""
    since = f"  since {format_clock(view.began_at)}  {format_duration(view.judged_s)} judged"
    if view.set_apart_until is not None and now < view.set_apart_until:
        until = f"  set apart until {format_clock(view.set_apart_until)}"
        return [(since, palette.dim), (until, palette.watch)]
    if view.verdict == "rollback":
        since = f"{since}  a proof holds until the split changes"
    return [(since, palette.dim)]


def left_out_runs(view: EvidenceView, palette: Palette) -> list[list[Run]]:
    """A row for each reason for which something was seen and not judged."""
    rows: list[list[Run]] = []
    for entry in view.left_out:
        much = f"{format_duration(entry.seconds)}, {format_count(entry.requests)} requests"
        reason = sanitize(entry.reason, 120)
        rows.append(
            [("  left out ", palette.dim), (much, palette.text), (f": {reason}", palette.dim)]
        )
    return rows
