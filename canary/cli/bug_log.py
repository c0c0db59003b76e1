"""Where a mistake in this program is written down: a bounded file that only its owner can read."""

from __future__ import annotations

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

NAME: Final = "canary.log"
MAX_BYTES: Final = 1_000_000


def write_bug(error: BaseException) -> Path | None:
    """Append the traceback (without values of variables: they may hold secrets).

    Returns the file, or None when it cannot be written; that must not hide the mistake itself.
    """
    try:
        path = _directory() / NAME
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MAX_BYTES:
            path.replace(path.with_suffix(".log.1"))
        lines = "".join(traceback.format_exception(error))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n{lines}\n")
    except OSError:
        return None
    return path


def _directory() -> Path:
    override = os.environ.get("CANARY_STATE_DIR")
    if override:
        return Path(override).expanduser()
    from platformdirs import user_state_path

    return user_state_path("canary-console", appauthor=False)
