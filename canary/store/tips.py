"""How many of the demo's tips somebody has dismissed on this host, as a number in a file."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

FILE: Final = "tips"


class TipsFile:
    """`dismissed` tips are never shown again. A file that cannot be read or written is none: a tip
    that comes once more does no harm.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self.dismissed = _read(self._path)

    def dismiss(self) -> None:
        """Count the present tip as seen."""
        self.dismissed += 1
        with contextlib.suppress(OSError):
            self._path.write_text(f"{self.dismissed}\n")


def _read(path: Path) -> int:
    try:
        text = path.read_text()[:20].strip()
    except (OSError, UnicodeDecodeError):
        return 0
    return int(text) if text.isascii() and text.isdigit() else 0
