"""The last verification: verdict, measured split against the intended one, checks, both sides."""

from __future__ import annotations

from rich.style import Style

from canary.rollout.text import (
    format_count,
    format_milliseconds,
    format_percent,
    format_ratio,
    format_score,
    format_timestamp,
    sanitize,
)
from canary.rollout.trials.comparison import Comparison, SideFigures
from canary.rollout.trials.verification import (
    CHECK_GLYPHS,
    VERDICT_LINES,
    Check,
    CheckState,
    Verification,
)
from themes import Palette
from widgets.bars.outcome import progress_runs, verdict_style
from widgets.pages.page import Page, Row, span_runs, table_rows
from widgets.plots.canvas import Run

_LABEL = 12


class VerificationPage(Page):
    """What does not pass comes first; what passed is at the end, and may be scrolled away."""

    BORDER_TITLE = "verification"

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """Progress while it runs, then the last result."""
        view = self.procedure.verification
        rows: list[Row] = []
        if view.progress is not None:
            rows += [progress_runs(view.progress, palette, width), []]
        if view.result is None:
            hint = f"nothing was verified from here yet; {self.key('verify')} verifies"
            return rows or [[(hint, palette.dim)]]
        return rows + _result(view.result, width, palette)


def _result(result: Verification, width: int, palette: Palette) -> list[Row]:
    at = f"  {format_timestamp(result.at)}"
    stage = "" if result.stage is None else f"  stage {result.stage}"
    why = "  after a change" if result.change else "  asked for"
    verdict = (VERDICT_LINES[result.verdict], verdict_style(result.verdict, palette))
    rows: list[Row] = [[verdict, (at, palette.dim), (f"{stage}{why}", palette.dim)]]
    loud = [c for c in result.checks if c.state in ("not_passed", "unknown")]
    quiet = [c for c in result.checks if c not in loud]
    rows += [_check(check, palette) for check in loud]
    rows += _split(result, width, palette)
    if result.comparison is not None:
        rows += _sides(result.comparison, width, palette)
    return rows + [_check(check, palette) for check in quiet]


def _check(check: Check, palette: Palette) -> Row:
    styles: dict[CheckState, Style] = {
        "passed": palette.ok,
        "not_passed": palette.roll_back,
        "unknown": palette.no_data,
        "noted": palette.dim,
    }
    said = palette.strong if check.state in ("not_passed", "unknown") else palette.text
    return [
        (f"{CHECK_GLYPHS[check.state]} ", styles[check.state]),
        (f"{sanitize(check.label, 60)}: ", palette.dim),
        (sanitize(check.said, 400), said),
    ]


def _split(result: Verification, width: int, palette: Palette) -> list[Row]:
    """Intended, reported and measured beside each other, and the interval as a line."""
    split = result.split
    rows: list[Row] = [
        [
            (f"{'split':<{_LABEL}}", palette.dim),
            (f"intended {_share(result.intended_percent)}", palette.text),
            (f"   reported {_share(result.reported_percent)}", palette.text),
            (f"   measured {format_ratio(None if split is None else split.share)}", palette.strong),
        ]
    ]
    if split is None or split.share is None or split.low is None or split.high is None:
        return rows
    span = f"{split.low * 100:.1f} to {split.high * 100:.1f} %"
    said = f"  99 %: {span}, {split.canary} of {split.attributed}"
    line = span_runs(
        min(60, width - _LABEL - 10 - len(said)),
        split.low,
        split.share,
        split.high,
        split.wanted_percent / 100,
        palette,
    )
    ends: Row = [("0 % ", palette.dim), *line, (" 100 %", palette.dim)] if line else []
    return [*rows, [(" " * _LABEL, palette.dim), *ends, (said, palette.text)]]


def _share(percent: int | None) -> str:
    return "not known" if percent is None else format_percent(percent)


def _sides(comparison: Comparison, width: int, palette: Palette) -> list[Row]:
    heads = ("", "requests", "error", "success", "p50", "p95", "p99", "confidence")
    cells: list[list[Run]] = [[(head, palette.dim) for head in heads]]
    cells.append(_side("legacy", comparison.legacy, palette.legacy, palette))
    cells.append(_side("canary", comparison.canary, palette.canary, palette))
    rows = table_rows(cells, width, palette)
    lost = [
        f"{format_count(number)} {said}"
        for number, said in (
            (comparison.unnamed, "do not say which side they are from"),
            (comparison.unanswered, "were not answered"),
        )
        if number
    ]
    if lost:
        rows.append([(f"of {format_count(comparison.requests)}: {', '.join(lost)}", palette.watch)])
    return rows


def _side(name: str, side: SideFigures, accent: Style, palette: Palette) -> list[Run]:
    figures = (
        format_count(side.requests),
        format_ratio(side.error_ratio),
        format_ratio(side.success_ratio),
        format_milliseconds(side.p50_ms),
        format_milliseconds(side.p95_ms),
        format_milliseconds(side.p99_ms),
        format_score(side.confidence),
    )
    return [(name, accent), *((figure, palette.text) for figure in figures)]
