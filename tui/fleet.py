"""The list of rollouts on the screen: look, sort, filter, open one; nothing is changed from here.

A program of its own beside the console's: who opens a rollout leaves it, and comes back to the same
list, at the same row, which was read on meanwhile.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.events import Key
from textual.message import Message
from textual.widgets import Input

from canary.rollout.errors import CanaryError
from canary.rollout.fleet.order import (
    SORT_KEYS,
    filter_rows,
    group_names,
    group_rows,
    need_of,
    sort_rows,
)
from canary.rollout.fleet.rows import FleetReading, FleetRow
from canary.rollout.fleet.words import group_line, head_line, sections_of
from canary.rollout.plan.plan import Console
from canary.rollout.text import sanitize
from themes import choose_theme
from tui.terminal.app import LIST, TerminalApp
from tui.terminal.left import forget_left
from widgets.bars.keys import KeyBar, KeyHint
from widgets.pages.fleet import FleetList, Group

KEYS: Final = (
    KeyHint("Enter", "open", always=True),
    KeyHint("/", "filter"),
    KeyHint("S", "sort"),
    KeyHint("g", "group"),
    KeyHint("r", "read now"),
    KeyHint("j k", "move"),
    KeyHint("q", "quit", always=True),
)
TICK_S: Final = 1.0
LEAST_SEEN_S: Final = 1.0
"""So long the list was seen by who leaves it with Esc."""
TIDY_S: Final = 2.0
"""After so long a console that was left is thrown away, with all that it had read."""
LEFT: Final = (0, LIST)
"""How a console ends that was left for the list; otherwise the whole process is to end."""


class Watch(Protocol):
    """What is needed of `engine.fleet.watch.FleetWatch`."""

    def listen(self, show: Callable[[FleetReading], None], report: Callable[[str], None]) -> None:
        """Hand what is read, and troubles, to these; at once what is known already."""

    def refresh_now(self) -> None:
        """Read at once."""


class ListPlace(msgspec.Struct, frozen=True):
    """How the list was left, so that who comes back finds it so: what is typed as the filter, the
    place of the order in SORT_KEYS, what it is grouped by ("": nothing), the key of the chosen row
    (None: the first), its place among the rows, and the first line that was in sight. `trouble` is
    said at the beginning.
    """

    typed: str = ""
    sort: int = 0
    group: str = ""
    chosen: tuple[str, str, str] | None = None
    at: int = 0
    top: int = 0
    trouble: str = ""


class RowsRead(Message):
    """New rows."""

    def __init__(self, reading: FleetReading) -> None:
        super().__init__()
        self.reading = reading


class FleetFailed(Message):
    """Nothing could be read, and why."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class FleetApp(TerminalApp, inherit_bindings=False):
    """The list. `opened` is the row that the person has opened, None when they have left."""

    CSS_PATH = Path(__file__).with_name("fleet.tcss")
    TITLE = "canary fleet"
    AUTO_FOCUS = None

    def __init__(
        self,
        watch: Watch,
        settings: Console,
        place: ListPlace = ListPlace(),  # noqa: B008 - a frozen value
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(*choose_theme(settings.theme, os.environ))
        self._watch = watch
        self._monotonic = monotonic
        self._place = place
        self._rings = settings.bell
        self._was_whole = False
        self._all: tuple[FleetRow, ...] = ()
        self._read_mono = 0.0
        self._shown_at = monotonic()
        self.opened: FleetRow | None = None
        self.list = FleetList(id="fleet")
        self.key_bar = KeyBar(id="keys")
        self.prompt = Input(id="prompt", placeholder='text, or "-l team=x"', compact=True)

    @property
    def place(self) -> ListPlace:
        """How the list is now."""
        row, shown = self.list.chosen_row, self.list
        key = self._place.chosen if row is None else row.key
        return msgspec.structs.replace(
            self._place, chosen=key, at=shown.chosen, top=shown.top, trouble=""
        )

    def compose(self) -> ComposeResult:
        """The list, the line for a filter, the keys."""
        yield self.list
        yield self.prompt
        yield self.key_bar

    def on_mount(self) -> None:
        """Begin to listen; let the ages grow."""
        super().on_mount()
        self.prompt.display = False
        self.key_bar.hints = KEYS
        self.list.trouble = self._place.trouble
        self._say_order()
        self.show_title("canary fleet")
        self._watch.listen(
            lambda reading: self._post(RowsRead(reading)),
            lambda text: self._post(FleetFailed(text)),
        )
        self.set_interval(TICK_S, self._tick)
        self.set_timer(TIDY_S, gc.collect)

    def _post(self, message: Message) -> None:
        if self.is_running:
            self.post_message(message)

    @on(RowsRead)
    def take(self, message: RowsRead) -> None:
        """Draw new rows; the chosen rollout stays chosen."""
        reading, is_first = message.reading, self.list.read_at is None
        bad = {row.key for row in self._all if need_of(row)[0] == 0}
        if self._was_whole and any(
            need_of(row)[0] == 0 and row.key not in bad for row in reading.rows
        ):
            self.ring()
        self._was_whole = reading.is_whole
        self._all, self._read_mono = reading.rows, reading.read_mono
        with self.batch_update():
            if not is_first:
                self.list.trouble = ""
            self.list.read_at = reading.now
            self._tick()
            self._lay_out(self._place if is_first else self.place)
        head = head_line(self._all)
        self.show_title(f"{head[:60]} – canary fleet")

    def ring(self) -> None:
        """One got worse: ring once, unless the plan says not to."""
        if self._rings:
            self.bell()

    @on(FleetFailed)
    def fail(self, message: FleetFailed) -> None:
        """Say what went wrong."""
        self.list.trouble = message.text

    def _tick(self) -> None:
        if self.list.read_at is not None:
            gone_s = max(0.0, self._monotonic() - self._read_mono)
            self.list.now = self.list.read_at + gone_s

    def _lay_out(self, place: ListPlace) -> None:
        """Show what fits the filter, with the same row chosen; one that is gone gives its place to
        the next.
        """
        self._place = place
        rows = filter_rows(sort_rows(self._all, SORT_KEYS[place.sort]), place.typed)
        self.list.whole = self._all
        self.list.groups = _in_groups(rows, place)
        ordered = self.list.rows
        at = next((i for i, row in enumerate(ordered) if row.key == place.chosen), place.at)
        self.list.top = place.top
        self.list.choose(at)
        self._say_order()

    def _say_order(self) -> None:
        place = self._place
        hidden = {row.key for row in self._all} - {row.key for row in self.list.rows}
        needing = sum(1 for row in self._all if row.key in hidden and need_of(row)[0] < 2)
        hides = f" hides {needing} in need" if needing else ""
        shown = (
            f"filter {sanitize(place.typed, 40)}{hides}" if place.typed else "",
            f"grouped by {sanitize(place.group, 40)}" if place.group else "",
            f"by {SORT_KEYS[place.sort]}",
        )
        self.list.about = "  ".join(filter(None, shown))

    # -- keys ------------------------------------------------------------------------------------

    def on_key(self, event: Key) -> None:
        """A key of the list; what is typed into the prompt is the prompt's."""
        if self.focused is self.prompt:
            if event.key == "escape":
                self._close_prompt()
            return
        far, last = self.list.room, len(self.list.rows) - 1
        at = self.list.chosen
        places = {
            **dict.fromkeys(("down", "j"), at + 1),
            **dict.fromkeys(("up", "k"), at - 1),
            "pagedown": at + far,
            "pageup": at - far,
            "home": 0,
            "end": last,
        }
        acts = {
            "enter": self._open,
            **dict.fromkeys(("q", "ctrl+c"), lambda: self.leave_with(0)),
            "escape": self._leave_by_escape,
            "S": self._sort_by_next,
            "g": self._group_by_next,
            "r": self._watch.refresh_now,
            "slash": self._open_prompt,
            "ctrl+z": self.action_suspend_process,
        }
        if event.key in places:
            self.list.choose(places[event.key])
        elif event.key in acts:
            acts[event.key]()
        elif event.is_printable:
            # Somebody may think that it is the console's key, of the marked rollout.
            self.list.trouble = (
                f"{sanitize(event.character)} is no key here: nothing is changed from the list."
                " Enter opens the marked one."
            )

    def _leave_by_escape(self) -> None:
        """Leave; but not by the same Esc, pressed twice, that has come back from a console."""
        if self._place.chosen is None or self._monotonic() - self._shown_at >= LEAST_SEEN_S:
            self.leave_with(0)

    def _open_prompt(self) -> None:
        self.prompt.display = True
        self.prompt.value = self._place.typed
        self.prompt.focus()

    def _sort_by_next(self) -> None:
        sort = (self._place.sort + 1) % len(SORT_KEYS)
        self._lay_out(msgspec.structs.replace(self.place, sort=sort))

    def _group_by_next(self) -> None:
        """Region, project, then each label; then none again."""
        names = ("", *group_names(self._all))
        group = self._place.group
        at = names.index(group) if group in names else 0
        following = names[(at + 1) % len(names)]
        self._lay_out(msgspec.structs.replace(self.place, group=following))

    @on(Input.Submitted)
    def filter_by(self, event: Input.Submitted) -> None:
        """Show what fits what was typed."""
        self._close_prompt()
        self._lay_out(msgspec.structs.replace(self.place, typed=event.value.strip()))

    def _close_prompt(self) -> None:
        self.prompt.display = False
        self.set_focus(None)

    def _open(self) -> None:
        row = self.list.chosen_row
        if row is None:
            return
        if not row.plan:
            self.list.trouble = (
                f"No plan on this host names {row.name}: it is for looking only. `canary init`"
                " writes one."
            )
            return
        self.opened = row
        self.leave_with(0)


def _in_groups(rows: tuple[FleetRow, ...], place: ListPlace) -> tuple[Group, ...]:
    """The rows with the headings that stand between them."""
    if place.group:
        groups = group_rows(rows, place.group)
        return tuple((group_line(place.group, name, found), found) for name, found in groups)
    return sections_of(rows) if SORT_KEYS[place.sort] == "need" else (("", rows),)


def run_fleet(
    watch: Watch,
    settings: Console,
    open_row: Callable[[FleetRow], int],
    place: ListPlace = ListPlace(),  # noqa: B008 - a frozen value
) -> int:
    """Show the list until it is left; `open_row` opens a rollout's console, and returns when that
    is left. Returns the process's exit code: a console that a signal or a fault has ended ends the
    list too.
    """
    while True:
        forget_left()
        app = FleetApp(watch, settings, place)
        app.run(mouse=settings.mouse)
        if app.opened is None:
            return app.return_code or 0
        place = app.place
        forget_left()  # a console that was left before may have ended only now
        try:
            code = open_row(app.opened)
        except CanaryError as error:
            place = msgspec.structs.replace(place, trouble=str(error))
            continue
        if code not in LEFT:
            return code
        watch.refresh_now()  # something may have been done there
