"""The monitoring loop of this host; the alert policies of Cloud Monitoring against the plan."""

from __future__ import annotations

from typing import cast, get_args

from canary.rollout.decision.gates import format_verdict
from canary.rollout.decision.tree import Verdict
from canary.rollout.export.alert_policies import Action
from canary.rollout.text import NO_DATA, format_count, format_duration, format_timestamp, sanitize
from canary.rollout.trials.jobs import MonitoringView
from themes import Palette
from widgets.pages.page import Page, Row, error_rows

_LABEL = 14


class MonitoringPage(Page):
    """What the loop says of itself; whether it lives is told by its lock."""

    BORDER_TITLE = "monitoring loop"

    def rows(self, width: int, palette: Palette) -> list[Row]:  # noqa: ARG002 - Page's signature
        """Its state, one line a fact."""
        view = self.procedure.monitoring
        palette_key = self.key("palette")
        if view is None:
            return [[("not looked at yet", palette.no_data)]]
        if view.running:
            hint = f"{palette_key} stop monitoring ends it; start monitoring replaces it"
        else:
            hint = f"{palette_key} start monitoring begins one"
        rows = [monitoring_runs(view, self.now, palette)]
        if view.since is not None:
            rows += self._facts(view, palette)
        elif not view.running:
            rows.append([("no loop has run for this rollout on this host", palette.dim)])
        rows += error_rows(view.trouble, palette)
        return [*rows, [(hint, palette.dim)]]

    def _facts(self, view: MonitoringView, palette: Palette) -> list[Row]:
        until = "without end" if view.until is None else format_timestamp(view.until)
        facts = [
            ("since", format_timestamp(view.since)),
            ("until", until),
            ("files", f"{format_count(view.files)} in {sanitize(view.out_dir, 200)}"),
            ("newest", _name(view.last_file) or NO_DATA),
        ]
        if view.running:
            facts.insert(2, ("process", str(view.pid)))
        rows: list[Row] = [
            [(f"{label:<{_LABEL}}", palette.dim), (said, palette.text)] for label, said in facts
        ]
        return [*rows, [(f"{'last verdict':<{_LABEL}}", palette.dim), *_verdict(view, palette)]]


def monitoring_runs(view: MonitoringView, now: float, palette: Palette) -> Row:
    """The loop in one line: running or not, how often, when next."""
    if not view.running:
        why = {"time": "its time was over", "signal": "it was asked to end", "failure": "it failed"}
        ended = ""
        if view.ended_at is not None:
            said = why.get(view.ended_by, "")
            ended = f"  ended {format_timestamp(view.ended_at)}{f': {said}' if said else ''}"
        elif view.since is not None:
            ended = "  it was killed, or its host was"
        return [("– NO MONITORING LOOP", palette.no_data), (ended, palette.dim)]
    if view.every_s is None:
        return [("● MONITORING", palette.strong), ("  just beginning", palette.dim)]
    left = None if view.next_at is None else max(0.0, view.next_at - now)
    due = "the last snapshot is taken" if left is None else f"next in {format_duration(left)}"
    return [
        ("● MONITORING", palette.strong),
        (f"  every {format_duration(view.every_s)}", palette.text),
        (f"  {due}", palette.text),
    ]


def _verdict(view: MonitoringView, palette: Palette) -> Row:
    if view.verdict not in get_args(Verdict):
        return [(NO_DATA, palette.no_data)]
    verdict = cast("Verdict", view.verdict)
    at = f"  {format_timestamp(view.last_at)}" if view.last_at is not None else ""
    return [*palette.marked(format_verdict(verdict), palette.verdict(verdict)), (at, palette.dim)]


def _name(path: str) -> str:
    return sanitize(path.rsplit("/", 1)[-1], 120)


_GLYPHS = {"create": "+", "update": "~", "delete": "−", "keep": "✓"}


class AlertsPage(Page):
    """The difference; it is written from here after a confirmation, or by `canary alerts apply`."""

    BORDER_TITLE = "alert policies"

    def rows(self, width: int, palette: Palette) -> list[Row]:  # noqa: ARG002 - Page's signature
        """What would change, how many are as the plan says, and how it is written."""
        view = self.procedure.alerts
        rows: list[Row] = []
        if view.running:
            rows.append([("▸ asking Cloud Monitoring …", palette.strong)])
        rows += error_rows(view.trouble, palette)
        if view.actions is None:
            return rows or [[("not compared from here yet", palette.dim)]]
        for action in view.changes:
            rows += _action(action, palette)
        kept = len(view.actions) - len(view.changes)
        as_planned = f"{kept} of {len(view.actions)} policies are as the plan says"
        rows += [[]] if view.changes else []
        rows += [[("✓ " if not view.changes else "  ", palette.ok), (as_planned, palette.text)]]
        if view.changes:
            ways = " apply alerts   writes them; canary alerts apply does the same"
            rows.append([(self.key("palette"), palette.key), (ways, palette.dim)])
        return rows


def _action(action: Action, palette: Palette) -> list[Row]:
    first, *others = action.lines or (f"{action.kind} {action.key}",)
    head: Row = [(f"{_GLYPHS[action.kind]} ", palette.strong), (sanitize(first), palette.strong)]
    return [head, *([("    ", palette.dim), (sanitize(line), palette.text)] for line in others)]
