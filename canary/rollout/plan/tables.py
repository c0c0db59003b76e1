"""The plan's tables of the two trials: the load test and the A/B test.

Part of `plan`, in a file of its own. Units are in the names; ratios are 0…1.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from canary.rollout.plan.mistakes import Found, check_range


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


# The plan's table [evidence]: how Canary is compared with Legacy, and what a proof leads to.

OnRegression = Literal["ignore", "advise", "rollback"]


class EvidenceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`on_regression`: what a proven regression leads to, apart from the thresholds.

    `alpha` bounds the chance of ever alarming without a difference, `pass_alpha` that of ever
    saying "no worse than 2×" of a Canary that is. `tail`: read Cloud Run's request log, which
    is seconds old (off: only Cloud Monitoring's minutes). `warm_up_minutes` are left out after
    every new revision. `smallest_score_effect` is the least difference of confidence that matters.
    """

    on_regression: OnRegression = "advise"
    alpha: float = 0.01
    pass_alpha: float = 0.05
    tail: bool = True
    warm_up_minutes: float = 3.0
    smallest_score_effect: float = 0.05


# The plan's table of automatic rollback. Part of `plan`, in a file of its own.


class GuardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Automatic rollback: how long a person can still stop it (real seconds), how often it may act
    in 24 hours, and whether it is armed from the start.
    """

    countdown_s: float = 60.0
    max_per_day: int = 3
    armed: bool = False


def find_guard_mistakes(guard: GuardSettings) -> Found:
    """Every rule that the table breaks."""
    yield from check_range("guard.countdown_s", guard.countdown_s, 5, 3600)
    yield from check_range("guard.max_per_day", guard.max_per_day, 1, 50)


# The plan's table of notifications: [notify]. Part of `plan`. Units are in the names.


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook that is told of changes, their outcomes, and verdicts that turn for the worse.

    The address is `webhook`, or what the environment variable `webhook_variable` holds: it is a
    secret with most services. Both None: nothing is sent. The same thing is sent at most once in
    `repeat_minutes` (of this host's clock); `timeout_s` is how long an answer is waited for.
    """

    webhook: str | None = None
    webhook_variable: str | None = None
    repeat_minutes: float = 15.0
    timeout_s: float = 5.0

    @property
    def is_on(self) -> bool:
        """Whether anybody is to be told."""
        return self.webhook is not None or self.webhook_variable is not None


# The plan's table of what follows a change: the verification.
#
# Part of `plan`, in a file of its own. Units are in the names.


class Verify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a change of the split is verified: requests through the router, told apart by side.

    `after_change`: by itself after every promotion and rollback. `path` is asked with GET, so it
    must be one that changes nothing. Which side answered is told by `side_header`, else by the
    field `side_field` of a JSON body; None stands for `x-canary-service` and `service`, or for
    `x-canary-revision` and `revision` where the router splits between revisions.
    """

    after_change: bool = True
    requests: int = 100
    delay_ms: float = 50.0
    path: str = "/api/v2/recommend/personalized"
    timeout_s: float = 10.0
    side_header: str | None = None
    side_field: str | None = None
    confidence_field: str = "confidence"
