"""Which of Canary's instances are new: their first minutes are left out. Pure.

A cold start is slow, and no comparison within a window removes that. But an instance that crashes
is followed by a new one, again and again: what left those out would hide a crash loop. So new
instances are left out only as long as there are no more of them than scaling explains.
"""

from __future__ import annotations

from collections import deque
from typing import Final

UNKNOWN_FOR_S: Final = 60.0
"""What is seen first so soon after the log was opened may be of any age."""

STARTS_S: Final = 600.0
MOST_STARTS: Final = 2
STARTS_SHARE: Final = 0.25
"""In STARTS_S so many new ones are scaling: two, or a quarter of those that are known."""

FORGOTTEN_S: Final = 3600.0
MOST_KNOWN: Final = 5_000


class WarmUp:
    """The instances that were seen, by id, and since when. `warm_up_s` 0: none is ever new."""

    def __init__(self, warm_up_s: float) -> None:
        self._warm_up_s = warm_up_s
        self._opened_at = 0.0
        self._seen_at = 0.0
        self._known: dict[str, tuple[float, float]] = {}
        self._starts: deque[float] = deque()

    def open(self, now: float) -> None:
        """The log is read from now on; what came while it was not is of unknown age."""
        if now - self._seen_at > UNKNOWN_FOR_S:
            self._opened_at = now

    def is_cold(self, instance: str, at: float) -> bool:
        """Whether a request that ended at `at` was answered by an instance that is to be left out.

        Never where the log does not name the instance.
        """
        if not instance or self._warm_up_s <= 0:
            return False
        self._seen_at = max(self._seen_at, at)
        first, last = self._known.get(instance) or (self._first_of(at), at)
        self._known[instance] = (first, max(last, at))
        return at < first + self._warm_up_s and not self._is_restarting(at)

    def _first_of(self, at: float) -> float:
        """Since when an instance that is seen for the first time is there."""
        self._forget(at)
        if at < self._opened_at + UNKNOWN_FOR_S:
            return float("-inf")
        self._starts.append(at)
        return at

    def _is_restarting(self, at: float) -> bool:
        while self._starts and self._starts[0] <= at - STARTS_S:
            self._starts.popleft()
        warm = len(self._known) - len(self._starts)
        return len(self._starts) > max(MOST_STARTS, STARTS_SHARE * warm)

    def _forget(self, at: float) -> None:
        if len(self._known) < MOST_KNOWN and (len(self._known) < 100 or len(self._known) % 100):
            return
        recent = {k: v for k, v in self._known.items() if v[1] > at - FORGOTTEN_S}
        self._known = dict(list(recent.items())[-MOST_KNOWN // 2 :])
