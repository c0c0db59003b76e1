"""The terminal around the console: its driver, its title, and what happens when it goes away.

Textual installs no handler for SIGTERM and SIGHUP, which leaves the terminal broken; its input
thread spins at 124 % of a core when the terminal's other end is closed, and looks ten times a
second whether it is to end. All three are mended here.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import termios
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key, MouseEvent, Paste, Resize
from textual.geometry import Size
from textual.message import Message

from canary.paint import screen as first_paint
from canary.rollout.text import sanitize
from tui.terminal.writers import let_in, shut_out

if TYPE_CHECKING:
    from textual.app import App
    from textual.driver import Driver

SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
GRACE_S: Final = 3.0
"""How long an orderly end may take after a signal before the process ends anyway."""

UNFINISHED_S: Final = 1.0
"""For so long after the last key the parser is asked whether an Esc was one: it says so within a
tenth of a second."""
TICK_S: Final = 0.05

MOST_COLUMNS: Final = 600
MOST_LINES: Final = 250
"""A terminal that says it is larger lies, or is none: a frame of 65535 × 65535 never ends."""

SAVE_TITLE: Final = "\x1b[22;2t"
RESTORE_TITLE: Final = "\x1b[23;2t"


class HungUp(Message):
    """The terminal is gone: its input has ended or fails."""


class Leaving(threading.Event):
    """That no more keys are to be read; select(2) can wait for it together with the next key."""

    def __init__(self) -> None:
        super().__init__()
        self._inner, self._outer = os.pipe()

    def __del__(self) -> None:
        """Give both ends back: a process opens one console after another."""
        os.close(self._inner)
        os.close(self._outer)

    def fileno(self) -> int:
        """Readable while it is set."""
        return self._inner

    def set(self) -> None:
        """Set it; whoever waits wakes."""
        if not self.is_set():
            super().set()
            os.write(self._outer, b".")

    def clear(self) -> None:
        """Keys may be read again."""
        if self.is_set():
            super().clear()
            os.read(self._inner, 64)


class ConsoleDriver(LinuxDriver):
    """Textual's driver, plus the end of the input.

    A closed pty is readable for ever and gives nothing. A second thread asks poll(2) for hang-up
    only, so that no key wakes it; it ends with the driver, for whoever leaves one console opens
    others in the same terminal.

    The first start takes a painted terminal over as it is: the alternate screen is not entered a
    second time, since terminals clear it then. What was typed before `listen` acts on nothing: it
    was meant for something else, or typed blindly.
    """

    _watching: int | None = None
    """Closed, it ends the watch: the writing end of a pipe."""
    _mode: int | None = None
    """Of the terminal, while messages of other users are refused."""
    _listens = False
    _is_entered = False

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self.exit_event: Leaving = Leaving()
        if self._size is None:
            # Before the first frame the app would ask the terminal itself.
            self._size = self._get_terminal_size()

    def _get_terminal_size(self) -> tuple[int, int]:
        columns, lines = super()._get_terminal_size()
        return min(columns, MOST_COLUMNS), min(lines, MOST_LINES)

    def process_message(self, message: Message) -> None:
        """Pass a message on; a size that the terminal tells by itself is believed no more."""
        if not self._listens and isinstance(message, Key | Paste | MouseEvent):
            return
        if isinstance(message, Resize):
            size = Size(min(message.size.width, MOST_COLUMNS), min(message.size.height, MOST_LINES))
            message = Resize(size, size, size, message.pixel_size)
        super().process_message(message)

    def start_application_mode(self) -> None:
        """Start, and watch the terminal's other end."""
        if self._mode is None:
            self._mode = shut_out(self.fileno)
        before = first_paint.take_over()
        self._is_entered = before is not None
        if not self._listens:
            with contextlib.suppress(termios.error):
                termios.tcflush(self.fileno, termios.TCIFLUSH)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if before is not None:
            self.attrs_before = before
        if self._watching is None:
            over, self._watching = os.pipe()
            watch = threading.Thread(
                target=self._watch, args=(over,), name="terminal-watch", daemon=True
            )
            watch.start()

    def stop_application_mode(self) -> None:
        """Stop; others may write on the terminal again, if they might before."""
        super().stop_application_mode()
        let_in(self.fileno, self._mode)
        self._mode = None

    def close(self) -> None:
        """End, and the watch with it."""
        super().close()
        watching, self._watching = self._watching, None
        if watching is not None:
            os.close(watching)

    def listen(self) -> None:
        """The first frame is out: keys act from now on."""
        self._listens = True

    def write(self, data: str) -> None:
        """Write to the terminal, but for the entering of a screen that is entered already."""
        if self._is_entered and data == first_paint.ENTER:
            self._is_entered = False
            return
        super().write(data)

    def run_input_thread(self) -> None:
        """Hand keys on until input is disabled; between two keys nothing runs."""
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")("replace").decode
        until = 0.0
        while not self.exit_event.is_set():
            wait_s = TICK_S if time.monotonic() < until else None
            ready, _, _ = select.select([self.fileno, self.exit_event], [], [], wait_s)
            if self.fileno in ready:
                data = os.read(self.fileno, 4096)
                if not data:
                    raise EOFError
                until = time.monotonic() + UNFINISHED_S
                if text := decode(data):  # the parser takes nothing for the end
                    for event in parser.feed(text):
                        self.process_message(event)
            for event in parser.tick():
                self.process_message(event)

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except (OSError, EOFError):  # EIO: the other end was closed
            self._hang_up()
        except Exception as error:  # noqa: BLE001 – the thread's boundary; the app reports and ends
            self._app.call_later(self._app._handle_exception, error)

    def _watch(self, over: int) -> None:
        poll = select.poll()
        poll.register(self.fileno, 0)
        poll.register(over, 0)
        while not (seen := poll.poll()):
            pass
        os.close(over)
        if any(number == self.fileno for number, _ in seen):
            self._hang_up()

    def _hang_up(self) -> None:
        self.exit_event.set()
        silence()
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self._app.post_message(HungUp())


def silence() -> None:
    """Point the standard streams to nowhere: writing to a terminal that is gone fails or blocks."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        os.close(nowhere)


def handle_signals(leave: Callable[[int], None]) -> None:
    """On SIGTERM and SIGHUP let the running loop call `leave(128 + signal)`.

    The handlers are Python's, not the loop's: a stalled terminal blocks the loop in a write, and
    the grace has to begin all the same. Off the main thread (tests) nothing is installed.
    """
    loop = asyncio.get_running_loop()

    def received(number: int, _frame: object) -> None:
        end_anyway(128 + number)
        if number == signal.SIGHUP:
            silence()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(leave, 128 + number)

    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, received)


def end_anyway(code: int) -> None:
    """End the process with `code` after GRACE_S, whatever still hangs then."""
    timer = threading.Timer(GRACE_S, os._exit, args=(code,))
    timer.daemon = True
    timer.start()


class Title:
    """The terminal's title; written only when it changes."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, driver: Driver | None, text: str) -> None:
        """Set the title. `text` may hold names from outside and is made plain."""
        bare = sanitize(text, 120)
        if driver is None or bare == self._shown:
            return
        driver.write(f"{'' if self._shown else SAVE_TITLE}\x1b]2;{bare}\x07")
        self._shown = bare

    def restore(self, driver: Driver | None) -> None:
        """Give back the title that was there before."""
        if driver is not None and self._shown:
            driver.write(RESTORE_TITLE)
            self._shown = ""
