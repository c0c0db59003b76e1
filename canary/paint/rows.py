"""What is said of a rollout while nothing is known of now: its words, and the first paint's rows.

Nothing here is green and nothing is red: what was last seen is not what is. The console's own
widgets show the same words in the same places until the first numbers come (`tui.app`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from canary.paint.last_seen import LastSeen
from canary.rollout.text import format_age, format_clock, format_timestamp

Role = Literal["strong", "dim", "no_data"]
"""The palette's name for how it is drawn."""
Run = tuple[str, Role]
Row = list[Run]

CUT: Final = "…"
NO_DATA: Final = "? NO DATA"
NOT_YET: Final = "not looked yet"
_GAP: Final = "   "
_INDENT: Final = "  "
_SAME_DAY_S: Final = 72_000.0
_NARROW: Final = 56
_LOW: Final = 18
"""Below this the console leaves the header and the stages out, as tui.pages.layout has it."""
_LEAST_HEIGHT: Final = 3


class Scene(NamedTuple):
    """Who, where and on whose cloud; and what was last seen of it, None for nothing."""

    names: str
    where: str
    is_local: bool
    seen: LastSeen | None = None


def format_seen(seen: LastSeen | None, now: float) -> tuple[str, ...]:
    """What was last seen, in parts that stand behind `NO_DATA`. `now`: this host's clock.

    A moment after `now` has no age: one of the clocks was set.
    """
    if seen is None:
        return (NOT_YET,)
    age_s = now - seen.seen_at
    is_today = 0 <= age_s < _SAME_DAY_S
    at = format_clock(seen.as_of) if is_today else format_timestamp(seen.as_of)
    aged = f"{format_age(age_s)} ago, " if age_s >= 0 else ""
    said = f"last seen {aged}as of {at}: {seen.state}"
    return (said, f"last change: {seen.change}") if seen.change else (said,)


def format_place(seen: LastSeen | None) -> str:
    """Where it stood when it was last seen: stage, share, soak."""
    if seen is None:
        return "stage not known"
    return "   ".join(filter(None, (f"last seen: {seen.split}", seen.soak)))


def lay_out(scene: Scene, size: tuple[int, int], now: float) -> dict[int, Row]:
    """Row of the terminal → runs, for `size` (columns, lines); nothing where there is no room."""
    width, height = size
    if width < len(NO_DATA) + 2 or height < _LEAST_HEIGHT:
        return {}
    tiny = width < _NARROW or height < _LOW
    room = width if tiny else width - 2
    parts = [NO_DATA, *format_seen(scene.seen, now)]
    state: list[Row] = [[(row, "no_data")] for row in wrap(parts, room)]
    place: Row = [(cut(format_place(scene.seen), room), "no_data")]
    names: Row = [(cut(scene.names, room), "dim")]
    rows = [*state, place, names] if tiny else [*_header(scene, room), place, *state]
    rows.append([(cut(_waiting(scene), room), "dim")])
    margin: Row = [] if tiny else [(" ", "dim")]
    return dict(enumerate([margin + row for row in rows[:height]]))


def _waiting(scene: Scene) -> str:
    return "Starting the local cloud …" if scene.is_local else "Connecting …"


def _header(scene: Scene, width: int) -> list[Row]:
    """Both services and that there is no data; project, region, whose cloud: one row or two."""
    local: Row = [(_GAP, "dim"), ("[LOCAL CLOUD]", "dim")] if scene.is_local else []
    where: Row = [(scene.where, "dim"), *local]
    none: Run = ("no data", "no_data")
    size = cells(scene.names) + len(_GAP) + _width(where)
    if size + 33 <= width:
        gap = " " * (width - size - len(none[0]))
        return [[(scene.names, "strong"), (_GAP, "dim"), *where, (gap, "dim"), none]]
    names = cut(scene.names, width - len(none[0]) - 1)
    gap = " " * (width - cells(names) - len(none[0]))
    left = width - _width(local)
    return [[(names, "strong"), (gap, "dim"), none], [(cut(scene.where, left), "dim"), *local]]


# Text in cells, without Rich: its tables are a tenth of a second away.


def cells(text: str) -> int:
    """How many cells a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cell, text))


def _cell(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _width(row: Row) -> int:
    return sum(cells(text) for text, _ in row)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells; what is cut off leaves a mark."""
    if cells(text) <= width:
        return text
    kept, used = "", 1
    for char in text:
        used += _cell(char)
        if used > width:
            break
        kept += char
    return kept.rstrip() + CUT if width > 0 else ""


def wrap(parts: Iterable[str], width: int) -> list[str]:
    """Parts one after the other, broken between words; rows after the first are indented by two.

    As `widgets.plots.wrapping` does it, but that a number may lose its unit to the next row.
    """
    rows, is_bare = [""], True
    for part in parts:
        gap, size, used = _GAP, cells(part), cells(rows[-1])
        does_fit, fits_below = used + len(_GAP) + size <= width, size + len(_INDENT) <= width
        if not is_bare and not does_fit and (fits_below or width - used < width // 2):
            rows.append(_INDENT)
            is_bare = True
        for word in part.split(" "):
            if not is_bare and cells(rows[-1]) + len(gap) + cells(word) > width:
                rows.append(_INDENT)
                is_bare = True
            rows[-1] = cut(rows[-1] + ("" if is_bare else gap) + word, width)
            is_bare, gap = False, " "
    return rows
