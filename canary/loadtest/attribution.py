"""Which side answered: by the name in the response's header, else in its JSON body."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from canary.loadtest.settings import Sides

SideName = Literal["legacy", "canary", "unattributed"]

LONGEST_BODY = 100_000
"""A longer answer is not searched: it costs more than the request."""


def find_side(sides: Sides, headers: Any, body: bytes | None) -> SideName:
    """The side that answered; "unattributed" when nothing says so. `headers` is any mapping."""
    name = headers.get(sides.header) if headers is not None else None
    if not isinstance(name, str) or not name:
        name = _name_in(body, sides.field)
    if not name:
        return "unattributed"
    if name in sides.canary:
        return "canary"
    if sides.others_are_legacy or name in sides.legacy:
        return "legacy"
    return "unattributed"


def _name_in(body: bytes | None, field: str) -> str:
    if not body or len(body) > LONGEST_BODY or not body.lstrip().startswith(b"{"):
        return ""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return ""
    name = document.get(field) if isinstance(document, dict) else None
    return name if isinstance(name, str) else ""
