"""Which changes are not finished: their end is not known, or they wait. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from canary.rollout.snapshot import ChangeView


def find_unfinished(changes: Iterable[ChangeView]) -> tuple[ChangeView, ...]:
    """Those whose end is not known, then those in flight; each newest first, as they are given."""
    known = tuple(changes)
    unknown = (c for c in known if c.outcome is not None and c.outcome.state == "unknown")
    return (*unknown, *(c for c in known if c.outcome is None))


def find_waiting(changes: Iterable[ChangeView]) -> ChangeView | None:
    """The newest that waits for Cloud Run, and of which nothing is on its way; None: there is none.

    A change that nobody has begun yet is not waiting: it is begun within a second.
    """
    return next((c for c in changes if _waits(c)), None)


def _waits(change: ChangeView) -> bool:
    waits = change.waiting_since is not None and change.is_withdrawable
    return waits and change.outcome is None
