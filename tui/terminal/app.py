"""The application towards its terminal: what it writes, the title, signals, and how it ends.

All that reaches into Textual's private parts is in this folder; tests/house/test_textual.py says
what to look at when Textual moves.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.segment import Segments
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.message import Message

from themes import make_themes
from tui.terminal.drawing import Surface
from tui.terminal.driver import ConsoleDriver, HungUp, Title, end_anyway, handle_signals
from tui.terminal.left import cut_off
from tui.terminal.stylesheet import KeptStylesheet
from tui.terminal.wire import Difference, Piece, Wire, erases_in_colour
from widgets.plots.cells import CellHost, CellWidget

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.binding import BindingType
    from textual.screen import Screen

HUNG_UP = 129
"""128 + SIGHUP: the terminal went away."""
LIST = -1
"""What the console ends with when the list of rollouts is to come next."""


class TerminalApp(CellHost, App[None], inherit_bindings=False):
    """An application in a theme of the house (`theme`, `ansi_color`: see `choose_theme`).

    It writes only the cells that differ, ends in order on a signal and when the terminal goes
    away, and its tracebacks show no locals.
    """

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, theme: str, ansi_color: bool | None = None) -> None:
        self._is_themed = False
        super().__init__(driver_class=ConsoleDriver, ansi_color=ansi_color)
        for each in make_themes():
            self.register_theme(each)
        self.theme = theme
        self._is_themed = True
        self.stylesheet = KeptStylesheet()
        self.stylesheet.set_variables(self.get_css_variables())
        self._opened_in: str | None = theme
        """The theme that the stylesheet was made for, until the first frame is out."""
        self._title = Title()
        self._wire = Wire(erases=erases_in_colour(os.environ))
        self._surface = Surface()
        self._undrawn: list[CellWidget] = []

    def run(self, **options: Any) -> None:
        """Run until it is left, and be gone then: see `tui.terminal.left`."""
        try:
            super().run(**options)
        finally:
            cut_off(self)

    def get_css_variables(self) -> dict[str, str]:
        """The colours of the theme; none before there is one of the house.

        Textual asks as it is made, and would work out its own theme's for nothing.
        """
        return super().get_css_variables() if self._is_themed else {}

    def refresh_css(self, animate: bool = True) -> None:
        """Style everything anew, but not for the theme that the stylesheet was made for.

        Textual asks for it at the start, and would parse all styles a second time before the first
        frame.
        """
        if self.theme == self._opened_in:
            return
        super().refresh_css(animate)
        if self.is_running:
            # Two themes of one ground are the same to the stylesheet, but not to what we draw.
            self.screen.query("*").refresh()

    def on_mount(self) -> None:
        """Take the signals."""
        handle_signals(self.leave_with)

    async def on_ready(self) -> None:
        """The first frame is out."""
        self._opened_in = None
        if isinstance(self._driver, ConsoleDriver):
            self._driver.listen()

    # -- what is written -------------------------------------------------------------------------

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Write an update to the terminal, only where it differs from what is there."""
        update: object = renderable
        if isinstance(update, CompositorUpdate):
            # Textual hands these in as renderables, which they are by their methods only.
            renderable = cast("RenderableType", self.shorten(update))
        super()._display(screen, renderable)

    def shorten(self, update: CompositorUpdate) -> CompositorUpdate:
        """The update as it goes over the line."""
        return self._wire.shorten(update, self.size.width)

    def draw_soon(self, widget: CellWidget) -> None:
        """Draw it together with all that ask until the present message is done with."""
        if not self._undrawn:
            self.call_next(self._draw_all)
        self._undrawn.append(widget)

    def _draw_all(self) -> None:
        """Draw what was asked for, and write the cells that differ."""
        undrawn, self._undrawn = self._undrawn, []
        if not self.screen_stack:  # it is about to end
            return
        screen, pieces, written = self.screen, list[Piece](), list[CellWidget]()
        may_write = not self._batch_count and screen.size == self.size
        for widget in undrawn:
            if not widget.is_attached:
                continue
            spans = widget.draw_anew()
            is_ours = may_write and widget.screen is screen
            found = self._surface.pieces(screen, widget, spans) if is_ours and spans else None
            if found is None:
                widget.refresh_spans(spans)
            else:
                pieces += found
                written.append(widget)
        if pieces:
            difference, at = Difference(self._wire, pieces, self.size.width), Message().time
            self._display(screen, cast("RenderableType", difference))
            for widget in written:
                widget.notice_written(at)

    def write_raw(self, text: str) -> None:
        """Send an escape sequence to the terminal."""
        if self._driver is not None:
            self._driver.write(text)
            self._driver.flush()

    def show_title(self, text: str) -> None:
        """Set the terminal's title; the one from before is given back at the end."""
        self._title.show(self._driver, text)

    def redraw(self) -> None:
        """Draw every cell anew, for a terminal that another program has scribbled on."""
        self._wire.forget()
        self.screen.refresh(layout=True)

    def on_resize(self) -> None:
        """A resized terminal has moved and cut what was on it."""
        self._wire.forget()

    def on_driver_signal_resume(self) -> None:
        """Back from the shell: the screen is blank."""
        self.redraw()

    # -- how it ends -----------------------------------------------------------------------------

    def leave_with(self, code: int) -> None:
        """End in order, with this exit code."""
        self.exit(return_code=code)

    def on_hung_up(self, _: HungUp) -> None:
        """The terminal is gone; nobody looks any more."""
        end_anyway(HUNG_UP)
        self.leave_with(HUNG_UP)

    async def on_unmount(self) -> None:
        """Give the terminal its title back."""
        self._title.restore(self._driver)

    def end_by(self, error: Exception) -> None:
        """End with the traceback of an error that nobody foresaw. Any thread may call."""
        self.call_later(self._handle_exception, error)

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
