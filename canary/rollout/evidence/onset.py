"""Since when Canary looks worse, and how both sides have done since: what a proof rests on.

The mixture over starts says that one of its starts has proven a regression, not which: its terms
are summed up. What speaks most for Canary being twice as bad begins where the running log
likelihood ratio of that alternative was lowest (the estimate of a change point that Page's CUSUM
carries with it: Biometrika 1954). One mark is enough, so a window costs the same however long it
runs. After a healthy day the ratio of all that day would still look well; since the mark it does
not.
"""

from __future__ import annotations

import msgspec

from canary.rollout.evidence.ratio import WORSE_RATIOS, Counts, RatioTest

_TWICE = WORSE_RATIOS.index(2.0)


class Stretch(msgspec.Struct, frozen=True):
    """Requests of both sides in (since, until], and the bad ones among them."""

    since: float
    until: float
    legacy: int
    canary: int
    bad_legacy: int
    bad_canary: int

    @property
    def legacy_ratio(self) -> float | None:
        """Legacy's bad requests ÷ all; None without requests."""
        return self.bad_legacy / self.legacy if self.legacy else None

    @property
    def canary_ratio(self) -> float | None:
        """Canary's bad requests ÷ all; None without requests."""
        return self.bad_canary / self.canary if self.canary else None


class Onset(msgspec.Struct, frozen=True):
    """Where the log likelihood ratio was lowest (`lowest`), and the totals up to there.

    `since` None: no window has been seen.
    """

    since: float | None = None
    lowest: float = 0.0
    legacy: int = 0
    canary: int = 0
    bad_legacy: int = 0
    bad_canary: int = 0


def follow(onset: Onset, after: RatioTest, window: Counts) -> Onset:
    """The mark after `window`, which has brought the test to `after`."""
    if after.windows and onset.since is None:
        onset = Onset(window.start)
    value = after.log_sums[_TWICE]
    if onset.since is None or value >= onset.lowest:
        return onset
    return Onset(window.end, value, after.legacy, after.canary, after.bad_legacy, after.bad_canary)


def stretch_since(onset: Onset, test: RatioTest, until: float) -> Stretch | None:
    """What both sides did between the mark and `until`, where `test` stands; None: not known."""
    if onset.since is None:
        return None
    return Stretch(
        onset.since,
        until,
        test.legacy - onset.legacy,
        test.canary - onset.canary,
        test.bad_legacy - onset.bad_legacy,
        test.bad_canary - onset.bad_canary,
    )


def add_counts(before: Stretch | None, window: Counts) -> Stretch:
    """The stretch with one more window at its end; None: the window begins it."""
    if before is None:
        before = Stretch(window.start, window.start, 0, 0, 0, 0)
    return Stretch(
        before.since,
        window.end,
        before.legacy + window.legacy,
        before.canary + window.canary,
        before.bad_legacy + window.bad_legacy,
        before.bad_canary + window.bad_canary,
    )
