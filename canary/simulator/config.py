"""What the embedded cloud is told when it starts: one JSON object, every field with a default."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

RouterKind = Literal["env", "revisions", "url-map"]
SideName = Literal["legacy", "canary"]


class ConfigError(ValueError):
    """The configuration cannot be used; the text says which field and why."""


class RouterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the share of Canary is set: a variable, traffic between revisions, or weights.

    `url-map`: the weights of two backend services in a load balancer's URL map; `service` then
    only holds the stage record.
    """

    kind: RouterKind = "env"
    service: str = "ion-api"
    variable: str = "CANARY_TRAFFIC_PERCENTAGE"
    canary_tag: str = "canary"
    url_map: str = "ion-api-map"
    legacy_backend: str = "ion-api-backend"
    canary_backend: str = "ion-api-canary-backend"

    @property
    def shares_one_service(self) -> bool:
        """Whether both sides are revisions of one service, split by its `traffic[]`."""
        return self.kind == "revisions"

    @property
    def has_variable(self) -> bool:
        """Whether the code of a service splits by an environment variable."""
        return self.kind == "env"

    @property
    def has_url_map(self) -> bool:
        """Whether a load balancer's URL map splits."""
        return self.kind == "url-map"


class AbTestConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The A/B test's table in BigQuery: `dataset.table` of the project, and its groups' names."""

    table: str = "ab_test.results"
    location: str = "US"
    legacy_group: str = "legacy"
    canary_group: str = "canary"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything the embedded cloud can be told. Times are cloud seconds unless said otherwise.

    `record` is the text of the stage record annotation; `@ENTERED_AT@` in it becomes the unix
    seconds at which the stage began. `history_hours` null means `soaked_hours` + 2.
    `start_unix` null means the wall clock; it counts only for a state that is new. The two lease
    times are real seconds: how long to wait for the first lease, and after the last.
    """

    project: str = "naeda-genesis"
    region: str = "us-central1"
    legacy: str = "ion-api"
    canary: str = "ion-api-canary"
    router: RouterConfig = RouterConfig()
    annotation: str = "canary-console/record"
    record: str = ""
    percent: int = 10
    stage: int = 2
    soaked_hours: float = 23.5
    history_hours: float | None = None
    confidence_metric: str = "custom.googleapis.com/ion/confidence_score"
    requests_per_s: float = 45.0
    speed: float = 60.0
    seed: int = 7
    scenario: str = "healthy"
    scenario_params: dict[str, float] = {}
    ingest_delay_s: float = 150.0
    operation_s: float = 8.0
    policy_write_s: float = 3.5
    """How long a modification of an alert policy takes: 2.5 to 5.5 s in recordings of k8s-config-
    connector."""
    ab_test: AbTestConfig = AbTestConfig()
    query_s: float = 3.0
    """How long a query in BigQuery takes."""
    grpc_port: int = 0
    http_port: int = 0
    state_path: str | None = None
    fresh: bool = False
    leases: bool = True
    first_lease_s: float = 30.0
    lease_grace_s: float = 5.0
    start_unix: float | None = None
    rollouts: int = 1
    """So many rollouts in the project; those beside the first live in memory alone."""
    crowd: dict[str, str] = {}
    """What happens in those beside the first: their number ("1", "2", …) → a scenario."""
    crowd_regions: tuple[str, ...] = ()
    """Where those beside the first are, in turn; none given: where the first is."""
    labels: dict[str, str] = {}
    """Of both services."""

    def __post_init__(self) -> None:
        """Refuse values no cloud could run on."""
        _demand(0 <= self.percent <= 100, "percent", "0 to 100", self.percent)
        _demand(1 <= self.rollouts <= 1000, "rollouts", "1 to 1000", self.rollouts)
        _demand(self.speed > 0, "speed", "above 0", self.speed)
        _demand(self.requests_per_s >= 0, "requests_per_s", "0 or more", self.requests_per_s)
        _demand(self.soaked_hours >= 0, "soaked_hours", "0 or more", self.soaked_hours)
        _demand(self.history_h >= self.soaked_hours, "history_hours", "≥ soaked_hours", None)
        _demand(self.ingest_delay_s >= 0, "ingest_delay_s", "0 or more", self.ingest_delay_s)
        _demand(self.operation_s >= 0, "operation_s", "0 or more", self.operation_s)
        _demand(self.policy_write_s >= 0, "policy_write_s", "0 or more", self.policy_write_s)
        _demand(self.query_s >= 0, "query_s", "0 or more", self.query_s)
        _demand(self.first_lease_s >= 0, "first_lease_s", "0 or more", self.first_lease_s)
        _demand(self.lease_grace_s >= 0, "lease_grace_s", "0 or more", self.lease_grace_s)
        for name in ("grpc_port", "http_port"):
            port = getattr(self, name)
            _demand(0 <= port <= 65535, name, "0 to 65535", port)
        backends = (self.router.legacy_backend, self.router.canary_backend)
        _demand(len(set(backends)) == 2, "router.canary_backend", "another than legacy's", None)
        same = self.legacy == self.canary
        _demand(self.router.shares_one_service or not same, "canary", "another than legacy", None)

    @property
    def history_h(self) -> float:
        """Hours of traffic that lie before the first start."""
        return self.soaked_hours + 2.0 if self.history_hours is None else self.history_hours

    def service_of(self, side: SideName) -> str:
        """Return the Cloud Run service that serves a side.

        With the router `revisions` both sides are revisions of the service `legacy`.
        """
        if side == "canary" and not self.router.shares_one_service:
            return self.canary
        return self.legacy

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the Cloud Run services that exist at the start, Legacy first."""
        if self.router.shares_one_service:
            return (self.legacy,)
        return (self.legacy, self.canary)

    @property
    def identity(self) -> dict[str, Any]:
        """What a saved state must agree on with the configuration that opens it."""
        return {
            "project": self.project,
            "region": self.region,
            "services": list(self.services),
            "router": self.router.kind,
        }


def _demand(holds: bool, field: str, expected: str, value: object) -> None:
    if not holds:
        said = "" if value is None else f", not {value}"
        raise ValueError(f"{field}: expected {expected}{said}")


def parse_config(text: str) -> Config:
    """Return the configuration in a JSON text; raise ConfigError if it is not one."""
    try:
        return msgspec.json.decode(text.encode(), type=Config)
    except msgspec.MsgspecError as exc:
        raise ConfigError(f"configuration: {exc}") from exc
