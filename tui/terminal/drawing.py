"""Changed cells straight to the terminal: where a widget's spans are on it, and what is in them.

Textual's way for the same is a message of each widget to the screen, a timer, and strips of every
widget that touches the rectangle around all changes, cut at every border: half of the console's
processor at ×60. Here the spans that a widget has found to differ are all that is made. What
Textual knows of the widget is marked as old, so that whatever it paints later is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.geometry import Region

from tui.terminal.wire import Piece

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.widget import Widget

    from widgets.plots.cells import CellWidget

Places = Mapping["Widget", tuple[Region, Region]]
"""Where each widget is on the screen, and what of it may be seen; those in front first."""


class Surface:
    """What is where on the screen, as of its last layout."""

    def __init__(self) -> None:
        self._places: Places = {}
        self._free: dict[Widget, Region | None] = {}

    def pieces(
        self, screen: Screen[Any], widget: CellWidget, spans: Sequence[Region]
    ) -> list[Piece] | None:
        """The cells of `spans`, in rows of the widget's content, for the wire; None where it is not
        wholly in sight, or something may lie in front of it: then Textual has to paint it.
        """
        region = self._region_of(screen, widget)
        if region is None:
            return None
        inner = widget.content_offset
        widget._styles_cache.set_dirty(*(span.translate(inner) for span in spans))
        filters = widget.get_line_filters()
        x, y = region.offset + inner
        found = []
        for span in spans:
            if span.y < 0:  # the frame's, which Textual draws
                strip = widget.render_lines(span.translate(inner))[0]
            else:
                strip = widget.strip(span)
                for each in filters:
                    strip = strip.apply_filter(each, widget.background_colors[1])
            found.append((x + span.x, y + span.y, strip))
        return found

    def _region_of(self, screen: Screen[Any], widget: Widget) -> Region | None:
        places = screen._compositor.visible_widgets
        if places is not self._places:
            self._places, self._free = places, {}
        if widget not in self._free:
            self._free[widget] = find_free_region(places, widget)
        return self._free[widget]


def find_free_region(places: Places, widget: Widget) -> Region | None:
    """Where a widget is, if all of it is in sight and nothing lies in front of it; else None."""
    if widget not in places:
        return None
    region, clip = places[widget]
    if not clip.contains_region(region) or widget.opacity != 1.0:
        return None
    for other, (place, seen) in places.items():
        if other is widget:
            break
        if place.intersection(seen).overlaps(region):
            return None
    return region
