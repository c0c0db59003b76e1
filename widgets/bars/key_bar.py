"""The last line: the keys, greyed where a key can do nothing now."""

from __future__ import annotations

import msgspec

from themes import Palette
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, drawn


class KeyHint(msgspec.Struct, frozen=True):
    """One key: what to press, what it does, whether it can now. `always`: kept when cut."""

    key: str
    label: str
    enabled: bool = True
    always: bool = False


class KeyBar(CellWidget):
    """The keys in one line. What does not fit is cut with "…"; `always` keys are kept."""

    DEFAULT_CSS = """
    KeyBar { height: 1; }
    """

    hints: drawn[tuple[KeyHint, ...]] = drawn(())

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Key strong, label dim; both greyed when it can do nothing."""
        shown = _fit(self.hints, canvas.width)
        x = 0
        for index, hint in enumerate(shown):
            if index:
                x += 2
            key, label = (
                (palette.key, palette.dim) if hint.enabled else (palette.key_off, palette.key_off)
            )
            x = canvas.runs(x, 0, [(hint.key, key), (" ", label), (hint.label, label)])
        if len(shown) < len(self.hints):
            canvas.text(min(x + 1, canvas.width - 1), 0, "…", palette.dim)


def _fit(hints: tuple[KeyHint, ...], width: int) -> list[KeyHint]:
    """As many as fit, in their order; those that are always wanted are reserved first."""
    sizes = {id(h): len(h.key) + len(h.label) + 3 for h in hints}
    if sum(sizes.values()) - 2 <= width:
        return list(hints)
    room = width - 2
    chosen: set[int] = set()
    for hint in sorted(hints, key=lambda h: not h.always):
        if sizes[id(hint)] <= room:
            chosen.add(id(hint))
            room -= sizes[id(hint)]
        elif not hint.always:
            break
    return [h for h in hints if id(h) in chosen]
