"""Which classes the widgets of the main screen have, so that the stylesheet lays them out."""

from __future__ import annotations

from collections.abc import Mapping

from textual.widget import Widget

from tui.screens.layout import ALWAYS_THERE, COLUMNS, LAYOUTS, Layout, is_roomy, is_tall

Classes = Mapping[str, bool]
"""Class → whether the widget has it."""


def screen_classes(layout: Layout, height: int, *, zoomed: bool) -> Classes:
    """The classes of the screen itself, for a terminal of `height` lines."""
    wanted = {f"-{each}": each == layout for each in LAYOUTS}
    wanted["-tall"] = is_tall(layout, height)
    wanted["-roomy"] = is_roomy(layout, height)
    return wanted | {"-single": layout == "narrow" or zoomed, "-zoomed": zoomed}


def shown_panels(layout: Layout, panel: str, *, zoomed: bool) -> frozenset[str]:
    """What is seen where one panel fills the screen: it, and in the narrow layout one above it."""
    with_one_above = layout == "narrow" and not zoomed
    return frozenset({panel, ALWAYS_THERE} if with_one_above else {panel})


def panel_classes(name: str, panel: str, shown: frozenset[str], *, single: bool) -> Classes:
    """The classes of the panel `name`, where `panel` is the present one."""
    return {"-current": name == panel, "-hidden": single and name not in shown}


def column_classes(name: str, panel: str, shown: frozenset[str], *, single: bool) -> Classes:
    """The classes of the column `name`: it goes with the last panel that it would show."""
    held = COLUMNS[name]
    return {"-holds": panel in held, "-hidden": single and shown.isdisjoint(held)}


def put_on(widget: Widget, classes: Classes) -> bool:
    """Set the classes without styling anything yet; returns whether one of them changed."""
    before = widget.classes
    widget.update_classes(classes, update=False)
    return widget.classes != before
