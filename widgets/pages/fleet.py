"""The list of rollouts: a row for each, the chosen one marked, as many columns as fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.style import Style

from canary.rollout.fleet.rows import HEADINGS, FleetRow, cells_of, summary_line
from canary.rollout.snapshot.state_words import Tone
from canary.rollout.text import format_age, sanitize
from themes import Palette
from widgets.plots.canvas import Canvas, cut_middle, cut_text
from widgets.plots.cells import CellWidget, bound

_NEEDED: Final = (0, 1, 3, 10)
"""State, rollout, share and what it waits for: these stay at any width."""
_MORE: Final = (4, 6, 9, 8, 2, 11, 5, 7, 12)
"""What else is shown while there is room, in this order."""
_LEAST: Final = {1: 8, 10: 8}
"""What may be narrowed, and to how many cells."""
_EASY: Final = {1: 24, 10: 22}
"""How wide those are before another column is shown."""
_RIGHT: Final = frozenset({3, 4, 5, 6, 7, 8, 9})
_GAP: Final = 2


class FleetList(CellWidget):
    """`rows` in their order; `chosen` is a place in them. `now` is the cloud's time, `read_at` when
    the rows are from (None: nothing was read yet). `about` says what is sorted and filtered by.
    """

    rows: bound[tuple[FleetRow, ...]] = bound(())
    chosen: bound[int] = bound(0)
    top: bound[int] = bound(0)
    now: bound[float] = bound(0.0)
    read_at: bound[float | None] = bound(None)
    trouble: bound[str] = bound("")
    about: bound[str] = bound("")

    @property
    def room(self) -> int:
        """How many rows are seen at once."""
        return max(1, self.size.height - 3)

    def choose(self, place: int) -> None:
        """Mark a row, and scroll so that it is seen."""
        self.chosen = max(0, min(len(self.rows) - 1, place))
        if self.chosen < self.top:
            self.top = self.chosen
        elif self.chosen >= self.top + self.room:
            self.top = self.chosen - self.room + 1

    @property
    def chosen_row(self) -> FleetRow | None:
        """The marked row; None without rows."""
        return self.rows[self.chosen] if 0 <= self.chosen < len(self.rows) else None

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """What it comes to, the headings, the rows that fit; how many do not is said."""
        age = "" if self.read_at is None else f"{format_age(max(0.0, self.now - self.read_at))} old"
        head = summary_line(self.rows) if self.read_at is not None else "◌ reading …"
        used = canvas.text(1, 0, head, palette.text)
        beside = "  ".join(part for part in (self.about, age) if part)
        canvas.text(max(used + _GAP, canvas.width - cell_len(beside) - 1), 0, beside, palette.dim)
        if self.trouble and canvas.height > 1:
            canvas.text(1, 1, f"? {sanitize(self.trouble, 300)}", palette.no_data)
        shown = self.rows[self.top : self.top + self.room]
        table = [cells_of(row, self.now) for row in shown]
        gap = gap_of(canvas.width)
        columns = lay_out([HEADINGS, *table], canvas.width - 2, gap)
        if not self.trouble:
            self._line(canvas, 1, HEADINGS, (columns, gap), [palette.dim] * len(HEADINGS))
        for y, (row, cells) in enumerate(zip(shown, table, strict=True), 2):
            place = self.top + y - 2
            styles = [palette.text] * len(HEADINGS)
            styles[0] = style_of(row, palette)
            if place == self.chosen:
                canvas.text(0, y, "▸", palette.text)
            self._line(canvas, y, cells, (columns, gap), styles)
        left = len(self.rows) - self.top - len(shown)
        if left > 0 and canvas.height > 2:
            canvas.text(1, canvas.height - 1, f"… {left} more below", palette.dim)

    def _line(
        self,
        canvas: Canvas,
        y: int,
        cells: Sequence[str],
        laid_out: tuple[Sequence[tuple[int, int]], int],
        styles: Sequence[Style],
    ) -> None:
        x = 1
        columns, gap = laid_out
        for index, width in columns:
            cut = cut_middle if index == 1 else cut_text
            text = cut(cells[index], width)
            at = x + width - cell_len(text) if index in _RIGHT else x
            canvas.text(at, y, text, styles[index])
            x += width + gap


def gap_of(width: int) -> int:
    """Cells between two columns."""
    return _GAP if width >= 60 else 1


def lay_out(table: Sequence[Sequence[str]], width: int, gap: int = _GAP) -> list[tuple[int, int]]:
    """(column, its width) for what fits, in the order of HEADINGS; the needed ones always."""
    wide = [max(cell_len(cells[at]) for cells in table) for at in range(len(HEADINGS))]
    least = {at: min(wide[at], _LEAST.get(at, wide[at])) for at in range(len(HEADINGS))}
    easy = {at: min(wide[at], _EASY.get(at, wide[at])) for at in range(len(HEADINGS))}
    chosen = list(_NEEDED)
    for at in _MORE:
        if sum(easy[c] + gap for c in (*chosen, at)) - gap <= width:
            chosen.append(at)
    widths = {at: least[at] for at in chosen}
    spare = width - sum(widths[at] + gap for at in chosen) + gap
    for at in (1, 10):
        more = max(0, min(spare, wide[at] - widths[at]))
        widths[at] += more
        spare -= more
    if spare < 0:
        # Below what is needed at least, what it waits for gives way.
        widths[10] = max(0, widths[10] + spare)
    return [(at, widths[at]) for at in sorted(chosen)]


def style_of(row: FleetRow, palette: Palette) -> Style:
    """How a row's state is drawn: as the state row of its console."""
    tone: Tone = "unknown" if row.state is None else row.state.tone
    styles: dict[Tone, Style] = {
        "act": palette.alarm,
        "watch": palette.watch,
        "unknown": palette.no_data,
        "neutral": palette.text,
        "good": palette.text,
    }
    return styles[tone]
