"""The five themes: dark, light, high contrast, colour-blind safe and mono.

Colours are those of the 256-colour cube or next to one, so that a terminal without truecolor
(OpenSSH does not forward COLORTERM) shows the same. They were searched for by what tests/themes
measures: contrast with the ground, and how far the two alarms and Canary are apart for every kind
of colour blindness, at truecolor, 256 and 16 colours. Textual's own themes make warning and error
the same at 16.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.theme import Theme

from themes.palette import Palette


def _style(color: str | None = None, **attributes: bool) -> Style:
    # Rich reads None as "not set"; a role that must not inherit an attribute never mixes with one.
    return Style(color=color, **attributes)  # type: ignore[arg-type]


_LIGHT_PINK = "#ffa9ff"
"""#ffafff at 256 colours; a shade darker, or 16 colours would show it as white."""

DARK = Palette(
    name="dark",
    dark=True,
    text=_style("#d0d0d0"),
    strong=_style("#eeeeee", bold=True),
    dim=_style("#9e9e9e"),
    quiet=_style("#808080"),
    ok=_style("#5fd787"),
    watch=_style("#ffff5f"),
    alarm=_style("#ff005f", bold=True),
    roll_back=_style("#ff005f", bold=True, reverse=True),
    no_data=_style("#5fd7d7", italic=True),
    legacy=_style("#5f87af"),
    canary=_style(_LIGHT_PINK),
    warning_line=_style("#9e9e9e"),
    critical_line=_style("#eeeeee"),
    marker=_style("#9e9e9e"),
    masked=_style("#808080"),
    stale=_style("#5fafaf"),
    box=_style("#9e9e9e"),
    strip=_style("#eeeeee", bold=True),
    key=_style("#eeeeee", bold=True),
    key_off=_style("#808080"),
)

# On white no amber is at once readable and far from a red for somebody without red or green cones:
# there a warning is black on amber.
LIGHT = Palette(
    name="light",
    dark=False,
    text=_style("#303030"),
    strong=_style("#080808", bold=True),
    dim=_style("#626262"),
    quiet=_style("#767676"),
    ok=_style("#008700"),
    watch=Style(color="#080808", bgcolor="#ffd700"),
    alarm=_style("#af0000", bold=True),
    roll_back=_style("#af0000", bold=True, reverse=True),
    no_data=_style("#005f5f", italic=True),
    legacy=_style("#000087"),
    canary=_style("#8700af"),
    warning_line=_style("#767676"),
    critical_line=_style("#080808"),
    marker=_style("#626262"),
    masked=_style("#767676"),
    stale=_style("#005f5f"),
    box=_style("#626262"),
    strip=_style("#080808", bold=True),
    key=_style("#080808", bold=True),
    key_off=_style("#626262"),
)

HIGH_CONTRAST = Palette(
    name="high-contrast",
    dark=True,
    text=_style("#ffffff"),
    strong=_style("#ffffff", bold=True),
    dim=_style("#d0d0d0"),
    quiet=_style("#a8a8a8"),
    ok=_style("#00ff00"),
    watch=_style("#ffff00"),
    alarm=_style("#ff005f", bold=True, underline=True),
    roll_back=_style("#ff005f", bold=True, reverse=True),
    no_data=_style("#00ffff", italic=True),
    legacy=_style("#5fafd7"),
    canary=_style(_LIGHT_PINK, bold=True),
    warning_line=_style("#d0d0d0"),
    critical_line=_style("#ffffff"),
    marker=_style("#ffffff"),
    masked=_style("#a8a8a8"),
    stale=_style("#00ffff"),
    box=_style("#d0d0d0"),
    strip=_style("#ffffff", bold=True),
    key=_style("#ffffff", bold=True),
    key_off=_style("#a8a8a8"),
)

