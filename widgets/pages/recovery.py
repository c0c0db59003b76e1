"""The changes whose end is not known, and those in flight: what is known, and the ways on."""

from __future__ import annotations

import textwrap
from typing import Final

from canary.rollout.snapshot.snapshot import ChangeView, find_unfinished
from canary.rollout.text import format_timestamp, sanitize
from themes import Palette
from widgets.pages.approval import step_row
from widgets.pages.page import Page, Row
from widgets.plots.cells import drawn

_WAYS: Final = (
    ("look_up", "look it up"),
    ("resume", "resume it"),
    ("abandon", "abandon it"),
)


class RecoveryPage(Page):
    """One block a change, newest first; `cursor` is the one that the keys mean."""

    BORDER_TITLE = "not finished"

    cursor: drawn[int] = drawn(0)

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """The blocks; words when there is none."""
        changes = find_unfinished(self.snapshot.changes) if self.snapshot is not None else ()
        if not changes:
            return [[("✓ ", palette.ok), ("the end of every change is known", palette.text)]]
        rows: list[Row] = []
        at = min(self.cursor, len(changes) - 1)
        for index, change in enumerate(changes):
            rows += self._block(change, width, palette, chosen=index == at)
            rows.append([])
        return rows

    def move(self, rows: int) -> None:
        """Go to the next change, or the one before."""
        changes = find_unfinished(self.snapshot.changes) if self.snapshot is not None else ()
        at = min(self.cursor, max(0, len(changes) - 1))
        self.cursor = min(max(0, len(changes) - 1), max(0, at + (1 if rows > 0 else -1)))

    def _block(
        self, change: ChangeView, width: int, palette: Palette, *, chosen: bool
    ) -> list[Row]:
        mark = "▶ " if chosen else "  "
        asked = f"  by {sanitize(change.author, 60)}, {format_timestamp(change.asked_at)}"
        rows: list[Row] = [
            [
                (mark, palette.notice),
                (sanitize(change.title, 120), palette.strong),
                (asked, palette.dim),
            ]
        ]
        rows += [step_row(number, step, palette) for number, step in enumerate(change.steps, 1)]
        outcome = change.outcome
        if outcome is None:
            rows.append([("  ▸ in flight: ", palette.watch), (change.step, palette.text)])
        else:
            rows.append([("  ? outcome unknown", palette.no_data)])
            for text in (outcome.message, outcome.remedy):
                rows += _wrapped(sanitize(text, 600), width, palette)
        return [*rows, self._ways(change, palette)] if chosen else rows

    def _ways(self, change: ChangeView, palette: Palette) -> Row:
        row: Row = [("  ", palette.dim)]
        waits = change.outcome is None and change.waiting_since is not None
        for action, said in (("withdraw", "withdraw it"),) if waits else _WAYS:
            row += [(self.key(action), palette.key), (f" {said}   ", palette.dim)]
        return row


def _wrapped(text: str, width: int, palette: Palette) -> list[Row]:
    parts = textwrap.wrap(text, max(20, width - 2), break_on_hyphens=False)
    return [[("  ", palette.dim), (part, palette.text)] for part in parts]
