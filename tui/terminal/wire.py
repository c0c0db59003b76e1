"""Only what differs goes over the line: a shadow of the terminal's cells, and updates against it.

Textual writes whole regions, each run of one style with all its colours and a reset, whether or not
the cells already look so. A plot that moves by one column is then several kilobytes a second, most
of them for cells that stay as they are. `Wire` remembers what it last wrote to each cell and writes
the cells that differ, with the colours that differ. Measured at 160×48 on a scripted cloud at ×60,
one snapshot a second: 7 800 bytes a second with Textual's updates cropped to their regions, 780
through here; at 80×24 2 650 and 380.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import groupby, repeat
from operator import itemgetter

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

Pen = tuple[frozenset[str], str, str]
"""The codes of attributes, foreground and background that the terminal has now."""
Cell = tuple[str, Style | None]
"""A character and its style; the cell behind a wide character holds ""."""
Piece = tuple[int, int, Strip]
"""Column, row, and what is to be there."""

PLAIN: Pen = (frozenset(), "39", "49")
_ATTRIBUTES = (
    ("bold", "1"),
    ("dim", "2"),
    ("italic", "3"),
    ("underline", "4"),
    ("blink", "5"),
    ("reverse", "7"),
    ("strike", "9"),
)
_ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}
"""How an attribute ends alone; bold and dim end together."""
_SEEN_ON_BLANKS = frozenset({"4", "5", "7", "9"})
"""What shows where there is no character; of the colours only the ground does."""
_style_of = itemgetter(1)
SHORT_GAP = 4
"""So few alike cells between two changes are written again rather than skipped."""
SHORT_TAIL = 8
"""Fewer blanks than this at the end of a row are written; more are erased at once."""

_ERASING = ("xterm", "tmux", "alacritty", "foot", "rxvt", "linux", "konsole", "putty", "wezterm")
"""Terminals that erase in the present ground ("bce" in terminfo). GNU screen, which sets STY, does
not unless it is told to.
"""


def erases_in_colour(environ: Mapping[str, str]) -> bool:
    """Whether what this terminal erases has the present ground, and not the terminal's own."""
    return environ.get("TERM", "").startswith(_ERASING) and not environ.get("STY")


class Wire:
    """What the terminal shows, as far as it was written through here. `erases`: whether it erases
    in the present ground; where the ground is its own it always does.
    """

    def __init__(self, *, erases: bool = False) -> None:
        self._rows: list[list[Cell | None]] = []
        self._erases = erases

    def forget(self) -> None:
        """The terminal may show anything now: resized, suspended, scribbled on."""
        self._rows = []

    def shorten(self, update: CompositorUpdate, width: int) -> CompositorUpdate:
        """The same picture in fewer bytes on a terminal of `width` columns; other kinds of updates
        stay as they are.
        """
        if isinstance(update, Difference):
            return update
        if isinstance(update, LayoutUpdate):
            return Difference(self, list(_pieces_of_layout(update)), width)
        if isinstance(update, ChopsUpdate):
            return Difference(self, list(_pieces_of_chops(update)), width)
        self.forget()
        return update

    def encode(self, pieces: Iterable[Piece], system: ColorSystem, width: int = 0) -> str:
        """Escape sequences and text that bring the pieces to the terminal; ends in plain style.

        `width`: the terminal's columns, so that the end of a row is known; 0: they are not.
        """
        writer = _Writer(system)
        for x, y, strip in pieces:
            row, cells = self._row(y, x + strip.cell_length), _cells(strip)
            if cells and row[x : x + len(cells)].count(None) == len(cells):  # a first frame
                row[x : x + len(cells)] = cells
                writer.move(x, y)
                writer.put_runs(_runs(strip, cells), len(cells))
            else:
                self._write_changes(writer, row, x, y, cells, width)
        return writer.text()

    def _row(self, y: int, width: int) -> list[Cell | None]:
        while len(self._rows) <= y:
            self._rows.append([])
        row = self._rows[y]
        row.extend([None] * (width - len(row)))
        return row

    def _write_changes(
        self,
        writer: _Writer,
        row: list[Cell | None],
        x: int,
        y: int,
        cells: list[Cell],
        width: int,
    ) -> None:
        known = row[x : x + len(cells)]
        if known == cells:
            return
        row[x : x + len(cells)] = cells
        spans = _spans(known, cells)
        ending = len(row)
        if ending == width and known[-1] is not None:  # a first frame is written as it is
            ending = self._find_ending(writer, row, x, spans)
        for start, end in spans:
            if x + start < ending:
                writer.move(x + start, y)
                writer.put(cells[start : min(end, ending - x)])
        if ending < len(row):
            writer.move(ending, y)
            writer.erase(cells[-1][1])

    def _find_ending(
        self, writer: _Writer, row: list[Cell | None], x: int, spans: list[tuple[int, int]]
    ) -> int:
        """The cell from which on a row is to be erased to its end; its length where it is not."""
        last = row[-1]
        if last is None or last[0] != " ":
            return len(row)
        ground = writer.blank(last)
        if ground is None or not (self._erases or ground == PLAIN[2]):
            return len(row)
        at = len(row)
        for cell in reversed(row):
            if cell is not last and (
                cell is None or cell[0] != " " or writer.blank(cell) != ground
            ):
                break
            at -= 1
        blanks = [(max(at, x + start), x + end) for start, end in spans if x + end > at]
        if sum(end - start for start, end in blanks) < SHORT_TAIL:
            return len(row)
        return blanks[0][0]


