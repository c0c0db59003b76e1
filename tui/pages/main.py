"""The main screen: hands the snapshot to the widgets, and the keys to the commands.

A snapshot travels downwards only: the app assigns `snapshot`, the screen assigns it to each widget,
and each redraws the cells that changed. Ages tick with `now`, once a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.message import Message
from textual.reactive import var

from canary.rollout.failures.lines import LinesView
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from tui.keys import ACTIONS, Keymap, as_written, is_possible_at_first
from tui.pages.composition import Composition
from tui.pages.frames import frame_note, frame_window
from tui.pages.layout import (
    ALWAYS_THERE,
    PAGES,
    PANELS,
    WINDOWS,
    Layout,
    choose_layout,
    column_classes,
    panel_classes,
    put_on,
    screen_classes,
    shown_panels,
    window_length,
)
from widgets.bars.keys import KeyHint

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.geometry import Size
    from textual.widgets import Input


class MainScreen(Composition):
    """Everything of console.md on one screen, in the layout that the terminal has room for."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = []

    snapshot: var[Snapshot | None] = var(None, init=False)
    procedure: var[JobsView] = var(NOTHING_RUN, init=False)
    now: var[float] = var(0.0, init=False)
    left_s: var[float | None] = var(None, init=False)
    """Real seconds left of automatic rollback's countdown; None: nothing is counted."""
    window: var[str] = var(WINDOWS[0][0], init=False)
    panel: var[str] = var("plots", init=False)
    zoomed: var[bool] = var(False, init=False)

    class Pressed(Message):
        """A key was pressed that the screen gives to the commands. `at`: when it was typed."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Prompted(Message):
        """What was typed into the prompt of `purpose` was sent off."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    class LinesCame(Message):
        """The application's log lines about a request have come, or are being asked for."""

        def __init__(self, lines: LinesView) -> None:
            super().__init__()
            self.lines = lines

    def __init__(self, plan: Plan, keymap: Keymap, *, read_only: bool, distrust: str = "") -> None:
        super().__init__(id="main")
        self.plan = plan
        self.keymap = keymap
        self.read_only = read_only
        self.distrust = distrust
        self.layout_name: Layout = "normal"
        self._height = 0
        self.why_not: Callable[[str], str | None] | None = None
        """Why an action can do nothing now; None before the first frame is out."""
        self.escape_leads_to = ""
        """Where Esc goes when nothing is open; "": nowhere."""
        self.prompt_purpose = ""
        self._panel_before = "plots"

    def compose(self) -> ComposeResult:
        """The widgets, in the layout of the terminal's size."""
        # Before anything is styled: classes that change afterwards style every widget anew.
        self._take_layout(self.app.size, update=False)
        yield from super().compose()

    def on_mount(self) -> None:
        """Give the widgets what does not change, and take the first layout."""
        self.bind_data("plan", self.plan)
        self.bind_data("read_only", self.read_only)
        self.bind_data("distrust", self.distrust)
        self.bind_data("keys", self.keymap.names)
        self.tabs.names = tuple(n for n in PANELS if n != ALWAYS_THERE)
        self.talk.passes = self._passes
        self.talk.waiting = (
            "Starting the local cloud …" if self.plan.provider == "local" else "Asking Cloud Run …"
        )
        self.talk.drift_keys = (self.keymap.key("adopt"), self.keymap.key("revert"))
        self.talk.shares = frozenset(
            share for share in range(101) if self.plan.stage_of_percent(share) is not None
        )
        acknowledge = self.keymap.key("acknowledge")
        self.outcome.acknowledge_key = acknowledge.capitalize()
        self.outcome.stop_key = self.keymap.key("stop")
        self._show_window()
        self.show_keys()
        self.talk.on_turn = self.show_keys

    async def mount_rest(self) -> None:
        """Make panels, pages and the prompt, laid out as the screen is now, and mount them."""
        self.furnish()
        self._arrange(update=False)  # they are styled as they are mounted
        await super().mount_rest()

    # -- what is shown ---------------------------------------------------------------------------

    def watch_snapshot(self, snapshot: Snapshot | None) -> None:
        """Hand the new snapshot to every widget that draws one."""
        if snapshot is not None:
            self.impact.set_class(snapshot.traffic.is_all_on_legacy, "-off")
        self.bind_data("snapshot", snapshot)
        self._show_window()
        self.show_keys()

    def on_main_screen_lines_came(self, message: LinesCame) -> None:
        """Hand the lines to the page that asked; it lets go of them with the group."""
        message.stop()
        self.bind_data("lines", message.lines)
        self._bound.pop("lines", None)

    def watch_procedure(self, procedure: JobsView) -> None:
        """Hand what runs, and how it ended, to the widgets that draw it."""
        self.bind_data("procedure", procedure)
        self.show_keys()

    def watch_now(self, now: float) -> None:
        """Let the ages grow."""
        self.bind_data("now", now)

    def watch_left_s(self, left_s: float | None) -> None:
        """Let the countdown of automatic rollback run."""
        self.bind_data("left_s", left_s)

    def watch_window(self) -> None:
        """Let the plots reach as far back as was asked."""
        self._show_window()

    @property
    def reach_s(self) -> float:
        """Seconds that the plots reach back."""
        soaked = self.snapshot.stage.soaked_hours if self.snapshot else None
        return window_length(self.window, soaked)

    def _show_window(self) -> None:
        soaked = self.snapshot.stage.soaked_hours if self.snapshot else None
        length = window_length(self.window, soaked)
        self.bind_data("window_s", length)
        self._show_frames()

    def _show_frames(self) -> None:
        """Say in each frame what its numbers are over, and which keys the chosen panel has."""
        plotted = f"last {self.window}" if self.window != "soak" else "whole soak"
        for name, widget in self.panels.items():
            if name in PAGES:
                continue
            current = name == self.panel
            said = frame_note(
                name,
                self.plan,
                plotted,
                self.keymap.key,
                current=current,
                zoomed=self.zoomed,
            )
            if widget.border_subtitle != said:  # the same again would repaint the whole panel
                widget.border_subtitle = said
        # Without frames the row of names says it; the plots' own heading does.
        note = frame_window(self.panel, self.plan, plotted) if self.panel != "plots" else ""
        self.tabs.note = note

    def show_keys(self) -> None:
        """Grey the keys that can do nothing now."""
        stages, why_not = self.keymap.stage_keys, self.why_not
        hints = [
            KeyHint(
                self.keymap.key(a.name),
                a.label,
                is_possible_at_first(a) if why_not is None else why_not(a.name) is None,
                a.always,
                leads=a.name == "help",
            )
            for a in ACTIONS
            if a.label
        ]
        # An open question says itself what Esc does to it.
        is_asked = self.talk.proposal is not None
        leads_to = "" if is_asked else "back" if self.zoomed else self.escape_leads_to
        if leads_to:
            hints.insert(0, KeyHint("Esc", leads_to, always=True))
        if stages:
            hints.append(KeyHint(stages, "stage"))
        self.key_bar.hints = tuple(hints)

    # -- layout ----------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Take the layout of the new size."""
        self._take_layout(event.size)

    def _take_layout(self, size: Size, *, update: bool = True) -> None:
        self.layout_name = choose_layout(size.width, size.height)
        self._height = size.height
        self._arrange(update=update)

    def watch_panel(self, before: str) -> None:
        """Mark the present panel."""
        if before not in PAGES:
            self._panel_before = before
        self._arrange()

    def watch_zoomed(self, zoomed: bool) -> None:
        """Let the present panel fill the screen, or give the others back."""
        if not zoomed and self.panel in PAGES:
            # A page has no place beside the others.
            self.set_reactive(MainScreen.panel, self._panel_before)
        self.show_keys()
        self._arrange()

    def _arrange(self, *, update: bool = True) -> None:
        """Set the classes that the stylesheet lays out by, and style once for all of them."""
        layout, zoomed = self.layout_name, self.zoomed
        narrow = layout == "narrow"
        if narrow and not zoomed and self.panel == ALWAYS_THERE:
            self.set_reactive(MainScreen.panel, "plots")
        single, panel = narrow or zoomed, self.panel
        shown = shown_panels(layout, panel, zoomed=zoomed)
        changed = put_on(self, screen_classes(layout, self._height, zoomed=zoomed))
        for name, widget in self.panels.items():
            changed |= put_on(widget, panel_classes(name, panel, shown, single=single))
        for name, column in self.columns.items():
            changed |= put_on(column, column_classes(name, panel, shown, single=single))
        self.tabs.current = panel
        self._show_frames()
        seen = single and panel == "events"
        self.talk.with_events = not seen
        if changed and update:
            self.update_node_styles()

    # -- keys ------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Give a key to the open question, or to the commands; the prompt has had it before."""
        if self.prompt is not None and self.focused is self.prompt and event.key != "escape":
            return  # it has its own bindings, looked up when the key has bubbled up to the app
        event.stop()
        event.prevent_default()
        proposal = self.talk.proposal
        if proposal is not None and (self.talk.takes_letters or not self._passes(event)):
            self.talk.on_key(event)
            return
        self.post_message(self.Pressed(as_written(event)))

    def _passes(self, event: events.Key) -> bool:
        """Whether a key is no answer: it asks something itself, or stops a countdown.

        Whoever sees another question open and presses `R`, `y` means roll back all, and nothing
        else; and neither a countdown nor the shell waits for an answer.
        """
        key = as_written(event)
        action = self.keymap.action(key)
        stops = action == "suspend" or (self.left_s is not None and action == "cancel_guard")
        return stops or self.keymap.asks(key)

    def open_prompt(self, purpose: str, label: str, text: str = "") -> None:
        """Let the person type into the last line. Enter sends it off, Esc leaves."""
        prompt = self.prompt
        if prompt is None:
            return
        self.prompt_purpose = purpose
        prompt.placeholder = label
        prompt.value = text
        self.add_class("-prompting")
        prompt.focus()

    def close_prompt(self) -> None:
        """Give the last line back to the keys."""
        self.remove_class("-prompting")
        self.set_focus(None)

    def on_input_changed(self, event: Input.Changed) -> None:
        """A filter works while it is typed."""
        if self.prompt_purpose == "filter":
            self.event_log.filter_text = event.value

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Send off what was typed."""
        self.close_prompt()
        self.post_message(self.Prompted(self.prompt_purpose, event.value))
