"""Severity and side are told apart in every theme, however few colours the terminal has."""

from __future__ import annotations

from itertools import combinations

import msgspec
import pytest
from rich.color import ColorSystem
from rich.style import Style

from canary.rollout.decision.gates import VERDICT_GLYPHS, VERDICT_WORDS
from canary.rollout.decision.tree import SEVERITY
from themes import PALETTES, choose_theme, make_themes, palette_of

SYSTEMS = (ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT, ColorSystem.STANDARD)
COLOURED = [name for name in PALETTES if name != "mono"]


def look(style: Style, system: ColorSystem | None) -> tuple[object, ...]:
    """What a terminal shows of a style: its colour after the downgrade, and its attributes."""
    color = None
    if system is not None and style.color is not None:
        color = tuple(style.color.downgrade(system).get_ansi_codes())
    return color, style.bold, style.underline, style.reverse, style.italic, style.dim


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.name)
@pytest.mark.parametrize("name", PALETTES)
def test_verdicts_are_pairwise_distinct(name: str, system: ColorSystem) -> None:
    styles = {v: look(PALETTES[name].verdict(v), system) for v in SEVERITY}
    for one, other in combinations(styles, 2):
        assert styles[one] != styles[other], (one, other)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.name)
@pytest.mark.parametrize("name", COLOURED)
def test_verdicts_differ_by_colour_alone_or_by_reversal(name: str, system: ColorSystem) -> None:
    styles = {v: look(PALETTES[name].verdict(v), system) for v in SEVERITY}
    for one, other in combinations(styles, 2):
        same_colour = styles[one][0] == styles[other][0]
        reversed_apart = styles[one][3] != styles[other][3]
        assert not same_colour or reversed_apart, (one, other)


def test_verdicts_are_distinct_without_any_colour_by_glyph_and_by_word() -> None:
    assert len(set(VERDICT_GLYPHS.values())) == len(SEVERITY)
    assert len(set(VERDICT_WORDS.values())) == len(SEVERITY)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda s: s.name)
@pytest.mark.parametrize("name", PALETTES)
def test_the_two_sides_are_distinct(name: str, system: ColorSystem) -> None:
    palette = PALETTES[name]
    assert look(palette.legacy, system) != look(palette.canary, system)


@pytest.mark.parametrize("name", COLOURED)
def test_the_sides_differ_by_colour_at_sixteen_colours(name: str) -> None:
    palette = PALETTES[name]
    one, other = (look(s, ColorSystem.STANDARD) for s in (palette.legacy, palette.canary))
    assert one[0] != other[0]


@pytest.mark.parametrize("name", COLOURED)
def test_warning_and_critical_lines_are_distinct_at_sixteen_colours(name: str) -> None:
    palette = PALETTES[name]
    lines = (palette.warning_line, palette.critical_line)
    one, other = (look(s, ColorSystem.STANDARD) for s in lines)
    assert one[0] != other[0]


def test_mono_uses_no_colour_at_all() -> None:
    mono = PALETTES["mono"]
    styles = [value for value in msgspec.structs.astuple(mono) if isinstance(value, Style)]
    assert styles
    assert all(style.color is None and style.bgcolor is None for style in styles)


def test_there_is_a_theme_for_each_palette() -> None:
    assert [theme.name for theme in make_themes()] == list(PALETTES)


def test_an_unknown_theme_gets_the_dark_palette() -> None:
    assert palette_of("textual-light") is PALETTES["dark"]


@pytest.mark.parametrize(
    ("wanted", "environ", "chosen"),
    [
        ("light", {}, ("light", None)),
        ("light", {"NO_COLOR": "1"}, ("mono", True)),
        ("light", {"NO_COLOR": ""}, ("light", None)),
        ("no such theme", {}, ("dark", None)),
    ],
)
def test_no_color_means_mono_with_the_terminals_own_colours(
    wanted: str, environ: dict[str, str], chosen: tuple[str, bool | None]
) -> None:
    assert choose_theme(wanted, environ) == chosen
