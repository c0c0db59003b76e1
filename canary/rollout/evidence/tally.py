"""Requests and bad ones of both sides since the split changed, and of the last minutes apart.

Counted on judged windows only. Where a sample of the request log is read, a request stands for as
many as were left aside: the numbers are then estimates of all.
"""

from __future__ import annotations

from typing import Final

import msgspec

from canary.rollout.evidence.interval import Likelihood, RatioInterval, estimate_ratio
from canary.rollout.evidence.ratio import Counts

RECENT_S: Final = 300.0
"""The rate is of so much of the past."""

_PART_S: Final = 30.0


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Judged windows in (since, until], `seconds` of them; requests, and the bad ones."""

    since: float
    until: float
    seconds: float = 0.0
    legacy: float = 0.0
    canary: float = 0.0
    bad_legacy: float = 0.0
    bad_canary: float = 0.0

    def add(self, counts: Counts, scale: float) -> Part:
        """With one more window, each request of which stands for `scale` of them."""
        return Part(
            min(self.since, counts.start),
            max(self.until, counts.end),
            self.seconds + counts.end - counts.start,
            self.legacy + scale * counts.legacy,
            self.canary + scale * counts.canary,
            self.bad_legacy + scale * counts.bad_legacy,
            self.bad_canary + scale * counts.bad_canary,
        )

    @property
    def legacy_ratio(self) -> float | None:
        """Legacy's bad requests ÷ all; None without requests."""
        return self.bad_legacy / self.legacy if self.legacy else None

    @property
    def excess(self) -> float | None:
        """Canary's bad requests beyond what Legacy's ratio would make of them; below 0 where there
        are fewer. None: Legacy had no request to compare with.
        """
        ratio = self.legacy_ratio
        return None if ratio is None else self.bad_canary - self.canary * ratio


class Tally(msgspec.Struct, frozen=True):
    """All since the split changed (None: no window yet), and parts of the newest minutes, oldest
    first. `sampled` is the least share of the log that was read, 0…1.
    """

    whole: Part | None = None
    recent: tuple[Part, ...] = ()
    sampled: float = 1.0

    def add(self, counts: Counts, sampled: float) -> Tally:
        """With one more window, of which a share `sampled` was read."""
        scale = 1.0 / sampled if 0.0 < sampled < 1.0 else 1.0
        whole = (self.whole or Part(counts.start, counts.start)).add(counts, scale)
        kept = [part for part in self.recent if part.until > counts.end - RECENT_S]
        last = kept[-1] if kept else None
        if last is not None and last.since // _PART_S == counts.start // _PART_S:
            kept[-1] = last.add(counts, scale)
        else:
            kept.append(Part(counts.start, counts.start).add(counts, scale))
        return Tally(whole, tuple(kept), min(self.sampled, sampled))

    @property
    def newest(self) -> Part | None:
        """The recent parts as one; None without any."""
        if not self.recent:
            return None
        parts = self.recent
        return Part(
            min(p.since for p in parts),
            max(p.until for p in parts),
            sum(p.seconds for p in parts),
            sum(p.legacy for p in parts),
            sum(p.canary for p in parts),
            sum(p.bad_legacy for p in parts),
            sum(p.bad_canary for p in parts),
        )


class Toll(msgspec.Struct, frozen=True):
    """One kind of bad request, as it is handed on: all since the split changed, the newest minutes,
    and how many times as often it meets Canary (at any look). None: nothing is known of it.
    """

    whole: Part | None = None
    newest: Part | None = None
    interval: RatioInterval | None = None
    sampled: float = 1.0


def toll_of(tally: Tally, since: Likelihood, alpha: float) -> Toll:
    """The toll of a tally; `since`: the likelihood of the ratio over the same windows."""
    return Toll(tally.whole, tally.newest, estimate_ratio(since, alpha), tally.sampled)
