"""The last line: the keys; and the row of panel names where one panel shows at a time."""

from __future__ import annotations

import msgspec

from themes import Palette
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, bound


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

    hints: bound[tuple[KeyHint, ...]] = bound(())

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


class PanelTabs(CellWidget):
    """The names of the panels; the present one in brackets, not marked by colour alone.

    `note` is what the present one's numbers are over; it stands at the end where there is room.
    """

    DEFAULT_CSS = """
    PanelTabs { height: 1; }
    """

    names: bound[tuple[str, ...]] = bound(())
    current: bound[str] = bound("")
    note: bound[str] = bound("")

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
        if len(self.note) < canvas.width - x:
            canvas.right(0, self.note, palette.dim)
