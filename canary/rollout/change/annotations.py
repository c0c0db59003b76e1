"""What persons have written on a service beside the stage record, by topic. Pure.

Each topic has an annotation of its own, whose text is JSON with the id of the change that wrote it:
by that a change is looked up, and of two people who write at once one is told.
"""

from __future__ import annotations

import msgspec


class _Written(msgspec.Struct):
    change: str = ""


def annotation_key(record: str, topic: str) -> str:
    """The annotation of a topic beside the record's own: "canary-console/hold"."""
    prefix, _, name = record.partition("/")
    return f"{prefix}/{topic}" if name != topic else f"{prefix}/{name}-{topic}"


def writer_of(text: str) -> str:
    """The id of the change that wrote an annotation; "" where none is told, or nothing is there."""
    try:
        return msgspec.json.decode(text.encode(), type=_Written).change
    except (msgspec.DecodeError, UnicodeEncodeError):
        return ""
