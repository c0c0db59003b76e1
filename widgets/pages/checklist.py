"""A checklist: before, during and after; ticked by the program with evidence, or by a person."""

from __future__ import annotations

import textwrap

from canary.rollout.text import format_timestamp, sanitize
from canary.rollout.trials.checklist import PROGRAM, UNSEEN, Checklist, ChecklistBook, Line
from themes import Palette
from widgets.pages.page import Page, Row
from widgets.plots.cells import bound

_PHASE = 8
_MARK = 4


class ChecklistPage(Page):
    """One list of the book, with a cursor on one of its items.

    `chosen` counts the lists from the oldest; None: the present stage's, or the next one's. The
    item at the cursor shows its evidence whole, the others as much as fits.
    """

    BORDER_TITLE = "checklist"

    chosen: bound[int | None] = bound(None)
    cursor: bound[int] = bound(0)

    @property
    def book(self) -> ChecklistBook | None:
        """All lists; None while they were not read yet."""
        return self.procedure.checklists

    @property
    def index(self) -> int | None:
        """Which list of the book is shown; None when there is none."""
        book = self.book
        if book is None or not book.lists:
            return None
        if self.chosen is not None:
            return min(max(0, self.chosen), len(book.lists) - 1)
        present = book.current or book.following
        return book.lists.index(present) if present is not None else len(book.lists) - 1

    @property
    def shown(self) -> Checklist | None:
        """The list that is shown."""
        book, index = self.book, self.index
        return None if book is None or index is None else book.lists[index]

    @property
    def line(self) -> Line | None:
        """The item at the cursor."""
        shown = self.shown
        if shown is None or not shown.lines:
            return None
        return shown.lines[min(self.cursor, len(shown.lines) - 1)]

    def turn(self, lists: int) -> None:
        """Show an earlier list (negative) or a later one."""
        book, index = self.book, self.index
        if book is None or index is None:
            return
        self.chosen = min(max(0, index + lists), len(book.lists) - 1)
        self.cursor = 0
        self.top = 0

    def move(self, rows: int) -> None:
        """Move the cursor, and what is shown with it."""
        shown = self.shown
        if shown is None or not shown.lines:
            return
        self.cursor = min(max(0, self.cursor + rows), len(shown.lines) - 1)
        heights = [len(part) for part in self._parts(shown, self.size.width, self.palette)]
        first = 1 + sum(heights[: self.cursor])
        last = first + heights[self.cursor]
        room = max(2, self.size.height)
        # The last row may be the mark of what is below.
        if last > self.top + room - 1:
            self.top = last - room + 1
        if first < self.top or self.cursor == 0:
            self.top = 0 if self.cursor == 0 else first

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """Whose list it is, its items, what could not be looked at."""
        shown, book = self.shown, self.book
        if book is None:
            return [[("reading …", palette.dim)]]
        if shown is None:
            return [[("there is no list: the stage is not known", palette.no_data)]]
        rows = [self._heading(shown, palette)]
        for part in self._parts(shown, width, palette):
            rows += part
        if book.trouble:
            rows.append([("! ", palette.watch), (sanitize(book.trouble, 400), palette.text)])
        return rows

    def _heading(self, shown: Checklist, palette: Palette) -> Row:
        book, index = self.book, self.index
        count = len(book.lists) if book is not None else 0
        at = 0 if index is None else index
        visit = shown.visit
        when = "not entered yet: what comes before it"
        if visit is not None:
            when = f"since {format_timestamp(visit.entered_at)[:16]}"
            if visit.left_at is not None:
                until = format_timestamp(visit.left_at)[:16]
                when = f"{format_timestamp(visit.entered_at)[:16]} to {until}, closed"
        return [
            (f"stage {shown.stage}", palette.strong),
            (f"  {shown.done} of {len(shown.lines)} done", palette.text),
            ("  ◂ " if at > 0 else "    ", palette.key),
            (f"list {at + 1} of {count}", palette.dim),
            (" ▸" if at < count - 1 else "  ", palette.key),
            (f"  {when}", palette.dim),
        ]

    def _parts(self, shown: Checklist, width: int, palette: Palette) -> list[list[Row]]:
        """Rows for each item; the first of a phase names it."""
        parts: list[list[Row]] = []
        before = ""
        at = min(self.cursor, len(shown.lines) - 1)
        for index, line in enumerate(shown.lines):
            phase = line.item.phase if line.item.phase != before else ""
            before = line.item.phase
            is_unseen = shown.is_unseen(line)
            parts.append(
                _item(line, phase, width, palette, is_chosen=index == at, is_unseen=is_unseen)
            )
        return parts


def _item(
    line: Line, phase: str, width: int, palette: Palette, *, is_chosen: bool, is_unseen: bool
) -> list[Row]:
    mark, style = ("[✓]", palette.ok) if line.done else ("[ ]", palette.text)
    if is_unseen:
        mark, style = "[?]", palette.no_data
    label = palette.strong if is_chosen else palette.text
    head: Row = [
        (f"{phase:<{_PHASE}}", palette.dim),
        ("▸" if is_chosen else " ", palette.strong),
        (f"{mark} ", style),
        (line.item.label, label),
    ]
    said = UNSEEN if is_unseen else _said(line)
    indent = _PHASE + 1 + _MARK
    room = width - indent - len(line.item.label) - 2
    if not said or not is_chosen or len(said) <= room:
        return [[*head, (f"  {said}" if said else "", palette.dim)]]
    pieces = textwrap.wrap(said, max(20, width - indent))
    return [head, *([(" " * indent, palette.dim), (piece, palette.dim)] for piece in pieces)]


def _said(line: Line) -> str:
    """Who ticked it when, on what; of an open one, what is known."""
    if not line.done:
        return sanitize(line.hint, 200)
    by = "known" if line.by == PROGRAM else sanitize(line.by, 60)
    evidence = f": {sanitize(line.evidence, 200)}" if line.evidence else ""
    return f"{by} {format_timestamp(line.at)[5:16]}{evidence}"
