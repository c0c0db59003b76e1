"""Files under the outputs directory: JSON, replaced in one step, for their owner's eyes.

The directory is made 0700, its files 0600. A directory that is there already stays as it is.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from canary.rollout.errors import RecordError


def write_output(path: Path, document: Mapping[str, Any]) -> None:
    """Replace the file (0600): a reader sees the old one or the new one, whole.

    The directory is made when it is missing. Raises RecordError; the old file is then untouched.
    """
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_result(path: Path, document: Mapping[str, Any]) -> None:
    """As `write_output`, for a result that a gate goes by: the newest counts, written or not.

    Where it cannot be written, an earlier one is put aside. Raises RecordError, which says so.
    """
    try:
        write_output(path, document)
    except RecordError as error:
        aside = path.with_name(f"{path.name}.old")
        try:
            path.replace(aside)
        except OSError:
            raise error from None
        said = f"{error.message} What an earlier test found counts no more; it is in {aside.name}."
        raise RecordError(said, remedy=error.remedy) from error


def write_text(path: Path, text: str) -> None:
    """The same for a text, as UTF-8."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, text.encode())
    except OSError as exc:
        raise RecordError(
            f"{path} could not be written: {exc.strerror or exc}.",
            remedy="Make the directory writable, or set record.outputs in the plan.",
        ) from exc


def replace_file(path: Path, body: bytes, mode: int = 0o600) -> None:
    """Replace a file in one step, on the disk when this returns. Raises OSError."""
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(body)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
