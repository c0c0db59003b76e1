"""Update masks: which parts of a stored message an update replaces (google.aip.dev/161)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from canary.simulator.wire.errors import invalid_field


def copy_field(source: Any, target: Any, name: str) -> None:
    """Make a field of `target` what it is in `source`, absent included."""
    target.ClearField(name)
    field = source.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not source.HasField(name):
        return
    value = getattr(source, name)
    if hasattr(value, "MergeFrom"):  # a message, a list or a map
        if field.has_presence:
            getattr(target, name).SetInParent()
        getattr(target, name).MergeFrom(value)
    else:
        setattr(target, name, value)


def apply_mask(
    stored: Any,
    sent: Any,
    paths: Sequence[str],
    mutable: Collection[str],
    ignored: Collection[str],
) -> Any:
    """Return a copy of `stored` with the masked parts taken from `sent`.

    No paths, or `*`, replaces every field in `mutable`; a path is in snake_case and may lead
    into messages (`scaling.min_instance_count`), not into lists and maps, which are replaced
    whole. Paths to `ignored` fields (name, etag, what only the service writes) change nothing.
    Raises ApiError INVALID_ARGUMENT for a path that leads nowhere.
    """
    merged = type(stored)()
    merged.CopyFrom(stored)
    for path in mutable if not paths or "*" in paths else paths:
        first, *rest = path.split(".")
        if first in ignored:
            continue
        if first not in mutable:
            raise _no_path(path)
        _replace(sent, merged, [first, *rest], path)
    return merged


def _replace(source: Any, target: Any, parts: Sequence[str], path: str) -> None:
    *owners, last = parts
    for owner in owners:
        # Lists and maps have no DESCRIPTOR: a path ends there.
        if owner not in source.DESCRIPTOR.fields_by_name or not hasattr(
            getattr(source, owner), "DESCRIPTOR"
        ):
            raise _no_path(path)
        source, target = getattr(source, owner), getattr(target, owner)
    if last not in source.DESCRIPTOR.fields_by_name:
        raise _no_path(path)
    copy_field(source, target, last)


def _no_path(path: str) -> Exception:
    return invalid_field(
        "update_mask", path, "There is no such field that can be updated (paths are snake_case)."
    )
