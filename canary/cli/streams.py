"""Standard output and error that may be lost: a full disk under a log, a terminal that has gone.

What a command does matters more than that it can be read. A change that is made is not a mistake of
this program because its last line found no room, a rollback that waits does not end for it, and
automatic rollback goes on guarding. What is lost is thrown away; the end of the command says so.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import Any, Final, TextIO

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
