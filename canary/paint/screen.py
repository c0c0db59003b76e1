"""The terminal between the first paint and the screen: entered once, given back whatever happens.

While it is painted nothing that is typed is echoed. `take_over` hands the terminal to the screen as
it is, so that nothing is cleared in between; `give_back` leaves it as it was found, for the
sentence that says why there is no screen. One process has one terminal, so there is one state.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import Any, Final

ENTER: Final = "\x1b[?1049h"
_HIDE_CURSOR: Final = "\x1b[?25l"
_LEAVE: Final = b"\x1b[m\x1b[?1049l\x1b[?25h"
INTERRUPTED: Final = b"canary: Interrupted.\n"
EXIT_INTERRUPTED: Final = 130
_IN, _OUT, _SCREEN = 0, 1, 2
"""The screen is drawn on standard error, as Textual does."""

_LFLAG, _CC = 3, 6
"""Where termios keeps the local modes and the control characters."""

Attributes = list[Any]


class _Held:
    """What the terminal was set to before it was painted; None: it is not ours."""

    before: Attributes | None = None


def is_paintable() -> bool:
    """Whether the console would draw here, in UTF-8, and this process is not in the background."""
    if not all(os.isatty(each) for each in (_IN, _OUT, _SCREEN)):
        return False
    stream = sys.__stderr__
    encoding = "" if stream is None else stream.encoding.lower()
    if encoding.replace("-", "").replace("_", "") != "utf8":
        return False
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return False
    try:
        return os.tcgetpgrp(_IN) == os.getpgrp()
    except OSError:  # no terminal of this session: nothing could stop it for drawing here
        return True


def find_size() -> tuple[int, int]:
    """Columns and lines, as Textual's driver finds them."""
    try:
        given = int(os.environ.get("COLUMNS", "")), int(os.environ.get("LINES", ""))
    except ValueError:
        given = 0, 0
    try:
        found = tuple(os.get_terminal_size(_OUT))
    except OSError:
        found = 0, 0
    columns, lines = (g if g > 0 else f for g, f in zip(given, found, strict=True))
    return columns or 80, lines or 24


def paint(text: str) -> None:
    """Enter the alternate screen and show `text` on it. Nothing where the terminal is not ours.

    From now on keys are not echoed; Ctrl+C still ends the program, Ctrl+Z and Ctrl+\\ do nothing.
    """
    try:
        import termios  # not on every system
    except ImportError:
        return
    try:
        before = termios.tcgetattr(_IN)
        mode = termios.tcgetattr(_IN)
        mode[_LFLAG] &= ~(termios.ECHO | termios.ICANON)
        for key in (termios.VSUSP, termios.VQUIT):
            mode[_CC][key] = os.fpathconf(_IN, "PC_VDISABLE").to_bytes(1, "little")
        _Held.before = before
        termios.tcsetattr(_IN, termios.TCSAFLUSH, mode)
    except (termios.error, OSError, ValueError):
        _Held.before = None
        return
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    _write(f"{ENTER}{_HIDE_CURSOR}{text}".encode())


def take_over() -> Attributes | None:
    """The terminal is the screen's from now on. What it was set to before the paint; None: there
    was none.
    """
    before, _Held.before = _Held.before, None
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return before


def give_back() -> None:
    """Leave the alternate screen, drop what was typed meanwhile; nothing where it is not ours."""
    before = take_over()
    if before is None:
        return
    import termios

    _write(_LEAVE)
    with contextlib.suppress(termios.error):
        termios.tcsetattr(_IN, termios.TCSAFLUSH, before)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, _frame: FrameType | None) -> None:
    """SIGTERM before the screen has its own handler."""
    give_back()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Ctrl+C before the screen has the keys. Nothing has begun that would have to be ended, and an
    exception may be lost: Python drops it, with a traceback, where it meets the end of an import.
    """
    give_back()
    _write(INTERRUPTED)
    os._exit(EXIT_INTERRUPTED)


def _write(body: bytes) -> None:
    """All of it; a terminal that is gone takes nothing."""
    with contextlib.suppress(OSError):
        while body:
            body = body[os.write(_SCREEN, body) :]
