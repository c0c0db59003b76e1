"""A request that failed, and the failing requests of one short window of both sides.

There is no field for a query, a body, an address or a user agent: what is not here is not kept.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Side = Literal["legacy", "canary"]

FAILING_FROM: Final = 400
"""Statuses from here on are failures of the request, whoever is to blame."""

NO_INSTANCE: Final = "no instance"


class GroupKey(msgspec.Struct, frozen=True, order=True):
    """What failing requests are grouped by. `status` is "500", or "429 no instance"."""

    method: str
    route: str
    status: str


OTHER: Final = GroupKey("", "other", "")
"""All that is in no group of its own."""


class FailedRequest(msgspec.Struct, frozen=True):
    """One request that failed. `at`: when it ended, cloud time. `refused`: no instance took it.

    `trace` is the trace's id and `instance` the container's; "" where the log has none.
    """

    side: Side
    at: float
    method: str
    route: str
    status: int
    latency_ms: float
    revision: str
    instance: str = ""
    trace: str = ""
    refused: bool = False

    @property
    def key(self) -> GroupKey:
        """The group that it is in."""
        status = f"{self.status} {NO_INSTANCE}" if self.refused else str(self.status)
        return GroupKey(self.method, self.route, status)


class FailureWindow(msgspec.Struct, frozen=True):
    """What failed in (start, end], of how many requests of either side. `sampled`: the share of
    the log that was read, 0…1. `unfit`: why the counts must not be compared; "": they may be.
    """

    start: float
    end: float
    legacy: int
    canary: int
    failed: tuple[FailedRequest, ...] = ()
    sampled: float = 1.0
    unfit: str = ""
