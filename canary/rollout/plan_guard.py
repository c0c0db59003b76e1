"""The plan's table of automatic rollback. Part of `plan`, in a file of its own."""

from __future__ import annotations

import msgspec

from canary.rollout.plan_mistakes import Found, check_range


class Guarding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Automatic rollback: how long a person can still stop it (real seconds), how often it may act
    in 24 hours, and whether it is armed from the start.
    """

    countdown_s: float = 60.0
    max_per_day: int = 3
    armed: bool = False


def find_guard_mistakes(guard: Guarding) -> Found:
    """Every rule that the table breaks."""
    yield from check_range("guard.countdown_s", guard.countdown_s, 5, 3600)
    yield from check_range("guard.max_per_day", guard.max_per_day, 1, 50)
