"""A part of the main screen that other widgets stand in."""

from __future__ import annotations

from textual.containers import Container
from textual.geometry import Size
from textual.reactive import Reactive


class Column(Container):
    """One that never scrolls: what is in it is laid out once for a new size.

    Textual lays out all of the screen a second time, as there may be a scrollbar now.
    """

    virtual_size: Reactive[Size] = Reactive(Size(0, 0), repaint=False)
