"""How commands speak: plain lines for people, JSON for programs. Colour is left to neither."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO, TypeVar

import click

from canary.rollout.errors import RecordError
from canary.rollout.text import (
    format_count,
    format_milliseconds,
    format_ratio,
    format_score,
    keep_printable,
    sanitize,
)


def say(line: str = "") -> None:
    """A line, or a text of several, on standard output; nothing in it acts on a terminal."""
    line = "\n".join(map(keep_printable, line.split("\n")))
    click.echo(fit_encoding(line, _encoding()))


def complain(sentence: object, limit: int = 1000) -> None:
    """A sentence on standard error, in the program's name; of the text at most `limit` is shown."""
    said = f"canary: {sanitize(sentence, limit)}"
    click.echo(fit_encoding(said, sys.stderr.encoding or "utf-8"), err=True)


_GLYPHS: Final = "✓✗◐▼▲▸●○→←≤≥≠−–—×·…÷±“”’"
_INSTEAD: Final = '+ x ~ v ^ > * o -> <- <= >= != - - - x . ... / +- " " \''
_ASCII: Final = dict(zip(_GLYPHS, _INSTEAD.split(), strict=True))
"""Never "?", which means "no data" here."""


def fit_encoding(text: str, encoding: str) -> str:
    """The text as `encoding` can have it: glyphs that it lacks in ASCII, else "_"."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_fit(c, encoding) for c in text)
    except LookupError:
        return text
    return text


def _fit(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return _ASCII.get(character, "_")
    return character


def say_written(path: object) -> None:
    """Where the result was written."""
    say(f"Written to {sanitize(path)}.")


def print_json(document: Any) -> None:
    """A document on standard output, indented, in the order of its keys."""
    ascii_only = _encoding().lower().replace("-", "") != "utf8"
    text = json.dumps(document, indent=2, ensure_ascii=ascii_only, allow_nan=False)
    click.echo(text if ascii_only else "\n".join(map(_escape, text.split("\n"))))


def print_table(rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Rows with their columns aligned; empty rows make nothing."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        say(f"{indent}{'  '.join(cells)}".rstrip())


FIGURES: Final[tuple[tuple[str, Callable[[Any], str]], ...]] = (
    ("requests", format_count),
    ("error_ratio", format_ratio),
    ("success_ratio", format_ratio),
    ("p50_ms", format_milliseconds),
    ("p95_ms", format_milliseconds),
    ("p99_ms", format_milliseconds),
    ("confidence", format_score),
)


def figure_rows(*sides: object) -> list[tuple[str, ...]]:
    """A row for each of FIGURES, which all `sides` have, and a column for each side."""
    return [
        (name.removesuffix("_ms").replace("_", " "), *(show(getattr(s, name)) for s in sides))
        for name, show in FIGURES
    ]


def _escape(line: str) -> str:
    """A line of JSON, with what a terminal would act on written as JSON writes it: \\u009b."""
    if line.isprintable():
        return line
    return "".join(c if keep_printable(c) else json.dumps(c)[1:-1] for c in line)


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"


# One line about what goes on: rewritten in place at a terminal, now and then in a log.

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
        self._stream.write(fit_encoding(text, self._stream.encoding or "utf-8"))
        self._stream.flush()


def _cut(text: str) -> str:
    width = shutil.get_terminal_size().columns
    return text if len(text) < width else text[: max(0, width - 2)] + "…"


# A result that took long to come by is said, whether or not its file can be written.

KeptT = TypeVar("KeptT")


def keep(write: Callable[[], KeptT]) -> tuple[KeptT | None, RecordError | None]:
    """What `write` returns, or why it could not be written."""
    try:
        return write(), None
    except RecordError as error:
        return None, error


def conclude(code: int, error: RecordError | None) -> int:
    """The exit code of a result that was said: its own, or 3 where all that fails is its file."""
    if error is None:
        return code
    complain(error)
    return code or error.exit_code


FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a system says where there is no room."""


class Acting:
    """Whether this process does something that must not end with its reader.

    Else a reader that has enough (`head`) ends the command, as everywhere in a shell.
    """

    now = False


def act() -> None:
    """From here on nothing that cannot be said ends what is being done."""
    Acting.now = True


class Forgiving(io.FileIO):
    """A file descriptor whose writing never fails; `lost` is what went wrong first."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd, "wb", closefd=False)
        self.lost: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write, or throw away: all of `data` counts as written then."""
        try:
            return super().write(data)
        except BrokenPipeError as error:
            if not Acting.now:
                raise
            self.lost = self.lost or error
        except OSError as error:
            self.lost = self.lost or error
        return len(memoryview(data).cast("B"))


def forgive() -> None:
    """Make standard output and error of this process forgiving; one that is closed is nowhere."""
    sys.stdout = _forgiving(sys.stdout)
    sys.stderr = _forgiving(sys.stderr)


def loss(stream: TextIO) -> OSError | None:
    """Why something said on `stream` was lost; None when nothing was."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.lost if isinstance(raw, Forgiving) else None


def _by_line(stream: TextIO) -> bool:
    return bool(getattr(stream, "line_buffering", False))


def _forgiving(stream: TextIO | None) -> TextIO:
    try:
        fd = stream.fileno() if stream is not None else -1
    except (OSError, ValueError):
        fd = -1
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if fd < 0:
        return stream
    stream.flush()
    buffer = io.BufferedWriter(Forgiving(fd))
    return io.TextIOWrapper(
        buffer, encoding=stream.encoding, errors=stream.errors, line_buffering=_by_line(stream)
    )
