"""The panels, the columns that they stand in, and the line where something is typed.

Read after the first frame, which shows none of them: `layout.PANELS` has the panels' names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from textual.css.stylesheet import Stylesheet
from textual.widgets import Input

from tui.pages.column import Column
from tui.pages.layout import COLUMNS
from widgets.panels.confidence import ConfidencePanel
from widgets.panels.decision import DecisionTree, GatesPanel
from widgets.panels.event_log import EventLog
from widgets.panels.evidence import EvidencePanel
from widgets.panels.matrix import MatrixPanel
from widgets.panels.plots import PlotsPanel
from widgets.panels.resources import ResourcesPanel
from widgets.plots.cells import CellWidget

CSS_PATH: Final = Path(__file__).parents[1] / "panels.tcss"


def style_panels(stylesheet: Stylesheet) -> None:
    """Add the rules for all that is made here and in `pages`, behind those of the rows."""
    stylesheet.add_source(CSS_PATH.read_text("utf-8"), (str(CSS_PATH), ""))


def make_panels() -> dict[str, CellWidget]:
    """One widget a panel, by name."""
    panels: dict[str, CellWidget] = {
        "overview": MatrixPanel(id="overview", classes="panel"),
        "plots": PlotsPanel(id="plots", classes="panel"),
        "confidence": ConfidencePanel(id="confidence", classes="panel"),
        "resources": ResourcesPanel(id="resources", classes="panel"),
        "decision": DecisionTree(id="decision", classes="panel"),
        "gates": GatesPanel(id="gates", classes="panel"),
        "evidence": EvidencePanel(id="evidence", classes="panel"),
        "events": EventLog(id="events", classes="panel"),
    }
    for name, panel in panels.items():
        panel.border_title = name
    return panels


def make_columns() -> dict[str, Column]:
    """The columns of `layout.COLUMNS`, by name."""
    return {name: Column(id=name) for name in COLUMNS}


def make_prompt() -> Input:
    """The line where something is typed: a filter, a scale."""
    return Input(id="prompt", compact=True)
