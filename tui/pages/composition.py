"""The widgets of the main screen: those of all layouts, held by name and composed once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from tui.pages.column import Column
from tui.pages.compact import CompactPanel
from tui.pages.dialogue import TalkStrip
from widgets.bars.header import Header
from widgets.bars.impact_line import ImpactLine
from widgets.bars.keys import KeyBar, PanelTabs
from widgets.bars.outcome import OutcomeBar
from widgets.bars.safety_line import SafetyLine
from widgets.bars.stage_track import StageTrack
from widgets.bars.state_row import StateRow
from widgets.plots.cells import CellWidget

if TYPE_CHECKING:
    from textual.widgets import Input

    from widgets.pages.changes import ApprovalPage, RecoveryPage
    from widgets.pages.checklist import ChecklistPage
    from widgets.pages.page import Page
    from widgets.panels.event_log import EventLog


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
        self.tabs = PanelTabs(id="tabs")
        self.panels: dict[str, CellWidget] = {}
        """Panels and pages by name: those that were made, none before `furnish`."""
        self.pages: dict[str, Page] = {}
        self.columns: dict[str, Column] = {}
        self._prompt: Input | None = None
        self._bound: dict[str, object] = {}
        self._is_fresh = True
        self._replay_bars: tuple[CellWidget, ...] = ()
        self.body = Column(id="body")
        """The panels' place: empty in the first frame, which shows what no panel is needed for."""
        self.outcome = OutcomeBar(id="outcome")
        self.talk = TalkStrip(id="talk")
        """The rows of the confirm strip and the last words."""
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

    def furnish(self) -> None:
        """Make what the first frame does not show: the panels, the pages, the prompt; once.

        They are read only now, and hold what the others were bound to before them.
        """
        if self.panels:
            return
        from tui.pages.pages import make_pages
        from tui.pages.panels import make_columns, make_panels, make_prompt, style_panels

        style_panels(self.app.stylesheet)
        self.pages = make_pages()
        self.panels = {**make_panels(), **self.pages}
        self.columns, self._prompt = make_columns(), make_prompt()
        for name, value in self._bound.items():
            _bind(self.panels.values(), name, value)

    @property
    def prompt(self) -> Input | None:
        """The line where something is typed; None before the first frame is out."""
        return self._prompt

    @property
    def event_log(self) -> EventLog:
        """The panel of the events."""
        return cast("EventLog", self.panels["events"])

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

    async def mount_rest(self) -> None:
        """Put panels, pages and the prompt where they belong; once, after the first frame."""
        panels, columns, prompt = self.panels, self.columns, self._prompt
        mounted = [
            self.body.mount_all(columns[name] for name in ("left", "right", "pages")),
            columns["left"].mount_all((columns["upper"], columns["lower"])),
            columns["upper"].mount_all((panels["overview"], self.tabs, panels["plots"])),
            columns["lower"].mount_all((panels["confidence"], panels["resources"])),
            columns["right"].mount_all(
                panels[name] for name in ("decision", "gates", "evidence", "events")
            ),
            columns["pages"].mount_all(self.pages.values()),
        ]
        if prompt is not None:
            mounted.append(self.mount(prompt, before=self.key_bar))
        for each in mounted:
            await each

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
