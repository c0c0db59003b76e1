"""Which layout goes with which size of the terminal, and which panels there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from textual.widget import Widget

Layout = Literal["wide", "normal", "narrow", "tiny"]

LAYOUTS: Final[tuple[Layout, ...]] = ("wide", "normal", "narrow", "tiny")

PANELS: Final = (
    "overview",
    "plots",
    "confidence",
    "resources",
    "decision",
    "gates",
    "evidence",
    "events",
)
"""The panels in the order of tab; each is the id of its widget."""

PAGES: Final = (
    "checklist",
    "verification",
    "load-test",
    "ab-test",
    "monitoring",
    "approval",
    "retirement",
    "alerts",
    "readiness",
    "recovery",
    "differences",
    "failures",
)
"""The pages in the order of tab; each is the id of its widget."""

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "left": ("overview", "plots", "confidence", "resources"),
    "upper": ("overview", "plots"),
    "lower": ("confidence", "resources"),
    "right": ("decision", "gates", "evidence", "events"),
    "pages": PAGES,
}
"""Column → the panels that it holds, directly or in a column of its own."""

ALWAYS_THERE: Final = "overview"
"""The panel that stays above the others in the narrow layout."""


def choose_layout(width: int, height: int) -> Layout:
    """The richest layout that the size has room for; there is one for every size."""
    if width >= 160 and height >= 36:
        return "wide"
    if width >= 112 and height >= 32:
        return "normal"
    if width >= 56 and height >= 18:
        return "narrow"
    return "tiny"


def is_tall(layout: Layout, height: int) -> bool:
    """Whether there is room for two more rows of events."""
    return height >= {"normal": 38, "tiny": 14}.get(layout, 10_000)


def is_roomy(layout: Layout, height: int) -> bool:
    """Whether the widest layout has the rows for all that its panels have to say."""
    return layout == "wide" and height >= 44


def is_vast(layout: Layout, height: int) -> bool:
    """Whether it has rows to spare beyond that: for the events, and the plots of resources."""
    return layout == "wide" and height >= 56


WINDOWS: Final[tuple[tuple[str, float | None], ...]] = (
    ("1 h", 3_600.0),
    ("6 h", 21_600.0),
    ("soak", None),
    ("15 m", 900.0),
)
"""How far back the plots reach, in the order of the key from its start; None: the whole soak."""


def window_length(name: str, soaked_hours: float | None) -> float:
    """Seconds of a window; the soak is as long as the stage has lasted, at least 15 minutes."""
    length = dict(WINDOWS)[name]
    if length is not None:
        return length
    return max(900.0, (soaked_hours or 0.0) * 3600.0)


# Which classes the widgets of the main screen have, so that the stylesheet lays them out.

Classes = Mapping[str, bool]
"""Class → whether the widget has it."""


def screen_classes(layout: Layout, height: int, *, zoomed: bool) -> Classes:
    """The classes of the screen itself, for a terminal of `height` lines."""
    wanted = {f"-{each}": each == layout for each in LAYOUTS}
    wanted["-tall"] = is_tall(layout, height)
    wanted["-roomy"] = is_roomy(layout, height)
    wanted["-vast"] = is_vast(layout, height)
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
