"""The five themes: dark, light, high contrast, colour-blind safe and mono.

Colours are taken from the 256-colour cube, so that a terminal without truecolor (OpenSSH does not
forward COLORTERM) shows the very same ones. For 16 colours they were chosen so that Rich's nearest
match keeps the verdicts, and the two sides, apart; tests/themes proves it. Textual's own themes
make warning and error the same there.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.theme import Theme

from themes.palette import Palette


def _style(color: str | None = None, **attributes: bool) -> Style:
    # Rich reads None as "not set"; a role that must not inherit an attribute never mixes with one.
    return Style(color=color, **attributes)  # type: ignore[arg-type]


DARK = Palette(
    name="dark",
    dark=True,
    text=_style("#d0d0d0"),
    strong=_style("#eeeeee", bold=True),
    dim=_style("#949494"),
    quiet=_style("#585858"),
    ok=_style("#5fd787"),
    watch=_style("#ffd75f"),
    step_back=_style("#d78700", bold=True),
    roll_back=_style("#ff5f5f", bold=True, reverse=True),
    no_data=_style("#5fd7d7", italic=True),
    legacy=_style("#5f87ff"),
    canary=_style("#ff87d7"),
    legacy_fill=_style("#5f5f87"),
    warning_line=_style("#af8700"),
    critical_line=_style("#d75f5f"),
    marker=_style("#949494"),
    masked=_style("#4e4e4e"),
    stale=_style("#5f8787"),
    notice=_style("#ffd75f", bold=True),
    strip=_style("#eeeeee", bold=True),
    key=_style("#eeeeee", bold=True),
    key_off=_style("#585858"),
)

LIGHT = Palette(
    name="light",
    dark=False,
    text=_style("#303030"),
    strong=_style("#080808", bold=True),
    dim=_style("#626262"),
    quiet=_style("#a8a8a8"),
    ok=_style("#008700"),
    watch=_style("#875f00"),
    step_back=_style("#d7005f", bold=True),
    roll_back=_style("#af0000", bold=True, reverse=True),
    no_data=_style("#008787", italic=True),
    legacy=_style("#0000d7"),
    canary=_style("#af00af"),
    legacy_fill=_style("#afafd7"),
    warning_line=_style("#af8700"),
    critical_line=_style("#d70000"),
    marker=_style("#626262"),
    masked=_style("#bcbcbc"),
    stale=_style("#5f8787"),
    notice=_style("#875f00", bold=True),
    strip=_style("#080808", bold=True),
    key=_style("#080808", bold=True),
    key_off=_style("#a8a8a8"),
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
    step_back=_style("#ff8700", bold=True, underline=True),
    roll_back=_style("#ff0000", bold=True, reverse=True),
    no_data=_style("#ffffff", italic=True),
    legacy=_style("#00ffff"),
    canary=_style("#ff00ff", bold=True),
    legacy_fill=_style("#005f5f"),
    warning_line=_style("#ffff00"),
    critical_line=_style("#ff0000"),
    marker=_style("#ffffff"),
    masked=_style("#a8a8a8"),
    stale=_style("#ffffff"),
    notice=_style("#ffff00", bold=True),
    strip=_style("#ffffff", bold=True),
    key=_style("#ffffff", bold=True),
    key_off=_style("#a8a8a8"),
)

# Blue, yellow, orange and a reversed vermilion differ in lightness as well as in hue, for all
# common kinds of colour blindness (after Okabe and Ito, "Color Universal Design", 2008).
COLOUR_BLIND = Palette(
    name="colour-blind",
    dark=True,
    text=_style("#d0d0d0"),
    strong=_style("#eeeeee", bold=True),
    dim=_style("#949494"),
    quiet=_style("#585858"),
    ok=_style("#5fafff"),
    watch=_style("#ffff5f"),
    step_back=_style("#d78700", bold=True),
    roll_back=_style("#ff5f00", bold=True, reverse=True),
    no_data=_style("#e4e4e4", italic=True),
    legacy=_style("#5f87d7"),
    canary=_style("#ffaf00"),
    legacy_fill=_style("#5f5f87"),
    warning_line=_style("#afaf5f"),
    critical_line=_style("#d75f00"),
    marker=_style("#949494"),
    masked=_style("#4e4e4e"),
    stale=_style("#949494"),
    notice=_style("#ffff5f", bold=True),
    strip=_style("#eeeeee", bold=True),
    key=_style("#eeeeee", bold=True),
    key_off=_style("#585858"),
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
    step_back=_style(bold=True, underline=True),
    roll_back=_style(bold=True, reverse=True),
    no_data=_style(italic=True),
    legacy=_style(),
    canary=_style(bold=True),
    legacy_fill=_style(dim=True),
    warning_line=_style(dim=True),
    critical_line=_style(),
    marker=_style(dim=True),
    masked=_style(dim=True),
    stale=_style(dim=True),
    notice=_style(bold=True, reverse=True),
    strip=_style(bold=True),
    key=_style(bold=True),
    key_off=_style(dim=True),
)

PALETTES: dict[str, Palette] = {p.name: p for p in (DARK, LIGHT, HIGH_CONTRAST, COLOUR_BLIND, MONO)}
"""The palettes by the theme's name, in the order in which they are offered."""

_GROUNDS = {
    # name: (background, raised surface, border)
    "dark": ("#121212", "#1c1c1c", "#3a3a3a"),
    "light": ("#ffffff", "#eeeeee", "#bcbcbc"),
    "high-contrast": ("#000000", "#000000", "#d0d0d0"),
    "colour-blind": ("#121212", "#1c1c1c", "#3a3a3a"),
}


def palette_of(theme_name: str) -> Palette:
    """The palette that goes with a theme; the dark one for a theme that is not of this house."""
    return PALETTES.get(theme_name, DARK)


def make_themes() -> tuple[Theme, ...]:
    """The Textual themes, to be registered by the app; names are the keys of PALETTES.

    Each sets the CSS variables `$border` (quiet frames), `$strip-background` and `$notice`.
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
    return style.color.name if style.color is not None else "ansi_default"


def _coloured(p: Palette) -> Theme:
    background, surface, border = _GROUNDS[p.name]
    return Theme(
        name=p.name,
        primary=_hex(p.legacy),
        secondary=_hex(p.canary),
        accent=_hex(p.canary),
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
            "notice": _hex(p.notice),
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
            "notice": plain,
            "title": plain,
        },
    )