# Yellow, red and pink differ in lightness as well as in hue; the red is lighter than elsewhere,
# since without red cones a pure one is nearly black; what is well has no hue at all.
COLOUR_BLIND = Palette(
    name="colour-blind",
    dark=True,
    text=_style("#d0d0d0"),
    strong=_style("#eeeeee", bold=True),
    dim=_style("#9e9e9e"),
    quiet=_style("#808080"),
    ok=_style("#eeeeee"),
    watch=_style("#ffff5f"),
    alarm=_style("#d7575f", bold=True),
    roll_back=_style("#d7575f", bold=True, reverse=True),
    no_data=_style("#5fd7d7", italic=True),
    legacy=_style("#5f87af"),
    canary=_style(_LIGHT_PINK),
    warning_line=_style("#9e9e9e"),
    critical_line=_style("#eeeeee"),
    marker=_style("#9e9e9e"),
    masked=_style("#808080"),
    stale=_style("#5fafaf"),
    box=_style("#9e9e9e"),
    strip=_style("#eeeeee", bold=True),
    key=_style("#eeeeee", bold=True),
    key_off=_style("#808080"),
)

MONO = Palette(
    name="mono",
    dark=True,
    text=_style(),
    strong=_style(bold=True),
    dim=_style(dim=True),
    quiet=_style(dim=True),
    ok=_style(),
    watch=_style(bold=True),
    alarm=_style(bold=True, underline=True),
    roll_back=_style(bold=True, reverse=True),
    no_data=_style(italic=True),
    legacy=_style(),
    canary=_style(bold=True),
    warning_line=_style(dim=True),
    critical_line=_style(),
    marker=_style(dim=True),
    masked=_style(dim=True),
    stale=_style(dim=True),
    box=_style(dim=True),
    strip=_style(bold=True),
    key=_style(bold=True),
    key_off=_style(dim=True),
    replay=_style(bold=True, underline=True),
)

PALETTES: dict[str, Palette] = {p.name: p for p in (DARK, LIGHT, HIGH_CONTRAST, COLOUR_BLIND, MONO)}
"""The palettes by the theme's name, in the order in which they are offered."""

_GROUNDS = {
    # name: (background, surface of strips and lists, border)
    "dark": ("#121212", "#080808", "#3a3a3a"),
    "light": ("#ffffff", "#eeeeee", "#bcbcbc"),
    "high-contrast": ("#000000", "#000000", "#d0d0d0"),
    "colour-blind": ("#121212", "#080808", "#3a3a3a"),
}


def palette_of(theme_name: str) -> Palette:
    """The palette that goes with a theme; the dark one for a theme that is not of this house."""
    return PALETTES.get(theme_name, DARK)


def make_themes() -> tuple[Theme, ...]:
    """The Textual themes, to be registered by the app; names are the keys of PALETTES.

    Each sets the CSS variables `$border` (quiet frames), `$strip-background` and `$title`.
    """
    return tuple(_mono(p) if p.name == "mono" else _coloured(p) for p in PALETTES.values())


def choose_theme(wanted: str, environ: Mapping[str, str]) -> tuple[str, bool | None]:
    """(theme name, `ansi_color` for App.__init__) for this terminal.

    With NO_COLOR in the environment (https://no-color.org: set and not empty) the answer is mono,
    and the app must be *built* with ansi_color=True: Textual picks its filters at construction,
    and NO_COLOR alone gives it truecolor greys.
    """
    if environ.get("NO_COLOR"):
        return "mono", True
    name = wanted if wanted in PALETTES else "dark"
    return name, None


def _hex(style: Style) -> str:
    color = style.bgcolor or style.color
    return color.name if color is not None else "ansi_default"


def _coloured(p: Palette) -> Theme:
    background, surface, border = _GROUNDS[p.name]
    return Theme(
        name=p.name,
        primary=_hex(p.strong),
        secondary=_hex(p.strong),
        accent=_hex(p.strong),
        success=_hex(p.ok),
        warning=_hex(p.watch),
        error=_hex(p.roll_back),
        foreground=_hex(p.text),
        background=background,
        surface=surface,
        panel=surface,
        dark=p.dark,
        variables={
            "border": border,
            "border-blurred": border,
            "strip-background": surface,
            "title": _hex(p.dim),
        },
    )


def _mono(p: Palette) -> Theme:
    plain = "ansi_default"
    return Theme(
        name=p.name,
        ansi=True,
        primary=plain,
        secondary=plain,
        accent=plain,
        success=plain,
        warning=plain,
        error=plain,
        foreground=plain,
        background=plain,
        surface=plain,
        panel=plain,
        boost=plain,
        dark=p.dark,
        variables={
            "ansi-background": "ansi_black",
            "ansi-foreground": "ansi_white",
            "border": plain,
            "border-blurred": plain,
            "strip-background": plain,
            "title": plain,
        },
    )
