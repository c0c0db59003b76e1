"""What the tree says: glyph, word and colour, with the reason."""

from __future__ import annotations

from canary.rollout.snapshot import Snapshot
from themes import Palette
from widgets.canvas import Canvas
from widgets.cells import CellWidget, drawn


class VerdictLine(CellWidget):
    """What the tree says: glyph, word and colour, with the reason."""

    snapshot: drawn[Snapshot | None] = drawn(None)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Not drawn yet."""
        canvas.text(0, 0, "not drawn yet", palette.dim)
