"""The list of rollouts on the screen: look, sort, filter, open one; nothing is changed from here.

A program of its own beside the console's: who opens a rollout leaves it, and comes back to the same
list, which was read on meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from textual import on
from textual.app import ComposeResult
from textual.events import Key
from textual.message import Message
from textual.widgets import Input, Static

from canary.rollout.fleet.rows import SORT_KEYS, FleetRow, filter_rows, sort_rows
from canary.rollout.plan.plan import Console
from themes import choose_theme
from tui.terminal.app import TerminalApp
from widgets.pages.fleet import FleetList

KEYS: Final = "Enter open  / filter  S sort  r read now  j k move  q quit"
TICK_S: Final = 1.0


class Watch(Protocol):
    """What is needed of `engine.fleet.watch.FleetWatch`."""

    def listen(
        self,
        show: Callable[[tuple[FleetRow, ...], float], None],
        report: Callable[[str], None],
    ) -> None:
        """Hand rows with the cloud's time, and troubles, to these."""

    def refresh_now(self) -> None:
        """Read at once."""


class RowsRead(Message):
    """New rows, and the cloud's time at which they were read."""

    def __init__(self, rows: tuple[FleetRow, ...], now: float) -> None:
        super().__init__()
        self.rows, self.now = rows, now


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
        typed: str = "",
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(*choose_theme(settings.theme, os.environ))
        self._watch = watch
        self._monotonic = monotonic
        self._typed = typed
        self._sort = 0
        self._all: tuple[FleetRow, ...] = ()
        self._read_mono = 0.0
        self.opened: FleetRow | None = None
        self.list = FleetList(id="fleet")
        self.prompt = Input(id="prompt", placeholder='text, or "-l team=x"', compact=True)

    def compose(self) -> ComposeResult:
        """The list, the line for a filter, the keys."""
        yield self.list
        yield self.prompt
        yield Static(f" {KEYS}", id="keys", markup=False)

    def on_mount(self) -> None:
        """Begin to listen; let the ages grow."""
        super().on_mount()
        self.prompt.display = False
        self._say_order()
        self.show_title("canary fleet")
        self._watch.listen(
            lambda rows, now: self._post(RowsRead(rows, now)),
            lambda text: self._post(FleetFailed(text)),
        )
        self.set_interval(TICK_S, self._tick)

    def _post(self, message: Message) -> None:
        if self.is_running:
            self.post_message(message)

    @on(RowsRead)
    def take(self, message: RowsRead) -> None:
        """Draw new rows; the chosen rollout stays chosen."""
        self._all, self._read_mono = message.rows, self._monotonic()
        self.list.trouble = ""
        self.list.read_at = self.list.now = message.now
        self._lay_out()

    @on(FleetFailed)
    def fail(self, message: FleetFailed) -> None:
        """Say what went wrong."""
        self.list.trouble = message.text

    def _tick(self) -> None:
        if self.list.read_at is not None:
            self.list.now = self.list.read_at + self._monotonic() - self._read_mono

    def _lay_out(self) -> None:
        chosen = self.list.chosen_row
        self.list.rows = filter_rows(sort_rows(self._all, SORT_KEYS[self._sort]), self._typed)
        place = next(
            (
                at
                for at, row in enumerate(self.list.rows)
                if chosen is not None and (row.name, row.where) == (chosen.name, chosen.where)
            ),
            0,
        )
        self.list.choose(place)
        self._say_order()

    def _say_order(self) -> None:
        order = SORT_KEYS[self._sort]
        shown = f"filter {self._typed}  " if self._typed else ""
        self.list.about = f"{shown}by {order}"

    # -- keys ------------------------------------------------------------------------------------

    def on_key(self, event: Key) -> None:
        """A key of the list; what is typed into the prompt is the prompt's."""
        if self.focused is self.prompt:
            if event.key == "escape":
                self._close_prompt()
            return
        moves = {"down": 1, "j": 1, "up": -1, "k": -1}
        far = {"pagedown": self.list.room, "pageup": -self.list.room}
        if event.key in moves or event.key in far:
            self.list.choose(self.list.chosen + {**moves, **far}[event.key])
        elif event.key in ("home", "end"):
            self.list.choose(0 if event.key == "home" else len(self.list.rows) - 1)
        elif event.key == "enter":
            self._open()
        elif event.key in ("q", "escape", "ctrl+c"):
            self.leave_with(0)
        elif event.key == "S":
            self._sort = (self._sort + 1) % len(SORT_KEYS)
            self._lay_out()
        elif event.key == "r":
            self._watch.refresh_now()
        elif event.key == "slash":
            self.prompt.display = True
            self.prompt.value = self._typed
            self.prompt.focus()

    @on(Input.Submitted)
    def filter_by(self, event: Input.Submitted) -> None:
        """Show what fits what was typed."""
        self._typed = event.value.strip()
        self._close_prompt()
        self._lay_out()

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


def run_fleet(
    watch: Watch, settings: Console, open_row: Callable[[FleetRow], int], typed: str = ""
) -> int:
    """Show the list until it is left; `open_row` opens a rollout's console, and returns when that
    is left. Returns the process's exit code.
    """
    while True:
        app = FleetApp(watch, settings, typed)
        app.run(mouse=settings.mouse)
        if app.opened is None:
            return app.return_code or 0
        open_row(app.opened)
