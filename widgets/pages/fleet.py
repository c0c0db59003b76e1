"""The list of rollouts: a row for each, the chosen one marked, as many columns as fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.style import Style

from canary.rollout.fleet.order import need_of, tell_apart
from canary.rollout.fleet.rows import FleetRow
from canary.rollout.fleet.words import HEADINGS, HERE, cells_of, counts_line, head_line
from canary.rollout.snapshot.state_words import Tone
from canary.rollout.text import format_age, sanitize
from themes import Palette
from widgets.plots.canvas import Canvas, cut_front, cut_middle, cut_text
from widgets.plots.cells import CellWidget, bound

_NEEDED: Final = (0, 1, 3, 10)
"""State, rollout, share and what it waits for: these stay at any width."""
_MORE: Final = (4, 6, 9, 8, 2, 11, 5, 7, 12)
"""What else is shown while there is room, in this order."""
_LEAST: Final = {0: 15, 1: 8, 10: 8, HERE: 4}
"""What may be narrowed, and to how many cells."""
_EASY: Final = {0: 23, 1: 24, 10: 22, HERE: 12}
"""How wide those are before another column is shown; what is waited for has a fourth of all."""
_GROWS: Final = (
    (HERE, 12), (1, 20), (10, 30), (0, 23), (HERE, 30), (1, 100), (10, 1000)
)  # fmt: skip
"""Which may be wider, up to how many cells, and in which order the spare ones are given out."""
_NUMBERS: Final = slice(4, 10)
"""What the metrics say: drawn otherwise where it is too old or too little to be judged."""
_RIGHT: Final = frozenset({3, 4, 5, 6, 7, 8, 9})
_GAP: Final = 2


_HEADS_FROM: Final = 14
"""From so many lines on what it comes to, and in which order it is, have a line each."""
_WAIT_FROM: Final = 60
"""From so many cells on what is waited for says who acts."""
_TAIL_BELOW: Final = 12
"""Of a name that has less room the end is shown: most of a team's begin alike."""
_MARK_FROM: Final = 120
"""From so many cells on a row for looking only says so."""
_OLD_S: Final = 180.0
"""A list that was read so long ago is marked: three readings were missed."""
_STEP_S: Final = 10.0
"""The ages of the data grow by such steps; each is written over a slow line."""

Group = tuple[str, tuple[FleetRow, ...]]


