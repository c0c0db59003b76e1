"""The engine's log file: what went wrong, bounded, readable by its owner only.

Without it, Python's logging writes warnings to stderr, in the middle of the screen.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
from pathlib import Path

LOG_FILE = "engine.log"
MOST_BYTES = 512 * 1024


class EngineLog:
    """From `open` to `close` everything from "warning" up goes to `directory`/engine.log."""

    def __init__(self, directory: Path) -> None:
        self._handler: logging.Handler = logging.NullHandler()
        with contextlib.suppress(OSError):  # a disk that cannot be written: then without a log
            path = directory / LOG_FILE
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            self._handler = logging.handlers.RotatingFileHandler(
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
        self._handler.close()
