"""The console's application: composes screen, keys and engine, and ends in order.

The first frame is drawn before the engine is even imported: it brings Google's packages with it.
The engine is built and started on a thread of its own and speaks through messages only.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.segment import Segments
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.screen import Screen

from canary.rollout.change.change import Author
from canary.rollout.errors import CanaryError, Unavailable
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import JobsView
from themes import PALETTES, choose_theme, make_themes
from tui.actions.pending import Situation
from tui.cloud_time import CloudTime
from tui.commands import Commands
from tui.engine_port import EnginePort
from tui.keys import bind
from tui.messages import (
    EngineStarted,
    HungUp,
    JobsWaiting,
    Mailbox,
    SnapshotsWaiting,
    Trouble,
)
from tui.pages.alarms import left_of_countdown, rings
from tui.pages.main import MainScreen
from tui.pages.summary import terminal_title
from tui.terminal.driver import ConsoleDriver, Title, end_anyway, handle_signals
from tui.terminal.wire import Wire
from widgets.bars.confirm_strip import ConfirmStrip

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.binding import BindingType

TICK_S = 1.0
SILENCE_S = 15.0
"""After so long without a snapshot the screen says that nothing new comes."""
STARTING_S = 4.0
"""So long the start may take: modules are read, processes come up, the first numbers arrive."""
HUNG_UP = 129
"""128 + SIGHUP: the terminal went away."""


class CanaryApp(App[None], inherit_bindings=False):
    """One rollout in one terminal.

    `build_engine` is called once, on a thread, after the first frame. `monotonic` is in seconds.
    `after_start` is called when the rush of the start is over.
    Raises PlanError at construction when the plan rebinds keys in a way that cannot be.
    """

    CSS_PATH = Path(__file__).with_name("canary.tcss")
    TITLE = "canary"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        plan: Plan,
        build_engine: Callable[[], EnginePort],
        *,
        read_only: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        after_start: Callable[[], None] = lambda: None,
    ) -> None:
        keymap = bind(plan)
        theme, ansi_color = choose_theme(plan.console.theme, os.environ)
        super().__init__(driver_class=ConsoleDriver, ansi_color=ansi_color)
        for each in make_themes():
            self.register_theme(each)
        self.theme = theme
        self.stylesheet.set_variables(self.get_css_variables())
        self._opened_in: str | None = theme
        """The theme that the stylesheet was made for, until the first frame is out."""
        self.plan = plan
        self.read_only = read_only or plan.console.read_only
        self.main = MainScreen(plan, keymap, read_only=self.read_only)
        self.commands = Commands(self, self.main)
        self.main.why_not = self.commands.why_not
        self._build_engine = build_engine
        self._wall = wall
        self._after_start = after_start
        self._engine: EnginePort | None = None
        self._mailbox = Mailbox[Snapshot](lambda: self.post_message(SnapshotsWaiting()))
        self._procedures = Mailbox[JobsView](lambda: self.post_message(JobsWaiting()))
        self._clock = CloudTime(monotonic)
        self._title = Title()
        self._wire = Wire()

    # -- start and end ---------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[Any]:
        """The main screen is the only one underneath."""
        return self.main

    def refresh_css(self, animate: bool = True) -> None:
        """Style everything anew, but not for the theme that the stylesheet was made for.

        Textual asks for it at the start, and would parse all styles a second time before the first
        frame.
        """
        if self.theme != self._opened_in:
            super().refresh_css(animate)

    def on_mount(self) -> None:
        """Take the signals, and let the ages tick."""
        handle_signals(self.leave_with)
        self.set_interval(TICK_S, self.tick)

    def on_ready(self) -> None:
        """The first frame is out: now the engine, and what no first frame shows."""
        self._opened_in = None
        self._start_engine_thread()
        self.main.mount_rest()
        self.set_timer(STARTING_S, self._after_start)

    def _start_engine_thread(self) -> None:
        threading.Thread(target=self._start_engine, name="engine-start", daemon=True).start()

    def _start_engine(self) -> None:
        try:
            engine = self._engine = self._build_engine()
            engine.start(self._mailbox.put, self._report, self._procedures.put)
        except CanaryError as error:
            self.post_message(Trouble(str(error)))
        except Exception as error:  # noqa: BLE001 – the thread's boundary: the app reports and ends
            self.call_later(self._handle_exception, error)
        else:
            self.post_message(EngineStarted())

    def _report(self, text: str) -> None:
        self.post_message(Trouble(text))

    def leave_with(self, code: int) -> None:
        """End in order, with this exit code."""
        self.exit(return_code=code)

    async def on_unmount(self) -> None:
        """Give the terminal its title back, and let the engine end."""
        self._title.restore(self._driver)
        if self._engine is not None:
            self._engine.stop()

    def on_hung_up(self, _: HungUp) -> None:
        """The terminal is gone; nobody looks any more."""
        end_anyway(HUNG_UP)
        self.leave_with(HUNG_UP)

    def _fatal_error(self) -> None:
        """End with a traceback that shows no locals: they hold tokens and names."""
        from rich.traceback import Traceback  # a tenth of a second, for when it is needed

        error = self._exception
        if error is None:
            traceback = Traceback(show_locals=False, width=None)
        else:
            # Not the one being handled: an error of another thread arrives by a message.
            trace = Traceback.extract(type(error), error, error.__traceback__, show_locals=False)
            traceback = Traceback(trace, width=None)
        self._exit_renderables.append(
            Segments(self.console.render(traceback, self.console.options))
        )
        self._close_messages_no_wait()

    # -- the engine's words ----------------------------------------------------------------------

    def on_snapshots_waiting(self, _: SnapshotsWaiting) -> None:
        """Draw the newest snapshot."""
        snapshot = self._mailbox.take()
        if snapshot is not None:
            self.show(snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Hand a snapshot to the screen; ring once when the verdict got worse."""
        before = self.main.snapshot
        self._clock.set(snapshot)
        self.commands.recheck(snapshot)
        with self.batch_update():
            self.main.now = self._clock.now()
            self.main.snapshot = snapshot
            self.main.left_s = self._left_s()
            self.main.talk.trouble = ""
        self._title.show(self._driver, terminal_title(snapshot))
        if before is not None and self.plan.console.bell and rings(before, snapshot):
            self.bell()

    def on_jobs_waiting(self, _: JobsWaiting) -> None:
        """Draw what runs, how far it is, and how it ended."""
        procedure = self._procedures.take()
        if procedure is not None:
            with self.batch_update():
                self.main.procedure = procedure

    def on_trouble(self, message: Trouble) -> None:
        """Say what the engine could not do."""
        self.main.talk.trouble = message.text

    def on_engine_started(self, _: EngineStarted) -> None:
        """The engine runs; the first numbers are on their way."""
        self.main.show_keys()

    def tick(self) -> None:
        """Let the ages grow; not in the second in which a snapshot has done so."""
        silent_s = self._clock.silent_s()
        if self.main.snapshot is None or silent_s < TICK_S * 0.9:
            return
        self.main.now = self._clock.now()
        self.main.left_s = self._left_s()
        if silent_s > SILENCE_S:
            self.main.talk.trouble = (
                f"Nothing new from the engine for {silent_s:.0f} s: what is shown is from then."
            )

    def _left_s(self) -> float | None:
        """What is left of automatic rollback's countdown, here or elsewhere on this host."""
        snapshot = self.main.snapshot
        if snapshot is None:
            return None
        return left_of_countdown(snapshot, self._clock.silent_s(), self._wall())

    # -- keys ------------------------------------------------------------------------------------

    def on_main_screen_pressed(self, message: MainScreen.Pressed) -> None:
        """A key of the main screen."""
        self.commands.press(message.key)

    def on_main_screen_prompted(self, message: MainScreen.Prompted) -> None:
        """Something was typed."""
        self.commands.answer_prompt(message.purpose, message.text)

    def on_confirm_strip_accepted(self, message: ConfirmStrip.Accepted) -> None:
        """The open question was answered with yes."""
        self.commands.accept(message.proposal)

    def on_confirm_strip_left(self, message: ConfirmStrip.Left) -> None:
        """The open question was left."""
        self.commands.let_go(message.reason)

    # -- for the commands ------------------------------------------------------------------------

    @property
    def theme_names(self) -> tuple[str, ...]:
        """The themes of the house, in the order of the key."""
        return tuple(PALETTES)

    def engine_of(self) -> EnginePort:
        """The engine. Raises Unavailable while there is none."""
        if self._engine is None:
            raise Unavailable("The engine has not started yet.", remedy="Wait a moment.")
        return self._engine

    def situation(self) -> Situation:
        """What a wish is judged by now."""
        author = self._engine.author if self._engine is not None else Author("", "")
        return Situation(self.plan, self.main.snapshot, self.read_only, self._clock.now(), author)

    def scenarios(self) -> Iterable[str]:
        """What the local cloud can play; empty elsewhere."""
        return self._engine.scenarios() if self._engine is not None else ()

    def open_palette(self) -> None:
        """Find a command by its name."""
        from tui.palette import CommandProvider, Palette

        self.push_screen(Palette(providers=[CommandProvider], placeholder="command …"))

    def write_raw(self, text: str) -> None:
        """Send an escape sequence to the terminal."""
        if self._driver is not None:
            self._driver.write(text)
            self._driver.flush()

    def redraw(self) -> None:
        """Draw every cell anew, for a terminal that another program has scribbled on."""
        self._wire.forget()
        self.screen.refresh(layout=True)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Write an update to the terminal, only where it differs from what is there."""
        update: object = renderable
        if isinstance(update, CompositorUpdate):
            # Textual hands these in as renderables, which they are by their methods only.
            renderable = cast("RenderableType", self._wire.shorten(update))
        super()._display(screen, renderable)

    def on_resize(self) -> None:
        """A resized terminal has moved and cut what was on it."""
        self._wire.forget()

    def on_driver_signal_resume(self) -> None:
        """Back from the shell: the screen is blank."""
        self.redraw()