class FleetList(CellWidget):
    """`groups` are rows in their order, each with its heading ("": none); `chosen` is a place among
    all rows. `now` is the cloud's time, `read_at` when the rows are from (None: nothing was read
    yet). `about` says what is sorted and filtered by; `whole` is what was read, filtered or not.
    """

    groups: bound[tuple[Group, ...]] = bound(())
    whole: bound[tuple[FleetRow, ...]] = bound(())
    chosen: bound[int] = bound(0)
    top: bound[int] = bound(0)
    now: bound[float] = bound(0.0)
    read_at: bound[float | None] = bound(None)
    trouble: bound[str] = bound("")
    about: bound[str] = bound("")

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._made_of: tuple[tuple[Group, ...], float, int] | None = None
        self._made: list[tuple[str, ...]] = []

    @property
    def rows(self) -> tuple[FleetRow, ...]:
        """All rows of all groups, in the order in which they are seen."""
        return tuple(row for _, rows in self.groups for row in rows)

    @property
    def heads(self) -> int:
        """How many lines stand above the rows."""
        return 3 if self.size.height >= _HEADS_FROM else 2

    @property
    def room(self) -> int:
        """How many lines of the list are seen at once."""
        return max(1, self.size.height - self.heads - 1)

    def choose(self, place: int) -> None:
        """Mark a row, and scroll so that it is seen; with its group's heading where it is first."""
        self.chosen = max(0, min(len(self.rows) - 1, place))
        if not self.size.height:
            return  # not laid out yet: the place that was set may be right
        lines = lines_of(self.groups)
        at = next((y for y, line in enumerate(lines) if line == self.chosen), 0)
        above = at - 1 if at and isinstance(lines[at - 1], str) and self.room > 1 else at
        if above < self.top:
            self.top = above
        elif at >= self.top + self.room:
            self.top = at - self.room + 1
        self.top = max(0, min(self.top, len(lines) - self.room))

    @property
    def chosen_row(self) -> FleetRow | None:
        """The marked row; None without rows."""
        rows = self.rows
        return rows[self.chosen] if 0 <= self.chosen < len(rows) else None

    def on_resize(self) -> None:
        """What is chosen stays in sight."""
        self.choose(self.chosen)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """What it comes to, the headings, the rows that fit; how many do not is said."""
        self._draw_head(canvas, palette)
        rows, lines = self.rows, lines_of(self.groups)
        shown = lines[self.top : self.top + self.room]
        cells = self._table(canvas.width)
        gap = gap_of(canvas.width)
        columns = lay_out([HEADINGS, *cells], canvas.width - 2, gap)
        self._line(canvas, self.heads - 1, HEADINGS, (columns, gap), [palette.dim] * len(HEADINGS))
        for y, line in enumerate(shown, self.heads):
            if isinstance(line, str):
                canvas.text(1, y, cut_text(line, canvas.width - 2), palette.strong)
                continue
            row = rows[line]
            styles = [palette.text] * len(HEADINGS)
            styles[0] = style_of(row, palette)
            if need_of(row)[0] == 2:
                styles[_NUMBERS] = [palette.no_data] * (_NUMBERS.stop - _NUMBERS.start)
            if line == self.chosen:
                canvas.text(0, y, "▸", palette.text)
            self._line(canvas, y, cells[line], (columns, gap), styles)
        left = sum(isinstance(line, int) for line in lines[self.top + self.room :])
        if left > 0 and canvas.height > 2:
            canvas.text(1, canvas.height - 1, f"… {left} more below", palette.dim)

    def _table(self, width: int) -> list[tuple[str, ...]]:
        """The texts of all rows, so that no column moves while it is scrolled. Made anew only when
        there are others, or when they have become older by a step.
        """
        older_s = 0.0 if self.read_at is None else max(0.0, self.now - self.read_at)
        older_s -= older_s % _STEP_S
        then = 0.0 if self.read_at is None else self.read_at + older_s
        made_of = (self.groups, then, width)
        if self._made_of is None or made_of != self._made_of:
            called = tell_apart(self.whole or self.rows)
            self._made = [
                _fit(cells_of(row, then, older_s, called[row.key]), row, called[row.key], width)
                for row in self.rows
            ]
            self._made_of = made_of
        return self._made

    def _draw_head(self, canvas: Canvas, palette: Palette) -> None:
        """Who needs a person and why; then how many are how, the order, and how old it is."""
        is_short = self.heads == 2
        old_s = 0.0 if self.read_at is None else max(0.0, self.now - self.read_at)
        age = "" if self.read_at is None else f"{format_age(old_s)} old"
        if old_s > _OLD_S:
            age = f"stale, {age}"
        beside = "  ".join(part for part in ("" if is_short else self.about, age) if part)
        room = canvas.width - 2
        place = max(1, canvas.width - cell_len(beside) - 1)
        head = "◌ reading …"
        if self.read_at is not None:
            head = head_line(self.rows)
            if not self.rows and self.whole:
                head = f"– none of {len(self.whole)} rollouts fits the filter"
        said = f"? {sanitize(self.trouble, 300)}" if self.trouble else ""
        style = palette.no_data if self.trouble else palette.text
        if is_short:
            canvas.text(1, 0, cut_text(said or head, place - _GAP), style)
        else:
            canvas.text(1, 0, cut_text(head, room), palette.strong)
            below = said or counts_line(self.rows)
            canvas.text(1, 1, cut_text(below, place - _GAP), style)
        marked = palette.no_data if old_s > _OLD_S else palette.dim
        canvas.text(place, 0 if is_short else 1, cut_text(beside, room), marked)

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
            cut = cut_text if index != 1 else cut_middle if width >= _TAIL_BELOW else cut_front
            text = cut(cells[index], width)
            at = x + width - cell_len(text) if index in _RIGHT else x
            canvas.text(at, y, text, styles[index])
            x += width + gap


def _fit(cells: tuple[str, ...], row: FleetRow, name: str, width: int) -> tuple[str, ...]:
    """What of a row's texts a narrow screen has room for."""
    if width < _MARK_FROM:
        # Who tries to open one that may only be looked at is told.
        cells = (cells[0], sanitize(name, 100), *cells[2:])
    if width < _WAIT_FROM:
        # The state says already that somebody has to act.
        name = cells[1].removesuffix("-canary")
        share = "–" if row.percent is None else cells[3]
        cells = (
            cells[0],
            name,
            cells[2],
            share,
            *cells[4:10],
            cells[10].removeprefix("YOU: "),
            *cells[11:],
        )
    return cells


def lines_of(groups: Sequence[Group]) -> list[str | int]:
    """What stands in the list, line by line: a group's heading, or the place of a row."""
    lines, place = list[str | int](), 0
    for heading, rows in groups:
        if heading:
            lines.append(heading)
        lines += range(place, place + len(rows))
        place += len(rows)
    return lines


def gap_of(width: int) -> int:
    """Cells between two columns."""
    return _GAP if width >= 60 else 1


def lay_out(table: Sequence[Sequence[str]], width: int, gap: int = _GAP) -> list[tuple[int, int]]:
    """(column, its width) for what fits, in the order of HEADINGS; the needed ones always."""
    wide = [max(cell_len(cells[at]) for cells in table) for at in range(len(HEADINGS))]
    least = {at: min(wide[at], _LEAST.get(at, wide[at])) for at in range(len(HEADINGS))}
    easy = {at: min(wide[at], _EASY.get(at, wide[at])) for at in range(len(HEADINGS))}
    easy[10] = min(wide[10], max(_EASY[10], width // 4))
    chosen = [*_NEEDED, *((HERE,) if any(cells[HERE] for cells in table[1:]) else ())]
    for at in _MORE:
        if sum(easy[c] + gap for c in (*chosen, at)) - gap <= width:
            chosen.append(at)
    widths = {at: least[at] for at in chosen}
    spare = width - sum(widths[at] + gap for at in chosen) + gap
    for at, most in _GROWS:
        if at in widths:
            more = max(0, min(spare, min(wide[at], most) - widths[at]))
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
