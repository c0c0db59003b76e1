"""A grid of cells to draw on: text in, rows of styled runs out. Knows no widget and no terminal.

Coordinates are (x, y) from the top left. Whatever lies outside is left out silently, so drawing
code needs no size checks; text that does not fit is cut with "…", so that a cut is always seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from rich.style import Style

CUT = "…"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BLANK = Style.null()

Run = tuple[str, Style]
"""A piece of text and its style."""


@lru_cache(2048)
def cut_text(text: str, width: int) -> str:
    """`text` in at most `width` cells; what is cut off leaves the mark "…"."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    kept, used = "", 0
    for char in text:
        size = get_character_cell_size(char)
        if used + size > width - 1:
            break
        kept += char
        used += size
    return kept.rstrip() + CUT


@lru_cache(512)
def cut_middle(text: str, width: int) -> str:
    """`text` in at most `width` cells; of a longer one begin and end stay around the mark "…"."""
    if cell_len(text) <= width or width < 3:
        return cut_text(text, width)
    tail, used = "", 0
    for char in reversed(text):
        size = get_character_cell_size(char)
        if used + size > (width - 1) // 2:
            break
        tail = char + tail
        used += size
    return cut_text(text, width - used).rstrip() + tail


def cut_front(text: str, width: int) -> str:
    """`text` in at most `width` cells; of a longer one the end stays behind the mark "…"."""
    if cell_len(text) <= width or width < 1:
        return cut_text(text, width)
    kept, used = "", 0
    for char in reversed(text):
        size = get_character_cell_size(char)
        if used + size > width - 1:
            break
        kept = char + kept
        used += size
    return CUT + kept


@lru_cache(2048)
def is_narrow(text: str) -> bool:
    """Whether each character takes one cell: nearly always, and then nothing is to be measured."""
    return all(get_character_cell_size(char) == 1 for char in text)


class Canvas:
    """`width` × `height` cells, blank at first. A wide character takes its cell and an empty."""

    __slots__ = ("chars", "height", "styles", "width")

    def __init__(self, width: int, height: int) -> None:
        self.width = max(0, width)
        self.height = max(0, height)
        self.chars: list[list[str]] = [[" "] * self.width for _ in range(self.height)]
        self.styles: list[list[Style]] = [[_BLANK] * self.width for _ in range(self.height)]

    def put(self, x: int, y: int, char: str, style: Style) -> None:
        """One character of one cell."""
        if 0 <= x < self.width and 0 <= y < self.height:
            self.chars[y][x] = char
            self.styles[y][x] = style

    def text(self, x: int, y: int, text: str, style: Style, width: int | None = None) -> int:
        """Write `text` at (x, y), cut to `width` cells (or the right edge); returns the next x."""
        room = self.width - x if width is None else min(width, self.width - x)
        if room <= 0 or not 0 <= y < self.height or x < 0:
            return x
        shown = cut_text(text, room)
        if is_narrow(shown):
            end = x + len(shown)
            self.chars[y][x:end] = shown
            self.styles[y][x:end] = [style] * len(shown)
            return end
        for char in shown:
            size = get_character_cell_size(char)
            if size == 0:
                continue
            self.put(x, y, char, style)
            if size == 2:
                self.put(x + 1, y, "", style)
            x += size
        return x

    def right(self, y: int, text: str, style: Style, end: int | None = None) -> int:
        """Write `text` to end before column `end` (the right edge); returns its first x."""
        last = self.width if end is None else end
        x = max(0, last - cell_len(text))
        self.text(x, y, text, style, last - x)
        return x

    def runs(self, x: int, y: int, runs: Iterable[Run], width: int | None = None) -> int:
        """Write runs one after the other within `width` cells; returns the next x."""
        end = self.width if width is None else min(self.width, x + width)
        pieces = [(text, style, cell_len(text)) for text, style in runs if text]
        more = sum(size for _, _, size in pieces)
        for text, style, size in pieces:
            more -= size
            room = end - x
            if size + more > room and size >= room:
                # The rest would vanish without a mark if this piece just fitted.
                mark = text if size > room else text + " "
                return self.text(x, y, mark if more else text, style, room)
            x = self.text(x, y, text, style, room)
        return x

    def bar(self, x: int, y: int, width: int, fraction: float, full: Style, empty: Style) -> None:
        """A bar as `bar_runs` makes it, over what was there; what lies outside is left out."""
        for text, style in bar_runs(width, fraction, full, empty):
            for char in text:
                self.put(x, y, char, style)
                x += 1

    def lines(self) -> list[str]:
        """The characters alone, a line a row, right-stripped; for tests and for copying."""
        return ["".join(row).rstrip() for row in self.chars]

    def segments(
        self, y: int, ground: Style = _BLANK, first: int = 0, end: int | None = None
    ) -> list[Segment]:
        """Row `y` from column `first` to before `end` (the right edge) as segments on `ground`,
        neighbours of one style joined.
        """
        return join_runs(self.chars[y][first:end], self.styles[y][first:end], ground)


def join_runs(
    chars: Sequence[str], styles: Sequence[Style], ground: Style = _BLANK
) -> list[Segment]:
    """Join neighbouring cells of one style into segments on `ground`; empty input gives none."""
    segments: list[Segment] = []
    start = 0
    for _, cells in groupby(styles, id):
        end = start + len(list(cells))
        segments.append(Segment("".join(chars[start:end]), on_ground(ground, styles[start])))
        start = end
    return segments


@lru_cache(1024)
def on_ground(ground: Style, style: Style) -> Style:
    """`style` over a background; worked out once for each pair."""
    return ground + style


def bar_runs(width: int, fraction: float, full: Style, empty: Style) -> list[Run]:
    """A bar of `width` cells filled to `fraction` (held to 0…1), in eighths of a cell.

    More than nothing is always seen: it fills at least an eighth of a cell.
    """
    if width <= 0:
        return []
    held = min(1.0, max(0.0, fraction))
    eighths = max(1, round(held * width * 8)) if held > 0 else 0
    whole, rest = divmod(eighths, 8)
    filled = "█" * whole + (_EIGHTHS[rest] if rest else "")
    return [(filled, full), ("░" * (width - len(filled)), empty)]


def width_of(runs: Iterable[Run]) -> int:
    """How many cells the runs take."""
    return sum(cell_len(text) for text, _ in runs)
