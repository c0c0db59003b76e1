"""The widgets of the main screen: those of all layouts, held by name and composed once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Container
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from tui.pages.compact import CompactPanel
from tui.pages.dialogue import TalkStrip
from tui.pages.layout import COLUMNS
from widgets.bars.header import Header
from widgets.bars.impact_line import ImpactLine
from widgets.bars.keys import KeyBar, PanelTabs
from widgets.bars.outcome import OutcomeBar
from widgets.bars.safety_line import SafetyLine
from widgets.bars.stage_track import StageTrack
from widgets.bars.state_row import StateRow
from widgets.panels.confidence import ConfidencePanel
from widgets.panels.decision import DecisionTree, GatesPanel
from widgets.panels.event_log import EventLog
from widgets.panels.evidence import EvidencePanel
from widgets.panels.matrix import MatrixPanel
from widgets.panels.plots import PlotsPanel
from widgets.panels.resources import ResourcesPanel
from widgets.plots.cells import CellWidget

if TYPE_CHECKING:
    from widgets.pages.changes import ApprovalPage, RecoveryPage
    from widgets.pages.checklist import ChecklistPage
    from widgets.pages.page import Page


class Composition(Screen[None]):
    """A screen of all widgets; the stylesheet shows those of the present layout.

    They are held by name, not looked up: a message may come before the first or after the last.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.header = Header(id="header")
        self.track = StageTrack(id="track")
        self.state_row = StateRow(id="state")
        self.safety = SafetyLine(id="safety")
        self.impact = ImpactLine(id="impact")
        self.compact = CompactPanel(id="compact")
        self.overview = MatrixPanel(id="overview", classes="panel")
        self.tabs = PanelTabs(id="tabs")
        self.plots = PlotsPanel(id="plots", classes="panel")
        self.resources = ResourcesPanel(id="resources", classes="panel")
        self.event_log = EventLog(id="events", classes="panel")
        self.panels: dict[str, CellWidget] = {
            "overview": self.overview,
            "plots": self.plots,
            "confidence": ConfidencePanel(id="confidence", classes="panel"),
            "resources": self.resources,
            "decision": DecisionTree(id="decision", classes="panel"),
            "gates": GatesPanel(id="gates", classes="panel"),
            "evidence": EvidencePanel(id="evidence", classes="panel"),
            "events": self.event_log,
        }
        self._bound: dict[str, object] = {}
        self._is_fresh = True
        self._replay_bars: tuple[CellWidget, ...] = ()
        self.columns = {name: Container(id=name) for name in COLUMNS}
        self.body = Container(id="body")
        """The panels' place: empty in the first frame, which shows what no panel is needed for."""
        self.outcome = OutcomeBar(id="outcome")
        self.talk = TalkStrip(id="talk")
        """The rows of the confirm strip and the last words."""
        self.prompt = Input(id="prompt", compact=True)
        """The line where something is typed: a filter, a scale."""
        self.key_bar = KeyBar(id="keys")

    def update_node_styles(self, animate: bool = True) -> None:
        """Style all widgets anew; but not for the first showing: each has been as it was mounted.

        Textual asks for it then all the same, an eighth of the time to the first frame.
        """
        if self._is_fresh:
            self._is_fresh = False
            return
        super().update_node_styles(animate)

    def compose(self) -> ComposeResult:
        """The rows above and below the panels: all that there is to say before the first numbers.

        The panels were a third of the time to the first frame, and had nothing to show in it.
        """
        yield from (self.header, self.track, self.state_row, self.safety)
        yield from (self.impact, self.compact, self.body)
        yield from (self.outcome, self.talk, self.key_bar)

    @cached_property
    def pages(self) -> dict[str, Page]:
        """The pages by name, made when first asked for: after the first frame, or by an early key.

        They hold what the others were bound to before them.
        """
        from tui.pages.pages import make_pages

        pages = make_pages()
        self.panels |= pages
        for name, value in self._bound.items():
            _bind(pages.values(), name, value)
        return pages

    @property
    def checklist(self) -> ChecklistPage:
        """The page of the checklists."""
        return cast("ChecklistPage", self.pages["checklist"])

    @property
    def approval(self) -> ApprovalPage:
        """The page of the final approval."""
        return cast("ApprovalPage", self.pages["approval"])

    @property
    def recovery(self) -> RecoveryPage:
        """The page of the changes whose end is not known."""
        return cast("RecoveryPage", self.pages["recovery"])

    def mount_rest(self) -> None:
        """Put panels, pages and the prompt where they belong; once, after the first frame."""
        panels, columns = self.panels, self.columns
        self.body.mount_all(columns[name] for name in ("left", "right", "pages"))
        columns["left"].mount_all((columns["upper"], columns["lower"]))
        columns["upper"].mount_all((self.overview, self.tabs, self.plots))
        columns["lower"].mount_all((panels["confidence"], panels["resources"]))
        columns["right"].mount_all(
            panels[name] for name in ("decision", "gates", "evidence", "events")
        )
        columns["pages"].mount_all(self.pages.values())
        self.mount(self.prompt, before=self.key_bar)

    def mount_replay(self) -> None:
        """Put the replay's rows beside the header and the keys, whose places they take."""
        rows = max(1, self.header.size.height)
        if self._replay_bars:
            self._replay_bars[0].styles.height = rows
            return
        from widgets.bars.replay import ReplayBar, TimelineBar  # no first frame shows them

        above, below = ReplayBar(id="replay"), TimelineBar(id="timeline")
        above.styles.height = rows
        self._replay_bars = (above, below)
        self.mount(above, before=self.header)
        self.mount(below, before=self.key_bar)

    def bind_data(self, name: str, value: object) -> None:
        """Hand a value to every widget that declares an attribute of that name."""
        self._bound[name] = value
        above = (self.header, self.track, self.state_row, self.safety, self.impact)
        _bind((*above, self.compact, self.outcome, self.talk), name, value)
        _bind((*self._replay_bars, *self.panels.values()), name, value)


def _bind(widgets: Iterable[Widget], name: str, value: object) -> None:
    for widget in widgets:
        if isinstance(getattr(type(widget), name, None), Reactive):
            setattr(widget, name, value)