class Difference(CompositorUpdate):
    """An update that is worked out when it is written, against what is on the terminal then."""

    def __init__(self, wire: Wire, pieces: list[Piece], width: int) -> None:
        self._wire = wire
        self._pieces = pieces
        self._width = width

    def render_segments(self, console: Console) -> str:
        """Escape sequences and text."""
        system = console._color_system or ColorSystem.TRUECOLOR
        return self._wire.encode(self._pieces, system, self._width)


class _Writer:
    """Collects what is to be sent and keeps the terminal's pen and cursor."""

    def __init__(self, system: ColorSystem) -> None:
        self._system = system
        self._sent: list[str] = []
        self._pen = PLAIN
        self._link = ""
        self._at = (-1, -1)

    def move(self, x: int, y: int) -> None:
        """Put the cursor there in the shortest way."""
        column, line = self._at
        if (x, y) == self._at:
            return
        if y == line and x - column > 0:
            self._sent.append(f"\x1b[{x - column}C" if x - column > 1 else "\x1b[C")
        else:
            self._sent.append(f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H")
        self._at = (x, y)

    def put(self, cells: list[Cell]) -> None:
        """Write cells from the cursor on; the second cell of a wide character writes nothing."""
        self.put_runs(_grouped(cells), len(cells))

    def put_runs(self, runs: Iterable[tuple[str, Style | None]], width: int) -> None:
        """Write texts that take up `width` cells together, each in another style than before."""
        for text, style in runs:
            pen = PLAIN if style is None else pen_of(style, self._system)
            if text and pen is not self._pen and pen != self._pen:
                self._take(pen, is_blank=text.isspace())
            self._point_to(style.link or "" if style is not None else "")
            self._sent.append(text)
        self._at = (self._at[0] + width, self._at[1])

    def _take(self, pen: Pen, *, is_blank: bool) -> None:
        """Take another pen; on blanks one that looks the same stays."""
        if (
            is_blank
            and pen[2] == self._pen[2]
            and _SEEN_ON_BLANKS.isdisjoint(pen[0] | self._pen[0])
        ):
            return
        self._sent.append(transition(self._pen, pen))
        self._pen = pen

    def blank(self, cell: Cell) -> str | None:
        """The ground of a blank cell of which nothing else shows; None where something does."""
        style = cell[1]
        pen = PLAIN if style is None else pen_of(style, self._system)
        plain = _SEEN_ON_BLANKS.isdisjoint(pen[0]) and not (style is not None and style.link)
        return pen[2] if plain else None

    def erase(self, style: Style | None) -> None:
        """Erase from the cursor to the end of the row, in the ground of a style."""
        self._take(PLAIN if style is None else pen_of(style, self._system), is_blank=True)
        self._point_to("")
        self._sent.append("\x1b[K")

    def _point_to(self, link: str) -> None:
        """Begin or end a hyperlink (OSC 8); whoever draws one knows that the terminal takes it."""
        if link != self._link:
            self._sent.append(f"\x1b]8;;{link}\x1b\\")
            self._link = link

    def text(self) -> str:
        """All that was collected; the pen is plain again behind it, and no link is open."""
        self._point_to("")
        if self._pen != PLAIN:
            self._sent.append("\x1b[m")
        return "".join(self._sent)


@lru_cache(4096)
def pen_of(style: Style, system: ColorSystem) -> Pen:
    """The codes of a style in what the terminal can show."""
    front, ground = style.color, style.bgcolor
    return (
        frozenset(code for name, code in _ATTRIBUTES if getattr(style, name)),
        ";".join(front.downgrade(system).get_ansi_codes()) if front else "39",
        ";".join(ground.downgrade(system).get_ansi_codes(foreground=False)) if ground else "49",
    )


@lru_cache(4096)
def transition(pen: Pen, wanted: Pen) -> str:
    """From one pen to another; only what differs, or all anew where that is shorter."""
    ends = {_ENDS[code] for code in pen[0] - wanted[0]}
    kept = frozenset(code for code in pen[0] if _ENDS[code] not in ends)
    codes = [*sorted(ends), *_codes((kept, *pen[1:]), wanted)]
    stepwise = f"\x1b[{';'.join(codes)}m"
    if not ends:
        return stepwise
    anew = f"\x1b[{';'.join(['', *_codes(PLAIN, wanted)])}m"
    return min(stepwise, anew, key=len)


def _codes(pen: Pen, wanted: Pen) -> list[str]:
    colours = (w for b, w in zip(pen[1:], wanted[1:], strict=True) if b != w)
    return [*sorted(wanted[0] - pen[0]), *colours]


def _spans(known: list[Cell | None], cells: list[Cell]) -> list[tuple[int, int]]:
    """From which cell to before which one to write, so that what is known becomes `cells`."""
    spans: list[tuple[int, int]] = []
    for index, (old, new) in enumerate(zip(known, cells, strict=True)):
        if old == new:
            continue
        if spans and index - spans[-1][1] < SHORT_GAP:
            spans[-1] = (spans[-1][0], index + 1)
        else:
            # Half of a wide character cannot be written.
            spans.append((index - 1 if new[0] == "" and index else index, index + 1))
    return spans


def _grouped(cells: list[Cell]) -> Iterable[tuple[str, Style | None]]:
    """The texts of cells, those of one style together."""
    for style, run in groupby(cells, key=_style_of):
        yield "".join([char for char, _ in run]), style


def _runs(strip: Strip, cells: list[Cell]) -> Iterable[tuple[str, Style | None]]:
    """The same of a strip that has these cells; what is ASCII is not taken apart for it."""
    segments = [segment for segment in strip if not segment.control and segment.text]
    if all(segment.text.isascii() for segment in segments):
        grouped = groupby(segments, key=_style_of)
        return [("".join([each.text for each in run]), style) for style, run in grouped]
    return _grouped(cells)


def _cells(strip: Strip) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii():
            cells.extend(zip(text, repeat(style)))
            continue
        for char in text:
            size = get_character_cell_size(char)
            if size == 0 and cells:
                # A combining mark belongs to the cell of the character before it.
                cells[-1] = (cells[-1][0] + char, cells[-1][1])
            elif size:
                cells.append((char, style))
                if size == 2:
                    cells.append(("", style))
    return cells


def _pieces_of_layout(update: LayoutUpdate) -> Iterable[Piece]:
    for y, line in enumerate(update.strips, update.region.y):
        x = update.region.x
        for strip in line:
            yield x, y, strip
            x += strip.cell_length


def _pieces_of_chops(update: ChopsUpdate) -> Iterable[Piece]:
    """What lies inside the spans. Textual writes from the left edge of each chop ("TODO: crop")."""
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= x2 or end <= x1:
                continue
            left, right = max(x, x1), min(end, x2)
            yield left, y, strip.crop(left - x, right - x)
