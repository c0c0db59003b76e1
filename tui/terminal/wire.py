"""Only what differs goes over the line: a shadow of the terminal's cells, and updates against it.

Textual writes whole regions, each run of one style with all its colours and a reset, whether or not
the cells already look so. A plot that moves by one column is then several kilobytes a second, most
of them for cells that stay as they are. `Wire` remembers what it last wrote to each cell and writes
the cells that differ, with the colours that differ. Measured at 160×48 on a scripted cloud at ×60,
one snapshot a second: 7 800 bytes a second with Textual's updates cropped to their regions, 780
through here; at 80×24 2 650 and 380.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
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
_style_of = itemgetter(1)
SHORT_GAP = 4
"""So few alike cells between two changes are written again rather than skipped."""


class Wire:
    """What the terminal shows, as far as it was written through here."""

    def __init__(self) -> None:
        self._rows: list[list[Cell | None]] = []

    def forget(self) -> None:
        """The terminal may show anything now: resized, suspended, scribbled on."""
        self._rows = []

    def shorten(self, update: CompositorUpdate) -> CompositorUpdate:
        """The same picture in fewer bytes; other kinds of updates stay as they are."""
        if isinstance(update, LayoutUpdate):
            return Difference(self, list(_pieces_of_layout(update)))
        if isinstance(update, ChopsUpdate):
            return Difference(self, list(_pieces_of_chops(update)))
        self.forget()
        return update

    def encode(self, pieces: Iterable[Piece], system: ColorSystem) -> str:
        """Escape sequences and text that bring the pieces to the terminal; ends in plain style."""
        writer = _Writer(system)
        for x, y, strip in pieces:
            row = self._row(y, x + strip.cell_length)
            self._write_changes(writer, row, x, y, _cells(strip))
        return writer.text()

    def _row(self, y: int, width: int) -> list[Cell | None]:
        while len(self._rows) <= y:
            self._rows.append([])
        row = self._rows[y]
        row.extend([None] * (width - len(row)))
        return row

    def _write_changes(
        self, writer: _Writer, row: list[Cell | None], x: int, y: int, cells: list[Cell]
    ) -> None:
        known = row[x : x + len(cells)]
        if known == cells:
            return
        for start, end in _spans(known, cells):
            writer.move(x + start, y)
            writer.put(cells[start:end])
        row[x : x + len(cells)] = cells


class Difference(CompositorUpdate):
    """An update that is worked out when it is written, against what is on the terminal then."""

    def __init__(self, wire: Wire, pieces: list[Piece]) -> None:
        self._wire = wire
        self._pieces = pieces

    def render_segments(self, console: Console) -> str:
        """Escape sequences and text."""
        return self._wire.encode(self._pieces, console._color_system or ColorSystem.TRUECOLOR)


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
        for style, run in groupby(cells, key=_style_of):
            text = "".join([char for char, _ in run])
            pen = PLAIN if style is None else pen_of(style, self._system)
            if text and pen is not self._pen and pen != self._pen:
                self._sent.append(transition(self._pen, pen))
                self._pen = pen
            self._point_to(style.link or "" if style is not None else "")
            self._sent.append(text)
        self._at = (self._at[0] + len(cells), self._at[1])

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
    """From one pen to another; only what differs, unless an attribute has to end."""
    ended = pen[0] - wanted[0]
    base = PLAIN if ended else pen
    codes = [
        *sorted(wanted[0] - base[0]),
        *(w for b, w in zip(base[1:], wanted[1:], strict=True) if b != w),
    ]
    return f"\x1b[{';'.join(['', *codes] if ended else codes)}m"


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


def _cells(strip: Strip) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii():
            cells.extend((char, style) for char in text)
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
