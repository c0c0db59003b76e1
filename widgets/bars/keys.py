"""The last line: the keys; and the row of panel names where one panel shows at a time."""

from __future__ import annotations

import msgspec

from themes import Palette
from widgets.plots.canvas import Canvas
from widgets.plots.cells import CellWidget, bound


class KeyHint(msgspec.Struct, frozen=True):
    """One key: what to press, what it does, whether it can now. `always`: kept when cut.

    `leads`: where the keys that have no room are found, if the line is cut.
    """

    key: str
    label: str
    enabled: bool = True
    always: bool = False
    leads: bool = False


class KeyBar(CellWidget):
    """The keys in one line. What does not fit is cut with "more: ?" (or "…" where no key leads to
    the rest); `always` keys are kept.
    """

    DEFAULT_CSS = """
    KeyBar { height: 1; }
    """

    hints: bound[tuple[KeyHint, ...]] = bound(())

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Key strong, label dim; both greyed when it can do nothing."""
        shown = _fit(self.hints, canvas.width)
        is_cut = len(shown) < len(self.hints)
        lead = next((h for h in shown if h.leads), None) if is_cut else None
        shown = [h for h in shown if h is not lead]
        x = 0
        for index, hint in enumerate(shown):
            if index:
                x += 2
            key, label = (
                (palette.key, palette.dim) if hint.enabled else (palette.key_off, palette.key_off)
            )
            gap = " " if hint.label else ""
            x = canvas.runs(x, 0, [(hint.key, key), (gap, label), (hint.label, label)])
        if lead is not None:
            canvas.runs(x + 2, 0, [("more: ", palette.dim), (lead.key, palette.key)])
        elif is_cut:
            canvas.text(min(x + 1, canvas.width - 1), 0, "…", palette.dim)


def _fit(hints: tuple[KeyHint, ...], width: int) -> list[KeyHint]:
    """As many as fit, in their order; those that are always wanted are reserved first.

    Where not even those have room, the longest word among them goes, but never the first one's.
    """
    sizes = {id(h): len(h.key) + len(h.label) + 3 for h in hints}
    if sum(sizes.values()) - 2 <= width:
        return list(hints)
    room = width - 1
    kept = [h for h in hints if h.always]
    if len(kept) > 2 and sum(sizes[id(h)] for h in kept) > room:
        longest = max((h for h in kept[1:] if not h.leads), key=lambda h: len(h.label))
        if longest.label:
            bare = msgspec.structs.replace(longest, label="")
            return _fit(tuple(bare if h is longest else h for h in hints), width)
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
