"""The plan's tables that other rooms take alone: trials, verification, evidence, guard, [notify].

Part of `plan`. Units are in the names; ratios are 0…1. A `description` is what a wrong value is
told to be instead; without one, that is the range.

The tables' types are written to be evaluated with the class, in all files of `plan`: from texts
msgspec compiles each one anew as it reads the first plan, half of the time that this takes.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

MOST_WAIT_S: Final = 3600
VARIABLE: Final = "[A-Za-z_][A-Za-z0-9_]*"
"""What the name of an environment variable looks like."""

LEAST_BYTES_BILLED: Final = 10_485_760
"""BigQuery bills at least 10 MB for each table that a query reads."""

MOST_REQUESTS: Final = 10_000
"""A verification asks real users' servers; more than this is a load test."""


def text(pattern: str, due: str) -> Meta:
    """The constraint of a text that is `pattern` from end to end, said as `due`."""
    return Meta(pattern=rf"\A(?:{pattern})\Z", description=due)


Ratio = Annotated[float, Meta(ge=0, le=1)]
Latency = Annotated[float, Meta(ge=1, le=3_600_000)]
Probability = Annotated[float, Meta(gt=0, lt=1, description="above 0 and below 1, as 0.01")]
ScoreEffect = Annotated[
    float, Meta(gt=0, le=1, description="above 0 and at most 1, a difference of confidence")
]
UrlPath = Annotated[str, text("/[!-~]*", 'a path, as "/health"')]
Field = Annotated[str, text("(?s:.+)", "the name of a field of a JSON body")]
Header = Annotated[str, text("[A-Za-z0-9!#$%&'*+.^_`|~-]+", "the name of a header")]
Route = Annotated[str, text(r"/[^\s?#]{0,119}", 'a route, as "/users/{id}/…"')]
Group = Annotated[str, text(r"(?s:.*\S.*)", "a value of the column `group`")]
Location = Annotated[str, text("[A-Za-z]+(-[A-Za-z0-9]+)*", 'a location, as "US"')]
TableName = Annotated[
    str,
    text(
        r"([a-z0-9.-]+:)?([a-z][-a-z0-9]{4,28}[a-z0-9]\.)?\w{1,1024}\.[\w-]{1,1024}",
        'dataset.table or project.dataset.table, as "ab_test.results"',
    ),
]


class LoadRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of request that a user of the load test makes; `weight` is how often, relatively.

    `body` is sent as JSON and as it stands; "" sends none.
    """

    path: UrlPath
    method: Literal["GET", "POST"] = "GET"
    body: str = ""
    weight: Annotated[int, Meta(ge=1, le=1000)] = 1


class LoadProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user does: one of the requests, then a pause of min_wait_s to max_wait_s, again."""

    requests: tuple[LoadRequest, ...]
    min_wait_s: Annotated[float, Meta(ge=0, le=MOST_WAIT_S)] = 1.0
    max_wait_s: Annotated[float, Meta(ge=0, le=MOST_WAIT_S)] = 3.0


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

    users: Annotated[int, Meta(ge=1, le=100_000)] = 50
    spawn_rate: Annotated[float, Meta(ge=0.01, le=10_000)] = 5.0
    duration_minutes: Annotated[float, Meta(ge=0.01, le=10_080)] = 60.0
    profile: str = "light"
    timeout_s: Annotated[float, Meta(ge=0.1, le=3600)] = 60.0
    max_error_ratio: Ratio = 0.02
    max_p95_ms: Latency = 20_000.0
    min_success_ratio: Ratio = 0.91
    max_unattributed_ratio: Ratio = 0.01
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

    table: TableName = "ab_test.results"
    days: Annotated[int, Meta(ge=1, le=3650)] = 30
    location: Location = "US"
    max_bytes_billed: Annotated[int, Meta(ge=LEAST_BYTES_BILLED, le=2**63 - 1)] = 10_000_000_000
    timeout_s: Annotated[float, Meta(ge=1, le=3600)] = 120.0
    legacy_group: Group = "legacy"
    canary_group: Group = "canary"

    def full_table(self, project: str) -> str:
        """The table with its project."""
        return self.table if self.table.count(".") > 1 else f"{project}.{self.table}"


OnRegression = Literal["ignore", "advise", "rollback"]


class EvidenceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`on_regression`: what a proven regression leads to, apart from the thresholds.

    `alpha` bounds the chance of ever alarming without a difference, `pass_alpha` that of ever
    saying "no worse than 2×" of a Canary that is. `tail`: read Cloud Run's request log, which
    is seconds old (off: only Cloud Monitoring's minutes). `warm_up_minutes` are left out after
    every new revision. `smallest_score_effect` is the least difference of confidence that matters,
    `smallest_ratio` how many times as bad Canary may be before that counts as worse.
    """

    on_regression: OnRegression = "advise"
    alpha: Probability = 0.01
    pass_alpha: Probability = 0.05
    tail: bool = True
    warm_up_minutes: Annotated[float, Meta(ge=0, le=1440)] = 3.0
    smallest_score_effect: ScoreEffect = 0.05
    smallest_ratio: Annotated[float, Meta(ge=1, le=10)] = 1.0


class FailureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[failures]: `routes` win over what the console makes of a path: `/users/{id}/…`, where `{…}`
    is any one part and a last `…` all that follow.
    """

    routes: Annotated[tuple[Route, ...], Meta(max_length=200)] = ()


class GuardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Automatic rollback: how long a person can still stop it (real seconds), how often it may act
    in 24 hours, and whether it is armed from the start.
    """

    countdown_s: Annotated[float, Meta(ge=5, le=3600)] = 60.0
    max_per_day: Annotated[int, Meta(ge=1, le=50)] = 3
    armed: bool = False


class Slo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The service's objective: the least ratio of requests that must not fail (5xx), over both
    sides. None: it is not watched. With fewer than `min_requests` in the short window of a pair,
    nothing is said of that pair.
    """

    objective: (
        Annotated[float, Meta(ge=0.5, lt=1, description="0.5 or more and below 1, as 0.999")] | None
    ) = None
    min_requests: Annotated[int, Meta(ge=1, le=10**9)] = 100


NotifyKind = Literal["slack", "pagerduty", "grafana"]


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook that is told of changes, their outcomes, and verdicts that turn for the worse.

    The address is `webhook`, or what the environment variable `webhook_variable` holds: it is a
    secret with most services. Both None: nothing is sent. The same thing is sent at most once
    in `repeat_minutes` (of this host's clock), what was so meanwhile at their end; `timeout_s`
    is how long an answer is waited for.

    `kind`: a Slack-compatible incoming webhook; PagerDuty's change events, which page nobody, with
    the integration's routing key in the environment variable `secret_variable`; or annotations of
    the Grafana at `webhook`, with a service account's token there. `others` are told the same:
    the tables [[notify]] behind the first.
    """

    kind: NotifyKind = "slack"
    webhook: str | None = None
    webhook_variable: str | None = None
    secret_variable: str | None = None
    repeat_minutes: Annotated[float, Meta(ge=0, le=10_080)] = 15.0
    timeout_s: Annotated[float, Meta(ge=0.1, le=60)] = 5.0
    others: tuple["Notify", ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether this one is to be told; PagerDuty's own address need not be given."""
        return self.webhook is not None or self.webhook_variable is not None or self.is_pagerduty

    @property
    def is_pagerduty(self) -> bool:
        """Whether it is PagerDuty, and its key is named."""
        return self.kind == "pagerduty" and self.secret_variable is not None

    @property
    def is_at_home(self) -> bool:
        """Whether no address is given: PagerDuty's own then."""
        return self.webhook is None and self.webhook_variable is None

    @property
    def each(self) -> "tuple[Notify, ...]":
        """This one and the others, each by itself."""
        return (msgspec.structs.replace(self, others=()), *self.others)


class Verify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a change of the split is verified: requests through the router, told apart by side.

    `after_change`: by itself after every promotion and rollback. `path` is asked with GET, so it
    must be one that changes nothing. Which side answered is told by `side_header`, else by the
    field `side_field` of a JSON body; None stands for `x-canary-service` and `service`, or for
    `x-canary-revision` and `revision` where the router splits between revisions.
    """

    after_change: bool = True
    requests: Annotated[int, Meta(ge=1, le=MOST_REQUESTS)] = 100
    delay_ms: Annotated[float, Meta(ge=0, le=60_000)] = 50.0
    path: UrlPath = "/api/v2/recommend/personalized"
    timeout_s: Annotated[float, Meta(ge=0.1, le=300)] = 10.0
    side_header: Header | None = None
    side_field: Field | None = None
    confidence_field: Field = "confidence"


class RecordingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was shown is kept on this host, to be replayed: for so many days, in so many megabytes.

    What is reached first holds. `keep` false: nothing is kept any more; what is there stays.
    """

    keep: bool = True
    days: Annotated[float, Meta(gt=0, le=90, description="above 0 and at most 90 days")] = 7.0
    most_mb: Annotated[float, Meta(ge=1, le=1000)] = 20.0
