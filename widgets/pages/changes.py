"""The final approval and its steps, and the changes whose end is not known."""

from __future__ import annotations

from typing import Final

import msgspec

from canary.rollout.change.change import StepState, StepView
from canary.rollout.snapshot.snapshot import ChangeView, find_unfinished
from canary.rollout.text import format_timestamp, sanitize
from themes import Palette
from widgets.pages.page import Page, Row, wrapped
from widgets.plots.cells import bound

STEP_GLYPHS: dict[StepState, str] = {
    "to_do": "◌",
    "under_way": "▸",
    "done": "✓",
    "failed": "✗",
    "unknown": "?",
}


class Approval(msgspec.Struct, frozen=True):
    """A final approval in words, as it was asked for. `steps` are those of the change `id`."""

    change_id: str
    becomes_true: tuple[str, ...]
    steps: tuple[str, ...]
    order: str
    evidence: tuple[str, ...]


class ApprovalPage(Page):
    """Before it is confirmed: everything that it makes true. Behind it: its steps, and the way on.

    `approval` None: none was asked for from here.
    """

    BORDER_TITLE = "final approval"

    approval: bound[Approval | None] = bound(None)

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """What becomes true, the steps, the evidence; the way on comes first when one failed."""
        approval = self.approval
        if approval is None:
            return [[("no final approval was asked for from here", palette.dim)]]
        change = self._change(approval)
        true: list[Row] = [[("what becomes true", palette.dim)]]
        for line in approval.becomes_true:
            true += wrapped("  ", line, width, palette.text, palette.dim)
        steps = self._steps(approval, change, palette)
        evidence: list[Row] = [[("on this evidence", palette.dim)]]
        evidence += [[("  ", palette.dim), (line, palette.text)] for line in approval.evidence]
        order = wrapped("", approval.order, width, palette.text, palette.dim)
        if change is not None and change.outcome is not None and change.outcome.state != "done":
            return [*self._way_on(change, width, palette), *steps, *true, *evidence, *order]
        return [*true, *steps, *evidence, *order]

    def _steps(self, approval: Approval, change: ChangeView | None, palette: Palette) -> list[Row]:
        steps = change.steps if change is not None else ()
        if len(steps) != len(approval.steps):
            steps = tuple(StepView(text) for text in approval.steps)
        head: Row = [("in these steps", palette.dim)]
        return [head, *(step_row(number, step, palette) for number, step in enumerate(steps, 1))]

    def _change(self, approval: Approval) -> ChangeView | None:
        changes = self.snapshot.changes if self.snapshot is not None else ()
        return next((c for c in changes if c.id == approval.change_id), None)

    def _way_on(self, change: ChangeView, width: int, palette: Palette) -> list[Row]:
        """What is true now, and the keys that lead on or back."""
        outcome = change.outcome
        assert outcome is not None  # noqa: S101 - asked by the caller
        rows: list[Row] = [[("✗ it ended half-way", palette.roll_back)]]
        rows += wrapped("  ", sanitize(outcome.message, 600), width, palette.text, palette.dim)
        return [
            *rows,
            [
                (f"  {self.key('promote')}", palette.key),
                (" does what is missing   ", palette.dim),
                (self.key("step_back"), palette.key),
                (" one stage back   ", palette.dim),
                (self.key("rollback_all"), palette.key),
                (" roll back all", palette.dim),
            ],
        ]


def step_row(number: int, step: StepView, palette: Palette) -> Row:
    """One step of a change: how far it is, what it does, the last word about it."""
    styles = {
        "to_do": palette.dim,
        "under_way": palette.strong,
        "done": palette.ok,
        "failed": palette.roll_back,
        "unknown": palette.no_data,
    }
    return [
        (f"  {STEP_GLYPHS[step.state]} ", styles[step.state]),
        (f"{number}. {sanitize(step.text, 160)}", palette.text),
        (f"  {sanitize(step.said, 120)}" if step.said else "", palette.dim),
    ]


_WAYS: Final = (
    ("look_up", "check status"),
    ("resume", "resume it"),
    ("abandon", "abandon it"),
)


class RecoveryPage(Page):
    """One block a change, newest first; `cursor` is the one that the keys mean."""

    BORDER_TITLE = "not finished"

    cursor: bound[int] = bound(0)

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """The blocks; words when there is none."""
        changes = find_unfinished(self.snapshot.changes) if self.snapshot is not None else ()
        if not changes:
            return [[("✓ ", palette.ok), ("no pending changes", palette.text)]]
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
                (mark, palette.strong),
                (sanitize(change.title, 120), palette.strong),
                (asked, palette.dim),
            ]
        ]
        rows += [step_row(number, step, palette) for number, step in enumerate(change.steps, 1)]
        outcome = change.outcome
        if outcome is None:
            rows.append([("  ▸ in flight: ", palette.strong), (change.step, palette.text)])
        else:
            rows.append([("  ? outcome unknown", palette.no_data)])
            for text in (outcome.message, outcome.remedy):
                rows += wrapped("  ", sanitize(text, 600), width, palette.text, palette.dim)
        return [*rows, self._ways(change, palette)] if chosen else rows

    def _ways(self, change: ChangeView, palette: Palette) -> Row:
        row: Row = [("  ", palette.dim)]
        waits = change.outcome is None and change.waiting_since is not None
        for action, said in (("withdraw", "withdraw it"),) if waits else _WAYS:
            row += [(self.key(action), palette.key), (f" {said}   ", palette.dim)]
        return row
