"""The load test: how far it is, both sides live, what PASSED takes, and how the last one ended."""

from __future__ import annotations

from rich.style import Style

from canary.rollout.decision.gates import GATE_GLYPHS
from canary.rollout.text import (
    format_count,
    format_duration,
    format_limit,
    format_milliseconds,
    format_rate,
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
from widgets.pages.page import Page, Row, bar_runs, table_rows
from widgets.plots.canvas import Run

_BAR = 20


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
        if view.trouble:
            rows.append([("! ", palette.notice), (sanitize(view.trouble, 400), palette.strong)])
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


def running_runs(view: LoadTestView, palette: Palette) -> Row:
    """The running load test in one line; the bar moves with its own time."""
    seen, settings = view.progress, view.settings
    head: Row = [("▸ LOAD TEST ", palette.watch)]
    if view.state == "stopping":
        return [*head, ("is being stopped …", palette.text)]
    if seen is None or settings is None:
        return [*head, ("beginning …", palette.text)]
    fraction = seen.elapsed_s / seen.duration_s if seen.duration_s else 0.0
    head += bar_runs(_BAR, fraction, palette.canary, palette.masked)
    head += [
        (f" {format_duration(seen.elapsed_s)} of {format_duration(seen.duration_s)}", palette.text),
        (f"  {seen.users} users", palette.text),
        (f"  {load_rate(seen.requests_per_s)} requests/s", palette.text),
    ]
    if seen.busy:
        head.append(("  ! this machine is near its limit", palette.watch))
    return head


def ended_runs(view: LoadTestView, palette: Palette) -> Row:
    """How the last load test ended, in one line: on what it PASSED, or why it FAILED."""
    summary = view.summary
    if summary is None:
        return []
    passed = summary.status == "PASSED"
    style = palette.ok if passed else palette.roll_back
    head: Row = [(f"{'✓' if passed else '✗'} LOAD TEST {summary.status}", style)]
    if not passed:
        return [*head, (f"  {sanitize('; '.join(summary.reasons), 400)}", palette.strong)]
    canary = summary.figures.canary
    said = (
        f"canary p95 {format_milliseconds(canary.p95_ms)}, error {format_ratio(canary.error_ratio)}"
    )
    return [*head, (f"  {format_count(summary.figures.requests)} requests; {said}", palette.text)]


def load_rate(value: float | None) -> str:
    """Small rates keep their figures: on the embedded cloud they are a part of what is made."""
    return f"{value:.2f}" if value is not None and value < 10 else format_rate(value)


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
        cells.append(_side("by neither", seen, seen.unattributed, palette.watch, palette))
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
        (f"{'·' if early else GATE_GLYPHS[check.state]} ", style),
        (f"{check.label} ", palette.dim),
        (f"{observed}{' so far' if early else ''}", shown),
        (f" {check.comparison} {limit}", palette.dim),
    ]
