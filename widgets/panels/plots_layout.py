"""Where the plots of a panel stand: what decided first and twice as large, the rest beside it."""

from __future__ import annotations

from typing import Final

import msgspec

from widgets.plots.axes import Box

_ROW: Final = 132
"""From this width on the plots stand in one row."""
_BESIDE: Final = 84
"""From this width on the first has the others at its right, one below the other."""
_BESIDE_IT: Final = ((15, 3), (12, 2), (0, 1))
"""From how many rows on how many stand beside the first, below each other."""
MOST: Final = 4
_STACKED: Final = ((34, MOST), (14, 2), (0, 1))
"""From how many rows on how many plots stand below each other."""


class Tile(msgspec.Struct, frozen=True):
    """The place of one plot. `heading`: the row of its heading; None: the panel's frame has it."""

    box: Box
    heading: int | None


def lay_out_plots(width: int, height: int, *, is_framed: bool) -> tuple[Tile, ...]:
    """The tiles of one to four plots in `width` × `height` cells, all on one time.

    Those below each other share the time axis of the lowest. The heading of the first is in the
    frame, where there is one (`is_framed`).
    """
    if width < 1 or height < 1:
        return ()
    if width >= _ROW:
        return _in_a_row(width, height, is_framed=is_framed)
    if width >= _BESIDE:
        count = next(count for least, count in _BESIDE_IT if height >= least)
        beside = _stack(width * 2 // 3 + 1, width, height, count, 1)
        first = Tile(_below_heading(0, 0, width * 2 // 3, height, is_framed), _row(0, is_framed))
        return (first, *beside)
    count = next(count for least, count in _STACKED if height >= least)
    return _stack(0, width, height, count, 2, is_framed=is_framed)


def _in_a_row(width: int, height: int, *, is_framed: bool) -> tuple[Tile, ...]:
    """The first twice as wide as each of the others; a cell of air between two."""
    unit = (width + 1) // (MOST + 1)
    first = width - (MOST - 1) * unit
    return (
        Tile(_below_heading(0, 0, first, height, is_framed), _row(0, is_framed)),
        *(
            Tile(_below_heading(x, 0, unit - 1, height, framed=False), 0)
            for x in range(first + 1, width, unit)
        ),
    )


def _stack(
    x: int, end: int, height: int, count: int, first: int, *, is_framed: bool = False
) -> tuple[Tile, ...]:
    """`count` plots below each other, the uppermost `first` times as high; one time axis."""
    tiles: list[Tile] = []
    parts = count - 1 + first
    y = 0
    for index in range(count):
        below = height if index == count - 1 else height * (index + first) // parts
        framed = is_framed and index == 0
        box = _below_heading(x, y, end - x, below - y, framed)
        is_lowest = index == count - 1
        tiles.append(Tile(msgspec.structs.replace(box, with_time=is_lowest), _row(y, framed)))
        y = below
    return tuple(tiles)


def _below_heading(x: int, y: int, width: int, height: int, framed: bool) -> Box:
    top = 0 if framed else 1
    return Box(x, y + top, width, max(0, height - top))


def _row(y: int, framed: bool) -> int | None:
    return None if framed else y
