"""The newest monitor file, read back for a validation: ours, or one of the procedure's scripts.

Needed are only the four fields of `canary`; each that is missing or null is "no data" for its own
criterion. What else our own files say (counts, freshness, stage, soak) is used where it is there.
"""

from __future__ import annotations

import glob
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from canary.rollout.decision.tree import DataState
from canary.rollout.errors import RecordError, UsageError
from canary.rollout.export.monitor_document import time_of_name
from canary.rollout.measure.samples import MIN_COUNT_FOR_TAIL, Window
from canary.rollout.text import AtLeast, format_iso_time, sanitize
from canary.store.outputs import read_document, read_time_of, show_value, written_at_of

_STATES: Final = get_args(DataState)


class MonitorFile(msgspec.Struct, frozen=True):
    """What one file says of Canary. `window` holds None where it says nothing.

    `at` is when it was taken, `written_at` the file's own time on this host's clock. `data` is "ok"
    unless the file says otherwise; `stage` and `soaked_hours` None when it does not tell.
    """

    path: Path
    at: float
    written_at: float
    window: Window
    data: DataState
    stage: int | None = None
    soaked_hours: float | None = None


def find_newest(pattern: str) -> Path:
    """The newest file that a glob names: by the time in its name, else by the file's own.

    Raises UsageError when there is none.
    """
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207 - absolute too
    files = [path for path in found if path.is_file()]
    if not files:
        raise UsageError(
            f'No file matches "{sanitize(pattern, 200)}".',
            remedy="`canary monitor` writes them; quote the pattern, so that the shell leaves it.",
        )
    return max(files, key=lambda path: (_time_of(path), path.name))


def read_monitor_file(path: Path) -> MonitorFile:
    """One file. Raises RecordError when it cannot be read, is cut off, or is something else."""
    try:
        document = read_document(path, _broken)
    except FileNotFoundError as exc:
        raise RecordError(f"{sanitize(path)} cannot be read: {exc.strerror}.") from exc
    canary = document.get("canary")
    if not isinstance(canary, dict):
        raise _broken(path, "it has no object `canary`")
    at = _timestamp(path, document)
    stage = document.get("stage")
    stage = stage if isinstance(stage, dict) else {}
    index, soaked = _number(path, "stage.index", stage), _number(path, "stage.soaked_hours", stage)
    return MonitorFile(
        path=path,
        at=at,
        written_at=written_at_of(path),
        window=_window(path, canary, at),
        data=_data(path, canary),
        stage=int(index) if index is not None and index.is_integer() else None,
        soaked_hours=soaked,
    )


def _window(path: Path, canary: Mapping[str, Any], at: float) -> Window:
    requests = _count(path, "canary.request_count", canary)
    scores = _count(path, "canary.confidence_count", canary)
    p95_ms = _number(path, "canary.p95_response_time_ms", canary)
    beyond_ms = _number(path, "canary.p95_at_least_ms", canary)
    if p95_ms is None and beyond_ms is not None:
        p95_ms = AtLeast(beyond_ms)
    return Window(
        start=at,
        end=at,
        requests=requests,
        error_ratio=_ratio(path, "canary.error_rate", canary),
        success_ratio=_ratio(path, "canary.success_rate", canary),
        p95_ms=p95_ms,
        # Who does not count his values is taken at his word, as the procedure's scripts are.
        latency_count=requests if requests is not None else MIN_COUNT_FOR_TAIL,
        confidence=_ratio(path, "canary.avg_confidence_score", canary),
        confidence_count=scores if scores is not None else MIN_COUNT_FOR_TAIL,
        newest_at=at,
    )


def _data(path: Path, canary: Mapping[str, Any]) -> DataState:
    said = canary.get("data", "ok")
    if said not in _STATES:
        expected = ", ".join(_STATES)
        raise _broken(path, f"`canary.data` is {show_value(said)}, expected one of {expected}")
    state: DataState = said
    return state


def _timestamp(path: Path, document: Mapping[str, Any]) -> float:
    """When it was taken: what it says, else its name, else the file's own time."""
    named = time_of_name(path.name)
    is_utc = named is not None and path.stem.endswith("Z")
    if document.get("timestamp") is not None:
        certain = named if is_utc else None
        return read_time_of(path, "timestamp", document["timestamp"], _broken, certain)
    if named is None or is_utc:
        return written_at_of(path) if named is None else named
    said = str(format_iso_time(named)).removesuffix("Z")
    return read_time_of(path, "the time in its name", said, _broken)


def _time_of(path: Path) -> float:
    named = time_of_name(path.name)
    if named is not None:
        return named
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _number(path: Path, name: str, table: Mapping[str, Any]) -> float | None:
    """A number that is not below zero; None for null and for nothing. Everything else is broken."""
    value = table.get(name.rpartition(".")[2])
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _broken(path, f"`{name}` is {show_value(value)}, expected a number")
    if not math.isfinite(value):
        return None  # Python's mean of nothing: no data for what rests on this field alone
    if not 0 <= value < 1e15:
        raise _broken(path, f"`{name}` is {show_value(value)}, expected a number from 0")
    return float(value)


def _ratio(path: Path, name: str, table: Mapping[str, Any]) -> float | None:
    value = _number(path, name, table)
    if value is not None and value > 1:
        raise _broken(path, f"`{name}` is {value:g}, expected a ratio of 0 to 1")
    return value


def _count(path: Path, name: str, table: Mapping[str, Any]) -> int | None:
    value = _number(path, name, table)
    return None if value is None else int(value)


def _broken(path: Path, why: str) -> RecordError:
    return RecordError(
        f"{sanitize(path)} cannot be used as a monitor file: {why}.",
        remedy="Take another one, or validate on live metrics without --from.",
    )
