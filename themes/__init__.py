"""The themes of the console: what a colour means, and five ways to draw it.

In: the theme that the plan asks for, and the terminal's environment. Out: a `Palette` of roles that
widgets draw with, and Textual's themes. Door: the names below, and `themes.palette` for its types.
"""

from __future__ import annotations

from themes.library import PALETTES, choose_theme, make_themes, palette_of
from themes.palette import Palette

__all__ = ["PALETTES", "Palette", "choose_theme", "make_themes", "palette_of"]
