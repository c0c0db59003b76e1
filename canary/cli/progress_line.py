"""One line about what goes on: rewritten in place at a terminal, now and then in a log."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TextIO

CLEAR: Final = "\r\x1b[K"
LEAST_PAUSE_S: Final = 0.1
LOG_EVERY_S: Final = 60.0


class ProgressLine:
    """Shows the newest text on standard error; at its end a terminal's line is cleared again.

    Written only when there is news (no spinner), at most ten times a second. To what is no
    terminal, at most one line a minute.
    """

    def __init__(
        self, stream: TextIO | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._monotonic = monotonic
        self._in_place = self._stream.isatty()
        self._shown_at: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._in_place:
            self._write(CLEAR)

    def show(self, text: str, *, at_once: bool = False) -> None:
        """Show a text; at a terminal cut to one line, and `at_once` without waiting its turn."""
        now = self._monotonic()
        pause_s = LEAST_PAUSE_S if self._in_place else LOG_EVERY_S
        due = self._shown_at is None or now >= self._shown_at + pause_s
        if not (due or (at_once and self._in_place)):
            return
        self._shown_at = now
        self._write(CLEAR + _cut(text) if self._in_place else text + "\n")

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


def _cut(text: str) -> str:
    width = shutil.get_terminal_size().columns
    return text if len(text) < width else text[: max(0, width - 2)] + "…"
