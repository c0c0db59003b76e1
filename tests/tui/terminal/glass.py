"""A terminal that understands what the wire sends, and nothing more."""

from __future__ import annotations

import re

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.style import Style

from tui.terminal.wire import Pen, pen_of

SYSTEM = ColorSystem.EIGHT_BIT
TOKEN = re.compile(r"\x1b\[([\d;]*)([A-Za-z])|(.)", re.DOTALL)

ENDED = {
    "22": frozenset("12"),
    **{f"2{code}": frozenset(code) for code in "34579"},
}


class Glass:
    """`cells` holds a character and its pen for each (x, y); blank and plain at first."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        plain = pen_of(Style(), SYSTEM)
        self.cells = {(x, y): (" ", plain) for x in range(width) for y in range(height)}

    def feed(self, data: str) -> None:
        x = y = 0
        pen = pen_of(Style(), SYSTEM)
        for codes, final, char in TOKEN.findall(data):
            if char:
                self.cells[x, y] = (char, pen)
                x += 1
                if get_character_cell_size(char) == 2:
                    self.cells[x, y] = ("", pen)
                    x += 1
            elif final == "H":
                row, _, column = codes.partition(";")
                x, y = int(column or 1) - 1, int(row or 1) - 1
            elif final == "C":
                x += int(codes or 1)
            elif final == "K":
                for rest in range(x, self.width):
                    self.cells[rest, y] = (" ", (frozenset(), "39", pen[2]))
            elif final == "m":
                pen = colour(pen, codes)

    def text(self) -> str:
        """What is shown, without colours, each row right-stripped."""
        rows = ("".join(self.cells[x, y][0] for x in range(self.width)) for y in range(self.height))
        return "\n".join(row.rstrip() for row in rows)


def visible(cell: tuple[str, Pen]) -> tuple[str, Pen]:
    """What a person sees of a cell: of a blank its ground, and lines drawn through it."""
    char, (attributes, _, ground) = cell
    shown = attributes & frozenset("4579")
    if char != " " or shown:
        return cell
    return char, (shown, "39", ground)


def colour(pen: Pen, codes: str) -> Pen:
    attributes, front, ground = pen
    parts = re.findall(r"[34]8;5;\d+|[34]8;2;\d+;\d+;\d+|\d+|(?:^)(?=;|$)", codes)
    for part in parts or [""]:
        if part in ("", "0"):
            attributes, front, ground = frozenset(), "39", "49"
        elif part in ENDED:
            attributes -= ENDED[part]
        elif part[0] in "39" and len(part) > 1:
            front = part
        elif part[0] in "41" and len(part) > 1:
            ground = part
        else:
            attributes |= {part}
    return attributes, front, ground
