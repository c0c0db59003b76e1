"""The plan's tables of the two trials: the load test and the A/B test.

Part of `plan`, in a file of its own. Units are in the names; ratios are 0…1.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec


class LoadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of request that a user of the load test makes; `weight` is how often, relatively.

    `body` is sent as JSON and as it stands; "" sends none.
    """

    path: str
    method: Literal["GET", "POST"] = "GET"
    body: str = ""
    weight: int = 1


class LoadProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user does: one of the requests, then a pause of min_wait_s to max_wait_s, again."""

    requests: tuple[LoadRequest, ...]
    min_wait_s: float = 1.0
    max_wait_s: float = 3.0


LIGHT: Final = LoadProfile(
    (
        LoadRequest("/chat", "POST", '{"message": "What do you recommend today?"}'),
        LoadRequest("/api/v2/recommend/personalized"),
    )
)

BUILT_IN_PROFILES: Final[dict[str, LoadProfile]] = {"light": LIGHT}
"""What there is without being in the file; the file can redefine it."""


class LoadTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The load test's size, and the limits for PASSED (a value equal to its limit passes).

    The limits are of Canary; `max_unattributed_ratio` is of all requests: those that no side
    answered (refused connections, timeouts, errors of what stands in front). `timeout_s` is how
    long a user waits for an answer.
    """

    users: int = 50
    spawn_rate: float = 5.0
    duration_minutes: float = 60.0
    profile: str = "light"
    timeout_s: float = 60.0
    max_error_ratio: float = 0.02
    max_p95_ms: float = 20_000.0
    min_success_ratio: float = 0.91
    max_unattributed_ratio: float = 0.01
    profiles: dict[str, LoadProfile] = {}

    @property
    def profile_names(self) -> tuple[str, ...]:
        """Every profile there is: those of the file, and the built-in ones."""
        return tuple(sorted({**BUILT_IN_PROFILES, **self.profiles}))

    def find_profile(self, name: str) -> LoadProfile | None:
        """The profile of that name; None when there is none."""
        return self.profiles.get(name) or BUILT_IN_PROFILES.get(name)


class AbTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The A/B test's table in BigQuery, and how much may be read for one analysis.

    `table` is "dataset.table" of target.project, or "project.dataset.table". The groups are the
    values of its column `group`. `location` is where the dataset is.
    """

    table: str = "ab_test.results"
    days: int = 30
    location: str = "US"
    max_bytes_billed: int = 10_000_000_000
    timeout_s: float = 120.0
    legacy_group: str = "legacy"
    canary_group: str = "canary"

    def full_table(self, project: str) -> str:
        """The table with its project."""
        return self.table if self.table.count(".") > 1 else f"{project}.{self.table}"
