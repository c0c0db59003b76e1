"""The engine's log file: what went wrong, bounded, readable by its owner only.

Without it, Python's logging writes warnings to stderr, in the middle of the screen.
"""

from __future__ import annotations

import contextlib
import io
import logging
import logging.handlers
import os
from pathlib import Path

LOG_FILE = "engine.log"
MOST_BYTES = 512 * 1024


class PrivateRotatingFileHandler(logging.handlers.RotatingFileHandler):
    """Rotates into files for their owner alone; the standard one goes by the umask."""

    def _open(self) -> io.TextIOWrapper:
        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        raw = io.FileIO(self.baseFilename, self.mode, opener=private)
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding=self.encoding)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: a full disk has no room for it, and the screen is no place for a traceback."""


class EngineLog:
    """From `open` to `close` everything from "warning" up goes to `directory`/engine.log."""

    def __init__(self, directory: Path) -> None:
        self._handler: logging.Handler = logging.NullHandler()
        with contextlib.suppress(OSError):  # a disk that cannot be written: then without a log
            path = directory / LOG_FILE
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            self._handler = PrivateRotatingFileHandler(
                path, maxBytes=MOST_BYTES, backupCount=1, encoding="utf-8", delay=True
            )
        self._handler.setLevel(logging.WARNING)
        self._handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
        )

    def open(self) -> None:
        """Begin."""
        logging.getLogger().addHandler(self._handler)

    def close(self) -> None:
        """End; closing twice is fine."""
        logging.getLogger().removeHandler(self._handler)
        with contextlib.suppress(OSError):  # what a full disk has not taken is tried once more here
            self._handler.close()
