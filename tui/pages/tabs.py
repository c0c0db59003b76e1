"""The row of panel names where one panel shows at a time."""

from __future__ import annotations

from themes import Palette
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, drawn


class PanelTabs(CellWidget):
    """The names of the panels; the present one in brackets, not marked by colour alone."""

    DEFAULT_CSS = """
    PanelTabs { height: 1; }
    """

    names: drawn[tuple[str, ...]] = drawn(())
    current: drawn[str] = drawn("")

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """All names, or the present one with its place among the others where they do not fit."""
        if sum(len(n) + 2 for n in self.names) > canvas.width:
            place = self.names.index(self.current) + 1 if self.current in self.names else 0
            canvas.runs(
                0,
                0,
                [
                    (f"[{self.current}]", palette.strong),
                    (f" {place} of {len(self.names)}, tab", palette.dim),
                ],
            )
            return
        x = 0
        for name in self.names:
            chosen = name == self.current
            x = canvas.text(
                x,
                0,
                f"[{name}]" if chosen else f" {name} ",
                palette.strong if chosen else palette.dim,
            )
