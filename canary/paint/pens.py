"""How a role is drawn in this terminal: the codes of the themes, without the themes.

`themes` needs Rich. A test holds this table and the palettes together, for every theme and every
number of colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Depth = Literal["16", "256", "truecolor"]


class Pens(NamedTuple):
    """SGR parameters of each role, and of the ground under all of them; "" is the terminal's."""

    strong: str
    dim: str
    no_data: str
    ground: str


MONO: Final = Pens("1", "2", "3", "")
_DARK: Final[dict[Depth, Pens]] = {
    "16": Pens("1;97", "37", "3;96", "40"),
    "256": Pens("1;38;5;254", "38;5;246", "3;38;5;80", "48;5;233"),
    "truecolor": Pens(
        "1;38;2;238;238;238", "38;2;158;158;158", "3;38;2;95;215;215", "48;2;18;18;18"
    ),
}
PENS: Final[dict[str, dict[Depth, Pens]]] = {
    "dark": _DARK,
    "light": {
        "16": Pens("1;30", "90", "3;90", "107"),
        "256": Pens("1;38;5;232", "38;5;241", "3;38;5;23", "48;5;231"),
        "truecolor": Pens("1;38;2;8;8;8", "38;2;98;98;98", "3;38;2;0;95;95", "48;2;255;255;255"),
    },
    "high-contrast": {
        "16": Pens("1;97", "37", "3;96", "40"),
        "256": Pens("1;38;5;231", "38;5;251", "3;38;5;51", "48;5;16"),
        "truecolor": Pens(
            "1;38;2;255;255;255", "38;2;208;208;208", "3;38;2;0;255;255", "48;2;0;0;0"
        ),
    },
    "colour-blind": _DARK,
}
"""Theme → how many colours there are → pens; "mono" is drawn by `MONO`."""

_DEPTHS: Final[dict[str, Depth]] = {"kitty": "256", "256color": "256"}


def choose_pens(theme: str, environ: Mapping[str, str]) -> Pens:
    """The pens of a theme in this terminal; the dark theme's for a name that is no theme's."""
    if environ.get("NO_COLOR") or theme == "mono":
        return MONO
    return PENS.get(theme, _DARK)[find_depth(environ)]


def find_depth(environ: Mapping[str, str]) -> Depth:
    """How many colours Rich finds here, since the screen will be drawn with as many."""
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return "truecolor"
    return _DEPTHS.get(environ.get("TERM", "").strip().lower().rpartition("-")[2], "16")
