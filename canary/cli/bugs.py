"""A mistake in this program is written down in a bounded file that only its owner can read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from canary.host.home import expand_home, personal_dir
from canary.host.logs import mask, open_private
from canary.host.owners import find_weakness, make_directories
from canary.rollout.errors import CanaryError

BUG_LOG: Final = "canary.log"
BUG_LOG_BYTES: Final = 1_000_000


def describe_bug(error: BaseException) -> str:
    """Write it down, and say in one sentence what it was and where the details are."""
    kept = write_bug(error)
    where = f"The details are in {kept}." if kept else "The details could not be written down."
    return f"A mistake in this program: {type(error).__name__}. {where}"


def write_bug(error: BaseException) -> Path | None:
    """Append the traceback (without values of variables: they may hold secrets).

    Returns the file, or None when it cannot be written; that must not hide the mistake itself.
    """
    import traceback
    from datetime import UTC, datetime

    try:
        path = _directory() / BUG_LOG
        make_directories(path.parent)
        if find_weakness(path.parent) is not None:
            return None  # a traceback is not for a directory in which others can write
        if path.exists() and path.stat().st_size > BUG_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        lines = mask("".join(traceback.format_exception(error)))
        with os.fdopen(open_private(path), "a") as file:
            file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n{lines}\n")
    except (OSError, CanaryError):
        return None
    return path


def _directory() -> Path:
    override = os.environ.get("CANARY_STATE_DIR")
    if override:
        return expand_home(override, "CANARY_STATE_DIR")
    return personal_dir("state", "CANARY_STATE_DIR")
