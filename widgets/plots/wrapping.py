"""Styled text over several rows: broken between words, and nothing of it cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rich.cells import cell_len
from rich.style import Style

from widgets.plots.canvas import Run

_GAP: Final = "   "
INDENT: Final = "  "
"""Begins each row of a text after its first."""
_TIED: Final = re.compile(r"(?<=\d) (?=(?:%|ms|[smhd])(?:[\s,;.:)]|$))|(?<=[<>≤≥]) ")
"""A space that no row is broken at: between a number and its unit, behind a sign."""


def wrap_runs(parts: Iterable[list[Run]], width: int) -> list[list[Run]]:
    """Parts one after the other in rows of `width` cells, broken between words, nothing cut.

    A part that does not fit into the rest of a row begins the next one where it fits there whole,
    or where little is left; rows after the first are indented by two. A word wider than a row is
    broken in itself.
    """
    rows: list[list[Run]] = [[]]
    used, is_bare = 0, True
    for part in parts:
        size = sum(cell_len(text) for text, _ in part)
        first = "" if is_bare else _GAP
        does_fit, fits_below = used + len(first) + size <= width, size + len(INDENT) <= width
        if not is_bare and not does_fit and (fits_below or width - used < width // 2):
            rows.append([(INDENT, part[0][1])])
            used, is_bare, first = len(INDENT), True, ""
        for gap, word, style in _words(part, max(1, width - len(INDENT))):
            space = "" if is_bare else first or gap
            if not is_bare and used + len(space) + cell_len(word) > width:
                rows.append([(INDENT, style)])
                used, space = len(INDENT), ""
            rows[-1].append((space + word, style))
            used += len(space) + cell_len(word)
            is_bare, first = False, ""
    return rows


def _words(part: list[Run], width: int) -> Iterator[tuple[str, str, Style]]:
    """The words of a part: the space before it, the word, its style; too wide ones in pieces."""
    gap = ""
    for text, style in part:
        for index, word in enumerate(_TIED.sub("\N{NO-BREAK SPACE}", text).split(" ")):
            gap += " " if index else ""
            for piece in _pieces(word.replace("\N{NO-BREAK SPACE}", " "), width):
                yield gap, piece, style
                gap = ""


def _pieces(word: str, width: int) -> list[str]:
    """A word in pieces of at most `width` cells; none of an empty one."""
    if cell_len(word) <= width:
        return [word] if word else []
    pieces, piece = [], ""
    for char in word:
        if piece and cell_len(piece + char) > width:
            pieces.append(piece)
            piece = ""
        piece += char
    return [*pieces, piece] if piece else []
