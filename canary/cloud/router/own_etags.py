"""Which etags are ours: what an earlier step has turned an etag into, so that a later one of the
same change is not refused for it.
"""

from __future__ import annotations

from typing import Final

MOST_KEPT: Final = 100
"""Changes have a few steps each; a process that carries them out for months forgets the oldest."""


class OwnEtags:
    """Operations under way, and what those that have ended made of the etag they replaced."""

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}
        self._became: dict[str, str] = {}

    def note_sent(self, operation: str, etag: str) -> None:
        """An update of ours that is to replace `etag` is under way as `operation`."""
        _keep(self._sent, operation, etag)

    def take_sent(self, operation: str) -> str | None:
        """The etag that an operation, which has ended, was to replace; None: it is not known."""
        return self._sent.pop(operation, None)

    def note_became(self, before: str, after: str) -> None:
        """An update of ours has turned one etag into another."""
        _keep(self._became, before, after)

    def newest(self, etag: str) -> str:
        """The etag that an earlier step of ours turned `etag` into; else itself."""
        return self._became.get(etag, etag)


def _keep(known: dict[str, str], key: str, value: str) -> None:
    known.pop(key, None)
    known[key] = value
    while len(known) > MOST_KEPT:
        del known[next(iter(known))]
