"""The themes of the console: what a colour means, and five ways to draw it."""

from __future__ import annotations

from themes.library import PALETTES, choose_theme, make_themes, palette_of
from themes.palette import Palette

__all__ = ["PALETTES", "Palette", "choose_theme", "make_themes", "palette_of"]
