"""What was seen of both sides and is not judged, by reason."""

from __future__ import annotations

import msgspec


class LeftOut(msgspec.Struct, frozen=True):
    """What was seen and not judged, by reason; `requests` of both sides."""

    reason: str
    windows: int
    seconds: float
    requests: int


def note_left_out(before: tuple[LeftOut, ...], more: LeftOut) -> tuple[LeftOut, ...]:
    """With one more, added to those of the same reason; unchanged where it is nothing."""
    if not more.windows and not more.requests:
        return before
    known = {entry.reason: entry for entry in before}
    was = known.get(more.reason, LeftOut(more.reason, 0, 0.0, 0))
    known[more.reason] = LeftOut(
        more.reason,
        was.windows + more.windows,
        was.seconds + more.seconds,
        was.requests + more.requests,
    )
    return tuple(known.values())
