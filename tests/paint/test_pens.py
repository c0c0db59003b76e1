"""The pens of the first paint are those of the themes, at every number of colours."""

import pytest
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from canary.paint.pens import MONO, PENS, Depth, choose_pens, find_depth
from themes import PALETTES, choose_theme
from themes.library import _GROUNDS
from tui.terminal.wire import pen_of

SYSTEMS: dict[Depth, ColorSystem] = {
    "16": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
}


def codes(style: Style, system: ColorSystem) -> tuple[str, str]:
    attributes, front, ground = pen_of(style, system)
    front, ground = (
        (code.replace(plain, "") for code, plain in ((front, "39"), (ground, "49")))
        if (style.color is None)
        else (front, ground)
    )
    return ";".join(filter(None, [*sorted(attributes), front])), ground


@pytest.mark.parametrize("theme", sorted(PALETTES))
@pytest.mark.parametrize("depth", sorted(SYSTEMS))
def test_each_role_is_drawn_as_the_theme_draws_it(theme: str, depth: Depth) -> None:
    palette = PALETTES[theme]
    pens = MONO if theme == "mono" else PENS[theme][depth]
    ground = Style() if theme == "mono" else Style(bgcolor=_GROUNDS[theme][0])
    for role in ("strong", "dim", "no_data"):
        style = ground + getattr(palette, role)
        assert (getattr(pens, role), pens.ground) == codes(style, SYSTEMS[depth])
    assert palette.box == palette.dim  # the local cloud's box is drawn by it


@pytest.mark.parametrize(
    "environ",
    [
        {"TERM": "xterm-256color"},
        {"TERM": "xterm"},
        {"TERM": "linux"},
        {"TERM": "xterm-kitty"},
        {"TERM": "screen-256color", "COLORTERM": ""},
        {"TERM": "xterm-16color", "COLORTERM": "yes"},
        {"TERM": "xterm", "COLORTERM": "truecolor"},
        {"TERM": "xterm", "COLORTERM": " 24bit "},
    ],
)
def test_as_many_colours_are_found_as_rich_finds(environ: dict[str, str]) -> None:
    found = Console(force_terminal=True, _environ=environ).color_system
    assert find_depth(environ) == {"standard": "16"}.get(str(found), found)


@pytest.mark.parametrize("wanted", [*PALETTES, "no-theme"])
@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}, {"NO_COLOR": ""}])
def test_the_theme_is_chosen_as_the_screen_chooses_it(wanted: str, environ: dict[str, str]) -> None:
    name, _ = choose_theme(wanted, environ)
    expected = MONO if name == "mono" else PENS[name]["16"]
    assert choose_pens(wanted, environ) == expected
