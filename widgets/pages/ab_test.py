"""The A/B test: both groups, the gain of each quantity with its interval, approved or not."""

from __future__ import annotations

from typing import Final

from canary.rollout.text import (
    format_count,
    format_limit,
    format_milliseconds,
    format_ratio,
    format_score,
    format_timestamp,
    sanitize,
)
from canary.rollout.trials.ab_test import (
    AbAnalysis,
    AbMetric,
    AbSource,
    GroupFigures,
    Improvement,
    show_interval,
)
from themes import Palette
from widgets.pages.page import Page, Row, error_rows, table_rows
from widgets.plots.canvas import Run

LABELS: Final[dict[AbMetric, str]] = {
    "response_time": "mean response time",
    "p95_response_time": "p95 response time",
    "confidence": "mean confidence",
    "success": "success ratio",
}


class AbPage(Page):
    """The table, its verdict, and what to know about it."""

    BORDER_TITLE = "A/B test"

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """Verdict, where it is from, table, cautions."""
        view = self.procedure.ab_test
        rows: list[Row] = []
        if view.running:
            rows.append([("▸ asking BigQuery …", palette.strong)])
        rows += error_rows(view.trouble, palette)
        if view.analysis is None:
            nothing: Row = [
                ("not asked for from here yet; ", palette.dim),
                (self.key("palette"), palette.key),
                (" ab test asks BigQuery", palette.dim),
            ]
            return rows or [nothing]
        rows.append(_verdict(view.analysis, palette))
        if view.source is not None:
            rows.append([(_source(view.source), palette.dim)])
        rows += table_rows(_table(view.analysis, palette), width, palette)
        rows += [
            [("◐ ", palette.watch), (f"{sanitize(caution, 200)}.", palette.text)]
            for caution in view.analysis.cautions
        ]
        return rows


def _verdict(analysis: AbAnalysis, palette: Palette) -> Row:
    needed = f"more than {format_limit('ab_test', analysis.least)} faster is needed"
    if analysis.status == "NO_DATA":
        reasons = sanitize("; ".join(analysis.reasons), 400)
        return [("? NO DATA ", palette.no_data), (f" {reasons}", palette.strong)]
    gain = analysis.deciding.gain
    said = "no data" if gain is None else f"{format_ratio(abs(gain))}"
    said += " slower" if gain is not None and gain < 0 else " faster"
    approved = analysis.status == "APPROVED"
    head = "✓ APPROVED" if approved else "✗ NOT APPROVED"
    return [
        *palette.marked(head, palette.ok if approved else palette.roll_back),
        (f"  Canary is {said}", palette.strong),
        (f"; {needed}", palette.dim),
    ]


def _source(source: AbSource) -> str:
    name = sanitize(source.name, 120)
    if source.since is None:
        return f"{name}, {format_timestamp(source.finished_at)}"
    since, until = format_timestamp(source.since)[:16], format_timestamp(source.until)[:16]
    return f"{name}, {since} to {until}"


def _table(analysis: AbAnalysis, palette: Palette) -> list[list[Run]]:
    heads = ("", "legacy", "canary", "improvement", "95 % interval")
    cells: list[list[Run]] = [[(head, palette.dim) for head in heads]]
    cells.append(
        [
            ("requests", palette.text),
            (_requests(analysis.legacy), palette.text),
            (_requests(analysis.canary), palette.text),
            ("", palette.dim),
            ("", palette.dim),
        ]
    )
    return cells + [_improvement(one, palette) for one in analysis.improvements]


def _improvement(one: Improvement, palette: Palette) -> list[Run]:
    worse = one.gain is not None and one.gain < 0
    style = palette.no_data if one.gain is None else palette.watch if worse else palette.strong
    glyph = "◐ " if worse else ""
    return [
        (LABELS[one.metric], palette.text),
        (_value(one.metric, one.legacy), palette.text),
        (_value(one.metric, one.canary), palette.text),
        (f"{glyph}{format_ratio(one.gain)}", style),
        (show_interval(one) or "not known", palette.text),
    ]


def _requests(group: GroupFigures | None) -> str:
    return format_count(group.requests if group is not None else None)


def _value(metric: AbMetric, value: float | None) -> str:
    if metric == "confidence":
        return format_score(value)
    return format_ratio(value) if metric == "success" else format_milliseconds(value)
