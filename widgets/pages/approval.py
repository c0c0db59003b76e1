"""The final approval: what becomes true, in which steps, on which evidence; and how far it is."""

from __future__ import annotations

import textwrap

import msgspec

from canary.rollout.change.change import StepState, StepView
from canary.rollout.snapshot.snapshot import ChangeView
from canary.rollout.text import sanitize
from themes import Palette
from widgets.pages.page import Page, Row
from widgets.plots.cells import drawn

STEP_GLYPHS: dict[StepState, str] = {
    "to_do": "·",
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

    approval: drawn[Approval | None] = drawn(None)

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """What becomes true, the steps, the evidence; the way on comes first when one failed."""
        approval = self.approval
        if approval is None:
            return [[("no final approval was asked for from here", palette.dim)]]
        change = self._change(approval)
        true: list[Row] = [[("what becomes true", palette.dim)]]
        for line in approval.becomes_true:
            true += _wrapped("  ", line, width, palette)
        steps = self._steps(approval, change, palette)
        evidence: list[Row] = [[("on this evidence", palette.dim)]]
        evidence += [[("  ", palette.dim), (line, palette.text)] for line in approval.evidence]
        order = _wrapped("", approval.order, width, palette)
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
        rows += _wrapped("  ", sanitize(outcome.message, 600), width, palette)
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
        "under_way": palette.watch,
        "done": palette.ok,
        "failed": palette.roll_back,
        "unknown": palette.no_data,
    }
    return [
        (f"  {STEP_GLYPHS[step.state]} ", styles[step.state]),
        (f"{number}. {sanitize(step.text, 160)}", palette.text),
        (f"  {sanitize(step.said, 120)}" if step.said else "", palette.dim),
    ]


def _wrapped(indent: str, text: str, width: int, palette: Palette) -> list[Row]:
    parts = textwrap.wrap(text, max(20, width - len(indent)), break_on_hyphens=False)
    return [[(indent, palette.dim), (part, palette.text)] for part in parts]
