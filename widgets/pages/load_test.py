"""The load test: how far it is, both sides live, what PASSED takes, and how the last one ended."""

from __future__ import annotations

from rich.style import Style

from canary.rollout.decision.gates import GATE_GLYPHS, WAITING_GLYPH
from canary.rollout.text import (
    format_count,
    format_duration,
    format_limit,
    format_milliseconds,
    format_ratio,
    format_timestamp,
    format_value,
    sanitize,
)
from canary.rollout.trials.jobs import LoadTestView
from canary.rollout.trials.load_test import (
    LoadCheck,
    LoadFigures,
    LoadTestProgress,
    LoadTestSettings,
    check_load,
)
from themes import Palette
from widgets.bars.outcome import ended_runs, load_rate, running_runs
from widgets.pages.page import Page, Row, error_rows, table_rows
from widgets.plots.canvas import Run


class LoadPage(Page):
    """Live while it runs; afterwards the result, until another begins."""

    BORDER_TITLE = "load test"

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """Heading, settings, both sides, the conditions."""
        view = self.procedure.load_test
        if view.settings is None:
            return [
                [
                    (
                        f"no load test was begun from here; {self.key('load_test')} begins one",
                        palette.dim,
                    )
                ]
            ]
        rows = [self._heading(view, palette), _settings(view, view.settings, palette)]
        rows += error_rows(view.trouble, palette)
        if view.progress is not None:
            rows += _figures(view.progress, width, palette)
            rows += self._checks(view, view.progress, palette)
        if view.is_running:
            said = " stops it; what was seen by then is written as FAILED"
            rows.append([(self.key("stop"), palette.key), (said, palette.dim)])
        return rows

    def _heading(self, view: LoadTestView, palette: Palette) -> Row:
        if view.is_running:
            return running_runs(view, palette)
        if view.summary is None:
            return [("– NOT BEGUN", palette.no_data)]
        at = format_timestamp(view.summary.finished_at)
        return [*ended_runs(view, palette), (f"  {at}", palette.dim)]

    def _checks(self, view: LoadTestView, seen: LoadTestProgress, palette: Palette) -> list[Row]:
        """What PASSED takes, as it stands now."""
        if self.plan is None:
            return []
        if view.summary is not None and not view.is_running:
            checks = view.summary.checks
        else:
            least = self.plan.metrics.min_requests
            checks = tuple(check_load(self.plan.load_test, seen, least))
        return [_check(check, palette, so_far=view.is_running) for check in checks]


def _settings(view: LoadTestView, settings: LoadTestSettings, palette: Palette) -> Row:
    by = f"  by {sanitize(view.by, 60)}" if view.by else ""
    return [
        (
            f"{format_count(settings.users)} users, {settings.spawn_rate:g} more a second,",
            palette.dim,
        ),
        (f" {format_duration(settings.duration_s)}, profile", palette.dim),
        (f" {sanitize(settings.profile_name, 40)} on {sanitize(view.url, 80)}", palette.dim),
        (by, palette.dim),
    ]


def _figures(seen: LoadTestProgress, width: int, palette: Palette) -> list[Row]:
    heads = ("", "requests", "requests/s", "error", "success", "p50", "p95", "p99")
    cells: list[list[Run]] = [[(head, palette.dim) for head in heads]]
    cells.append(_side("legacy", seen, seen.legacy, palette.legacy, palette))
    cells.append(_side("canary", seen, seen.canary, palette.canary, palette))
    if seen.unattributed.requests:
        cells.append(_side("unattributed", seen, seen.unattributed, palette.watch, palette))
    return table_rows(cells, width, palette)


def _side(
    name: str, seen: LoadTestProgress, side: LoadFigures, accent: Style, palette: Palette
) -> list[Run]:
    figures = (
        format_count(side.requests),
        load_rate(seen.rate_of(side)),
        format_ratio(side.error_ratio),
        format_ratio(side.success_ratio),
        format_milliseconds(side.p50_ms),
        format_milliseconds(side.p95_ms),
        format_milliseconds(side.p99_ms),
    )
    return [(name, accent), *((figure, palette.text) for figure in figures)]


def _check(check: LoadCheck, palette: Palette, *, so_far: bool) -> Row:
    """A condition. That there are too few requests yet is no fault of a test that runs."""
    if check.id == "requests":
        observed, limit = format_count(round(check.observed or 0)), format_count(round(check.limit))
    else:
        observed = format_value(check.id, check.observed)
        limit = format_limit(check.id, check.limit)
    early = so_far and check.id == "requests" and check.state == "not_met"
    style = palette.dim if early else palette.gate(check.state)
    shown = palette.text if check.state == "met" else style
    return [
        (f"{WAITING_GLYPH if early else GATE_GLYPHS[check.state]} ", style),
        (f"{check.label} ", palette.dim),
        (f"{observed}{' so far' if early else ''}", shown),
        (f" {check.comparison} {limit}", palette.dim),
    ]
