"""rollout.toml: the stage record as a file that can be committed to git.

A copy for people. The authority is the annotation in the cloud, written in the same update as the
split; this file is written after it, atomically, and a failure to write never undoes a change.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import RecordError

_HEAD = (
    "# Where the rollout stands. Written by canary after each change of the split; the record on\n"
    "# the service in the cloud is the authority, this copy is for git.\n\n"
)


def stage_file_path(plan_path: Path, file: str) -> Path:
    """Where the stage file of a plan is: `file` (plan.record.file) beside canary.toml."""
    return plan_path.parent / file


def write_stage_file(path: Path, rollout: str, record: StageRecord) -> None:
    """Replace the file in one step: a reader sees the old one or the new one, whole.

    Raises RecordError; the old file is then untouched.
    """
    import tomli_w  # only after a change

    fields = msgspec.structs.asdict(record) | {"entered_at": _as_date(record.entered_at)}
    table = {key: value for key, value in fields.items() if value not in (None, "")}
    text = _HEAD + tomli_w.dumps({"rollout": rollout, "canary": table})
    try:
        _replace(path, text.encode())
    except OSError as exc:
        raise RecordError(
            f"{path} could not be written: {exc.strerror or exc}.",
            remedy="The split and its record in the cloud are not affected.",
        ) from exc


def read_stage_file(path: Path) -> StageRecord | None:
    """The record in the file; None when there is no file. Raises RecordError when it is broken."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise RecordError(f"{path} cannot be read: {exc}.", remedy=_REMEDY) from exc
    table: Any = document.get("canary")
    try:
        if isinstance(table, dict) and isinstance(table.get("entered_at"), datetime):
            table = table | {"entered_at": table["entered_at"].timestamp()}
        return msgspec.convert(table, StageRecord)
    except (msgspec.ValidationError, ValueError, OverflowError) as exc:
        raise RecordError(f"{path} holds no stage record: {exc}.", remedy=_REMEDY) from exc


_REMEDY = "Move it away: the next change of the split writes it anew."


def _as_date(unix: float) -> datetime | float:
    """A time as a TOML date in UTC; one that no calendar has stays a number."""
    try:
        return datetime.fromtimestamp(unix, UTC)
    except (OverflowError, ValueError, OSError):
        return unix


def _replace(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The umask's usual rights: unlike the journal this file is meant to be read and committed.
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
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


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current
