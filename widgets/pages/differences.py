"""Canary's deployment beside Legacy's: only what differs, or all of it."""

from __future__ import annotations

import textwrap
from typing import Final

from canary.rollout.snapshot.differences import Difference, Differences, label_of, summarize
from themes import Palette
from widgets.pages.page import Page, Row, wrapped
from widgets.plots.canvas import CUT
from widgets.plots.cells import bound

_LEAST_TABLE: Final = 60
"""Narrower than this a row is written in lines of its own."""
_MOST_FIELD: Final = 30


class DifferencesPage(Page):
    """Which image, commit, environment, secrets, sizes, network … are other than Legacy's."""

    BORDER_TITLE = "differences"

    whole: bound[bool] = bound(False)
    """Whether what is the same is shown, too."""

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """A summary, the names of both sides, and a row for each field."""
        found = None if self.snapshot is None else self.snapshot.differences
        if found is None:
            return [[("? differences not known: a side could not be read yet", palette.no_data)]]
        shown = found.rows if self.whole else found.differing
        rows = self._head(found, width, palette)
        if found.unknown:
            rows += wrapped("? ", found.unknown, width, palette.no_data, palette.no_data)
        if width >= _LEAST_TABLE:
            return rows + _table(found, shown, width, palette)
        for row in shown:
            rows += _in_lines(row, width, palette)
        return rows

    def _head(self, found: Differences, width: int, palette: Palette) -> list[Row]:
        """The summary, and what the space bar does: in one row where both have room."""
        hidden = len(found.rows) - len(found.differing)
        said = "only what differs" if self.whole else f"{hidden} fields are the same"
        never = "; values are never read" if width >= _LEAST_TABLE else ""
        hint: Row = [("space ", palette.key), (f"{said}{never}", palette.dim)]
        summary = summarize(found)
        if len(summary) + 3 + sum(len(text) for text, _ in hint) <= width:
            return [[(f"{summary}   ", palette.strong), *hint]]
        return [*wrapped("", summary, width, palette.strong, palette.dim), hint]


def _table(
    found: Differences, shown: tuple[Difference, ...], width: int, palette: Palette
) -> list[Row]:
    field = min(_MOST_FIELD, max([len(label_of(row)) for row in shown], default=0) + 2)
    column = (width - field - 4) // 2
    rows: list[Row] = [
        [
            (" " * (field + 2), palette.dim),
            (_pad(f"legacy {found.legacy}", column), palette.legacy),
            (f"  canary {found.canary}", palette.canary),
        ]
    ]
    for row in shown:
        rows += _lines_of(row, field, column, palette)
    return rows


def _lines_of(row: Difference, field: int, column: int, palette: Palette) -> list[Row]:
    left = textwrap.wrap(row.legacy, column) or [""]
    right = textwrap.wrap(row.canary, column) or [""]
    label = textwrap.wrap(label_of(row), field - 2) or [""]
    legacy = palette.text if row.differs else palette.dim
    canary = palette.strong if row.differs else palette.dim
    mark = "≠ " if row.differs else "  "
    return [
        [
            (mark if index == 0 else "  ", palette.text),
            (_pad(_at(label, index), field), palette.dim),
            (_pad(_at(left, index), column), legacy),
            (f"  {_at(right, index)}", canary),
        ]
        for index in range(max(len(left), len(right), len(label)))
    ]


def _in_lines(row: Difference, width: int, palette: Palette) -> list[Row]:
    """The short form: one row where it has room, else the field and below it both values."""
    mark = "≠ " if row.differs else "  "
    said = f"{row.legacy} → {row.canary}" if row.differs else row.legacy
    label = label_of(row)
    if len(mark) + len(label) + 2 + len(said) <= width:
        return [[(mark, palette.text), (f"{label}  ", palette.dim), (said, palette.text)]]
    head = wrapped(mark, label, width, palette.dim, palette.text)
    return head + wrapped("    ", said, width, palette.text, palette.dim)


def _at(lines: list[str], index: int) -> str:
    return lines[index] if index < len(lines) else ""


def _pad(text: str, width: int) -> str:
    cut = text if len(text) <= width else f"{text[: max(0, width - 1)]}{CUT}"
    return cut.ljust(width)
