"""Other users' messages on the terminal (write(1), wall(1)) while the screen is drawn on it.

A terminal's group may write to it unless its owner says otherwise (mesg(1)), and a line that comes
so stands among what the screen says until that part is drawn again: "ROLLED BACK" as well.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Final

_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def shut_out(fd: int) -> int | None:
    """Refuse such messages on a terminal; its mode before, None where nothing was changed: it is no
    terminal, somebody else's, or refused them already.
    """
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        if mode & _OTHERS and os.isatty(fd):
            os.fchmod(fd, mode & ~_OTHERS)
            return mode
    return None


def let_in(fd: int, mode: int | None) -> None:
    """Allow them again, as it was before."""
    if mode is not None:
        with contextlib.suppress(OSError):
            os.fchmod(fd, mode)
