"""The plan's limits against Cloud Monitoring's alert policies: what would be written, from → to."""

from __future__ import annotations

from canary.rollout.export.alert_policies import Action
from canary.rollout.text import sanitize
from themes import Palette
from widgets.pages.page import Page, Row

_GLYPHS = {"create": "+", "update": "~", "delete": "−", "keep": "✓"}


class AlertsPage(Page):
    """The difference; it is written from here after a confirmation, or by `canary alerts apply`."""

    BORDER_TITLE = "alert policies"

    def rows(self, width: int, palette: Palette) -> list[Row]:  # noqa: ARG002 - Page's signature
        """What would change, how many are as the plan says, and how it is written."""
        view = self.procedure.alerts
        rows: list[Row] = []
        if view.running:
            rows.append([("▸ asking Cloud Monitoring …", palette.watch)])
        if view.trouble:
            rows.append([("! ", palette.notice), (sanitize(view.trouble, 400), palette.strong)])
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
    head: Row = [(f"{_GLYPHS[action.kind]} ", palette.watch), (sanitize(first), palette.strong)]
    return [head, *([("    ", palette.dim), (sanitize(line), palette.text)] for line in others)]
