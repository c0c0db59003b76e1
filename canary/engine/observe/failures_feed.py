"""What fails, gathered from the tail of the request log as it is read for the evidence.

One stream serves both. What this console has not seen is asked for once: the failing requests of
the hour before, so that what Legacy has had is not called new. Nothing of it is kept on the disk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from canary.cloud.connection.clock import CloudClock
from canary.rollout.errors import CanaryError, Denied
from canary.rollout.evidence.view import NOT_OPENED, TailView
from canary.rollout.failures.groups import FailuresState
from canary.rollout.failures.minutes import gather_failures
from canary.rollout.failures.requests import FailedRequest, FailureWindow
from canary.rollout.failures.statuses import StatusMinute, view_classes, view_statuses
from canary.rollout.failures.view import HOUR_S, FailuresView, view_failures
from canary.rollout.measure.samples import Sample

ReadStatuses = Callable[[float, float], Awaitable[tuple[StatusMinute, ...]]]
"""(since, until) → requests by response code, oldest first; raises CanaryError."""

ReadPast = Callable[[float, float], Awaitable[tuple[tuple[FailedRequest, ...], bool]]]
"""(since, until) → failing requests, newest first, and whether that is all; raises CanaryError."""

LISTED_S: Final = 900.0
LISTED: Final = "Listed, as the tail is off; counts are Cloud Monitoring's"


class FailuresFeed:
    """The failures of one rollout. `read_past` None: the request log is not asked, nor, with None
    for `read_statuses`, Cloud Monitoring.
    """

    def __init__(
        self,
        clock: CloudClock,
        read_past: ReadPast | None = None,
        read_statuses: ReadStatuses | None = None,
    ) -> None:
        self._clock = clock
        self._read_past = read_past
        self._read_statuses = read_statuses
        self._statuses: tuple[StatusMinute, ...] = ()
        self._state = FailuresState()
        self._has_looked_back = False
        self._listed: FailuresState | None = None
        self._is_refused = False
        self._viewed: tuple[tuple[object, ...], FailuresView] | None = None

    def take(self, window: FailureWindow) -> None:
        """One window of the request log, oldest first."""
        self._state.add(window)

    def follow_split(self, began_at: float) -> None:
        """The comparison is of the split since then."""
        if self._state.since != began_at:
            self._state.begin(began_at)

    async def look_back(self) -> bool:
        """Ask for the hour before, once; without it less is known to be new, and nothing else.
        True when it was told now.
        """
        if self._has_looked_back or self._read_past is None:
            return False
        self._has_looked_back = True
        now = self._clock.now()
        try:
            found, is_whole = await self._read_past(now - HOUR_S, now)
        except CanaryError:
            return False
        since = now - HOUR_S if is_whole or not found else found[-1].at
        self._state.remember(found, since)
        return True

    async def list_anew(
        self, tail: TailView, legacy: Sequence[Sample], canary: Sequence[Sample]
    ) -> bool:
        """Where the log is not tailed, list what has failed lately. True when that is known.

        A list says nothing of how many requests there were: Cloud Monitoring's minutes do. What
        may not be read is not asked for again.
        """
        if not tail.off or tail.off == NOT_OPENED:
            return False
        now = self._clock.now()
        since = max(self._state.since or 0.0, now - LISTED_S)
        if self._read_past is None or self._is_refused:
            return await self._count_statuses(since, now)
        try:
            found, is_whole = await self._read_past(since, now)
        except CanaryError as error:
            self._listed, self._is_refused = None, isinstance(error, Denied)
            return await self._count_statuses(since, now)
        since = since if is_whole or not found else found[-1].at
        self._listed = gather_failures(found, legacy, canary, since, now)
        return True

    async def _count_statuses(self, since: float, now: float) -> bool:
        if self._read_statuses is None:
            return False
        try:
            self._statuses = await self._read_statuses(since, now)
        except CanaryError:
            self._statuses = ()
        return bool(self._statuses)

    def view(
        self, tail: TailView, legacy: Sequence[Sample], canary: Sequence[Sample]
    ) -> FailuresView | None:
        """What is known now: from the request log, or, where it is not read or not whole, by class
        of status from Cloud Monitoring's samples. None: from neither.
        """
        now, state = self._clock.now(), self._state
        why = tail.off or tail.incomplete
        if not why and state.seen_until is not None:
            # Once a real second at most: however fast the clock runs, a person reads no faster.
            key = (int(now // max(1.0, self._clock.speed)), state.since, tail.trouble)
            if self._viewed is None or self._viewed[0] != key:
                self._viewed = (key, view_failures(state, now, tail.trouble))
            return self._viewed[1]
        if tail.off and self._listed is not None:
            return view_failures(self._listed, now, LISTED)
        since = state.since
        if since is None:
            return None
        if tail.off and self._statuses:
            return view_statuses(self._statuses, max(since, self._statuses[0].start), why)
        return view_classes(legacy, canary, since, why or "the request log has shown nothing yet")
