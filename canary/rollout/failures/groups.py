"""What has failed since the split changed, by group, and how far each is beyond chance.

For each group the test of `evidence.ratio` runs over the windows, bad meaning "in this group", of
all requests; which of them are beyond chance is said by `discoveries` over all of them at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from canary.rollout.evidence import ratio
from canary.rollout.evidence.ratio import Counts, RatioTest
from canary.rollout.failures.requests import (
    NO_INSTANCE,
    OTHER,
    FailedRequest,
    FailureWindow,
    GroupKey,
    Side,
)

MOST_GROUPS: Final = 200
"""Of each side, by most recent use; the rest is OTHER."""

MOST_SERVER: Final = 400
MOST_CLIENT: Final = 100
"""The newest failing requests of a side that are kept: 5xx and refused, and 4xx. A flood of 404
does not drive out what broke."""

SERVER_FROM: Final = 500
RECENT_S: Final = 3_600.0
"""What is shown is of so much of the past: a late failure is not hidden by a healthy day."""

_MOST_MINUTES: Final = int(RECENT_S / 60) + 1
NEVER: Final = float("-inf")


class Recent:
    """Counts of (Legacy, Canary) in the newest hour, by minutes; their sum is kept beside them."""

    def __init__(self) -> None:
        self._minutes: dict[int, tuple[int, int]] = {}
        self._sum = (0, 0)

    def add(self, at: float, legacy: int, canary: int) -> None:
        """Count so many at a time, not before the last."""
        self._put(int(at // 60), legacy, canary)
        while len(self._minutes) > _MOST_MINUTES:
            gone = self._minutes.pop(next(iter(self._minutes)))
            self._sum = (self._sum[0] - gone[0], self._sum[1] - gone[1])

    def add_all(self, other: Recent) -> None:
        """Take over what another has counted."""
        for minute, (legacy, canary) in other._minutes.items():
            self._put(minute, legacy, canary)
        kept = dict(sorted(self._minutes.items())[-_MOST_MINUTES:])
        self._minutes = kept
        self._sum = (sum(one for one, _ in kept.values()), sum(two for _, two in kept.values()))

    def total(self, since: float) -> tuple[int, int]:
        """(Legacy, Canary) of the minutes that end after a time."""
        first, (legacy, canary) = int(since // 60), self._sum
        for minute, both in self._minutes.items():
            if minute >= first:
                break
            legacy, canary = legacy - both[0], canary - both[1]
        return legacy, canary

    def _put(self, minute: int, legacy: int, canary: int) -> None:
        before = self._minutes.get(minute, (0, 0))
        self._minutes[minute] = (before[0] + legacy, before[1] + canary)
        self._sum = (self._sum[0] + legacy, self._sum[1] + canary)


class Group(msgspec.Struct):
    """One group. `recent` is how many failed lately; times are of the last one of either side, over
    all splits, cloud time; None: none was seen. `test` runs since the split changed.
    """

    test: RatioTest
    recent: Recent
    legacy_at: float | None = None
    canary_at: float | None = None

    def seen_at(self, side: Side) -> float:
        """When a side last had it; far back where it never had."""
        at = self.legacy_at if side == "legacy" else self.canary_at
        return NEVER if at is None else at


class FailuresState:
    """The groups of both sides, and the newest failing requests. One owner; it is never stored.

    `since` is when the split changed, `counted_since` when counting began after it, `seen_since`
    since when failures are known; None: not yet.
    """

    def __init__(self) -> None:
        self.groups: dict[GroupKey, Group] = {}
        self.requests = Recent()
        self.counted_since: float | None = None
        self.since: float | None = None
        self.seen_since: float | None = None
        self.seen_until: float | None = None
        self.sampled = 1.0
        self.unfit_s = 0.0
        self._forgotten = {True: NEVER, False: NEVER}
        self._newest: dict[Side, tuple[deque[FailedRequest], deque[FailedRequest]]] = {
            "legacy": (deque(maxlen=MOST_SERVER), deque(maxlen=MOST_CLIENT)),
            "canary": (deque(maxlen=MOST_SERVER), deque(maxlen=MOST_CLIENT)),
        }

    def begin(self, at: float) -> None:
        """The split has changed: compare anew. What was seen of Legacy stays known."""
        self.since = at
        self.requests, self.counted_since = Recent(), None
        self.sampled, self.unfit_s = 1.0, 0.0
        for group in self.groups.values():
            group.test, group.recent = ratio.regression_test(), Recent()

    def add(self, window: FailureWindow) -> None:
        """One more window, oldest first."""
        if self.seen_since is None:
            self.seen_since = window.start
        self.seen_until = window.end
        for request in window.failed:
            kinds = self._newest[request.side]
            kinds[0 if request.refused or request.status >= SERVER_FROM else 1].append(request)
        if self.since is not None and window.start < self.since:
            self._note(window.failed)
            return
        if window.unfit:
            self.unfit_s += window.end - window.start
            self._note(window.failed)
            return
        self._count(window)

    def remember(self, requests: Iterable[FailedRequest], since: float) -> None:
        """What failed before the log was read from here, from `since` on: it makes nothing count,
        but what Legacy has had lately is not new.
        """
        known = tuple(requests)
        self._note(known)
        self.seen_since = min(since, self.seen_since if self.seen_since is not None else since)

    def newest(self, side: Side) -> Iterator[FailedRequest]:
        """The failing requests of a side that are kept, newest first."""
        kept = (r for kind in self._newest[side] for r in kind)
        return iter(sorted(kept, key=lambda r: -r.at))

    def _count(self, window: FailureWindow) -> None:
        if self.counted_since is None:
            self.counted_since = window.start
        self.requests.add(window.start, window.legacy, window.canary)
        self.sampled = min(self.sampled, window.sampled)
        counted: dict[GroupKey, list[int]] = {}
        for request in window.failed:
            if request.at <= window.start:
                self._key(request)  # of a window that is closed: it came too late to be counted
                continue
            both = counted.setdefault(self._key(request), [0, 0])
            both[request.side == "canary"] += 1
        for key, (legacy, canary) in counted.items():
            group = self.groups[key]
            group.recent.add(window.start, legacy, canary)
            counts = Counts(window.start, window.end, window.legacy, window.canary, legacy, canary)
            group.test = ratio.update(group.test, counts)

    def _note(self, requests: Iterable[FailedRequest]) -> None:
        for request in requests:
            self._key(request)

    def _key(self, request: FailedRequest) -> GroupKey:
        """The group of a request, made where there is room; notes that the side has had it."""
        key = request.key
        group = self.groups.get(key)
        if group is None:
            key = self._make_room(key, request.side)
            group = self.groups.setdefault(key, Group(ratio.regression_test(), Recent()))
        if request.side == "legacy":
            group.legacy_at = max(request.at, group.seen_at("legacy"))
        else:
            group.canary_at = max(request.at, group.seen_at("canary"))
        return key

    def _make_room(self, key: GroupKey, side: Side) -> GroupKey:
        """`key`, once the group that the side has not had for longest has made room for it.

        Those of 4xx go first: scanners ask for many paths that nobody has.
        """
        own = [k for k, g in self.groups.items() if g.seen_at(side) > NEVER and k != OTHER]
        if len(own) < MOST_GROUPS:
            return key
        oldest = min(own, key=lambda k: (is_server(k), self.groups[k].seen_at(side)))
        gone = self.groups.pop(oldest)
        kind = is_server(oldest)
        self._forgotten[kind] = max(gone.seen_at("legacy"), self._forgotten[kind])
        other = self.groups.setdefault(OTHER, Group(ratio.regression_test(), Recent()))
        other.recent.add_all(gone.recent)
        other.legacy_at = max(gone.seen_at("legacy"), other.seen_at("legacy"))
        other.canary_at = max(gone.seen_at("canary"), other.seen_at("canary"))
        return key

    def is_unknown_in_legacy(self, key: GroupKey, since: float) -> bool:
        """Whether Legacy has had nothing of a group since a time, as far as that is remembered."""
        group = self.groups.get(key)
        seen = NEVER if group is None else group.seen_at("legacy")
        return max(seen, self._forgotten[is_server(key)]) < since


def is_server(key: GroupKey) -> bool:
    """Whether a group is of 5xx or of requests that found no instance."""
    return key.status.startswith("5") or key.status.endswith(NO_INSTANCE)
