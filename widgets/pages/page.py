"""A page: rows of text that may be more than fit, scrolled; and tables and bars made of runs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.cells import cell_len
from rich.style import Style

from canary.rollout.export.links import find_links
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import sanitize
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from themes import Palette
from widgets.plots.canvas import CUT, Canvas, Run
from widgets.plots.cells import CellWidget, bound

Row = list[Run]
_GAP = 2


class Page(CellWidget):
    """One part of the procedure, written in rows; subclasses implement `rows`.

    `top` is the first row shown. Where rows are left out, the last row counts them.
    """

    procedure: bound[JobsView] = bound(NOTHING_RUN)
    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    keys: bound[dict[str, str]] = bound({})
    """Actions by name → the key they are on, for the hints in the text."""
    hyperlinks: bound[bool] = bound(False)
    """Whether the terminal takes hyperlinks."""
    top: bound[int] = bound(0)

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """All rows, each at most `width` cells wide or cut when drawn."""
        raise NotImplementedError

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """The rows from `top` on that fit, and how many do not."""
        rows = self._all_rows(canvas.width, palette)
        top = min(self.top, max(0, len(rows) - canvas.height))
        below = len(rows) - top - canvas.height
        for y, row in enumerate(rows[top : top + canvas.height]):
            if y == canvas.height - 1 and below > 0 and canvas.height > 1:
                canvas.text(0, y, f"{CUT} {below + 1} more rows, ↓", palette.dim)
                return
            canvas.runs(0, y, row)

    def move(self, rows: int) -> None:
        """Scroll by rows; down is positive."""
        count = len(self._all_rows(self.size.width, self.palette))
        last = max(0, count - max(1, self.size.height))
        self.top = min(last, max(0, self.top + rows))

    def _all_rows(self, width: int, palette: Palette) -> list[Row]:
        """The page's own, and behind them where to look further."""
        return [*self.rows(width, palette), *self._links(palette)]

    def _links(self, palette: Palette) -> list[Row]:
        if self.plan is None or self.snapshot is None:
            return []
        links = find_links(self.plan, self.snapshot, self.id or "")
        if not links:
            return []
        row: Row = [("↗ ", palette.dim)]
        for link in links:
            style = palette.key + Style(link=link.url) if self.hyperlinks else palette.text
            row += [(link.name, style), ("  ", palette.dim)]
        row += [(self.key("copy"), palette.key), (" copies them, with commands", palette.dim)]
        return [[], row]

    def key(self, action: str) -> str:
        """The key of an action, as it is shown; its name where no key is known."""
        return self.keys.get(action, action)


def table_rows(cells: Sequence[Sequence[Run]], width: int, palette: Palette) -> list[Row]:
    """Rows with the first column at the left and figures at the right of theirs.

    Columns that do not fit go away from the right, leaving a mark. Empty for no cells.
    """
    if not cells:
        return []
    widths = [max(cell_len(row[i][0]) for row in cells) for i in range(len(cells[0]))]
    shown, used = 0, -_GAP
    for size in widths:
        if shown and used + _GAP + size > width - 2 * (shown < len(widths) - 1):
            break
        shown, used = shown + 1, used + _GAP + size
    found = []
    for row in cells:
        runs: Row = []
        for index, (text, style) in enumerate(row[:shown]):
            pad = " " * (widths[index] - cell_len(text))
            gap = " " * (_GAP if index else 0)
            runs.append((gap + text + pad if index == 0 else gap + pad + text, style))
        if shown < len(widths):
            runs.append((f" {CUT}", palette.dim))
        found.append(runs)
    return found


def wrapped(indent: str, text: str, width: int, style: Style, indented: Style) -> list[Row]:
    """`text` in rows behind `indent` (in style `indented`); blanks from the second row on."""
    parts = textwrap.wrap(text, max(20, width - len(indent)), break_on_hyphens=False)
    blank = " " * len(indent)
    return [[(blank if i else indent, indented), (part, style)] for i, part in enumerate(parts)]


def error_rows(text: str, palette: Palette) -> list[Row]:
    """What could not be done, marked; no row for ""."""
    return [[("! ", palette.watch), (sanitize(text, 400), palette.strong)]] if text else []


def span_runs(
    width: int, low: float, at: float, high: float, wanted: float, palette: Palette
) -> Row:
    """0…100 % as a line of `width` cells: the interval, the measured share, the wanted one.

    All are 0…1. `│` is what is wanted, `●` what was measured, `━` the interval around it; where
    both fall into one cell, the wanted one is not lost: the cell is `◉`.
    """
    if width < 10:
        return []
    cell = [min(width - 1, max(0, round(x * (width - 1)))) for x in (low, at, high, wanted)]
    runs: Row = []
    for x in range(width):
        if x == cell[1]:
            runs.append(("◉" if x == cell[3] else "●", palette.canary))
        elif x == cell[3]:
            runs.append(("│", palette.strong))
        elif cell[0] <= x <= cell[2]:
            runs.append(("━", palette.canary))
        else:
            runs.append(("┄", palette.quiet))
    return _join(runs)


def _join(runs: Row) -> Row:
    """Neighbours of one style as one run."""
    joined: Row = []
    for text, style in runs:
        if joined and joined[-1][1] is style:
            joined[-1] = (joined[-1][0] + text, style)
        else:
            joined.append((text, style))
    return joined
