"""The plan of a rollout: stages, criteria, thresholds, where things are. Frozen, from canary.toml.

The defaults are the numbers of the rollout procedure. What a single value may be stands in its
type, with msgspec's own constraints; what holds between values is in `rules`.
Units are in the names; ratios are 0…1, percent is 0…100 and always Canary's share.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from canary.rollout.plan.freeze import Freeze
from canary.rollout.plan.metrics import Metrics
from canary.rollout.plan.runbook import Runbook
from canary.rollout.plan.tables import (
    VARIABLE,
    AbTest,
    EvidenceSettings,
    FailureSettings,
    GuardSettings,
    Latency,
    LoadTest,
    Notify,
    Ratio,
    RecordingSettings,
    Slo,
    Verify,
    text,
)

Provider = Literal["local", "gcp"]
MOST_INSTANCES: Final = 10_000
PERCENT: Final = "{percent}"
"""What stands for the share in the arguments of `target.router.set`."""

Share = Annotated[int, Meta(ge=1, le=100, description="1 to 100, Canary's share")]
ServiceName = Annotated[
    str,
    text(
        "[a-z]([-a-z0-9]{0,47}[a-z0-9])?",
        "a Cloud Run service name: lower-case letters, digits and hyphens, at most 49",
    ),
]
Tag = Annotated[str, text("[a-z]([-a-z0-9]{0,61}[a-z0-9])?", "a tag or revision")]
ProjectId = Annotated[str, text("([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]", "a project id")]
Region = Annotated[str, text("[a-z]+(-[a-z0-9]+)+", 'a region, as "us-central1"')]
VariableName = Annotated[str, text(VARIABLE, "the name of an environment variable")]
Annotation = Annotated[
    str, text(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?", "prefix/name")
]
HealthPath = Annotated[str, text("(?s:/.*)", 'a path, as "/health"')]
Path = Annotated[str, text(r"(?s:.*\S.*)", "a path")]


class Criteria(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What Canary must show to leave a stage; a value equal to its limit passes.

    None: left out, not asked.
    """

    max_error_ratio: Ratio | None = None
    max_p95_ms: Latency | None = None
    min_success_ratio: Ratio | None = None
    min_confidence: Ratio | None = None


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits that raise an alert when passed strictly; None is not judged."""

    error_ratio: Ratio | None = None
    p95_ms: Latency | None = None
    success_ratio: Ratio | None = None
    confidence: Ratio | None = None


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage: Canary's share, the soak before leaving it, and what leaving it takes.

    `soak_hours` None: no end (production). `criteria` None: nothing follows. `automatic_rollback`
    is the stage's own table of limits that trigger automatic rollback when it is armed.
    `min_ab_improvement` is the least relative gain in mean response time (strictly beyond).
    """

    percent: Share
    soak_hours: Annotated[float, Meta(ge=0, le=8760)] | None = None
    criteria: Criteria | None = None
    automatic_rollback: Thresholds | None = None
    load_test: bool = False
    min_ab_improvement: Ratio | None = None


class Router(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the share of Canary is set.

    `env`: `variable` on `service`, whose code routes. `revisions`: traffic[] of `service` between a
    stable revision and the candidate (`candidate`: a revision name or a tag). `url-map`: the
    weights of two backend services in the default route of the URL map `url_map`. `command`: the
    team's own program, `set` with "{percent}" in it; `read`, if there is one, prints the present
    share. Both are argument lists, run without a shell and ended after `timeout_s`.
    """

    kind: Literal["env", "revisions", "url-map", "command"] = "env"
    service: ServiceName | None = None
    variable: VariableName = "CANARY_TRAFFIC_PERCENTAGE"
    candidate: Tag = "canary"
    url: str | None = None
    url_map: str | None = None
    legacy_backend: str | None = None
    canary_backend: str | None = None
    set: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    timeout_s: Annotated[float, Meta(ge=0.1, le=600)] = 60.0

    def set_arguments(self, percent: int) -> tuple[str, ...]:
        """The program of `command` and its arguments, with the share in them."""
        return tuple(each.replace(PERCENT, str(percent)) for each in self.set)

    @property
    def is_on_service(self) -> bool:
        """Whether a Cloud Run service carries the split itself, and its readiness tells of it."""
        return self.kind in ("env", "revisions")

    @property
    def has_guard(self) -> bool:
        """Whether what sets the split refuses a change that was decided on an older state."""
        return self.kind != "command"

    @property
    def is_guarded_by_service(self) -> bool:
        """Whether the guard of a split is the etag of a service, which a scale changes too."""
        return self.kind != "url-map"

    @property
    def makes_revisions(self) -> bool:
        """Whether setting the share makes a new revision, which has to become ready."""
        return self.kind == "env"


class Endpoints(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses other than Google's public ones; plain http for loopback only."""

    run: str | None = None
    monitoring: str | None = None
    bigquery: str | None = None
    logging: str | None = None
    compute: str | None = None
    artifact_registry: str | None = None


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a side is asked whether it is well. URLs default to what Cloud Run reports.

    `id_token`: the person's or service account's ID token goes along, for services that IAM guards;
    only to addresses that Cloud Run reports or that were trusted.
    """

    path: HealthPath = "/health"
    legacy_url: str | None = None
    canary_url: str | None = None
    id_token: bool = False
    timeout_s: Annotated[float, Meta(ge=0.1, le=60)] = 5.0


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which services of which project take the traffic."""

    project: ProjectId
    region: Region
    legacy: ServiceName
    canary: ServiceName
    router: Router = Router()
    health: Health = Health()
    endpoints: Endpoints = Endpoints()

    @property
    def shares_one_service(self) -> bool:
        """Whether both sides are revisions of one service: one scale, one address, one etag."""
        return self.router.kind == "revisions"


class ScalePreset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Least and most instances of a side."""

    min: Annotated[int, Meta(ge=0, le=MOST_INSTANCES)]
    max: Annotated[int, Meta(ge=1, le=MOST_INSTANCES)]


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The two named presets."""

    backup: ScalePreset = ScalePreset(0, 1)
    production: ScalePreset = ScalePreset(1, 10)


class Alerts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Warning and critical limits (strictly beyond), and how long a warning is watched."""

    warning: Thresholds = Thresholds(error_ratio=0.02, p95_ms=20_000.0, success_ratio=0.90)
    critical: Thresholds = Thresholds(error_ratio=0.05, p95_ms=30_000.0, success_ratio=0.80)
    watch_minutes: Annotated[float, Meta(ge=0, le=10_080)] = 60.0


class Console(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the console looks and behaves; `keys` rebinds actions by their name."""

    theme: Literal["dark", "light", "high-contrast", "colour-blind", "mono"] = "dark"
    mouse: bool = False
    bell: bool = True
    read_only: bool = False
    keys: dict[str, str] = {}


class Local(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The embedded cloud: how fast its clock runs, its seed, its scenario.

    `drill`: the screen says DRILL, and nobody is told what it plays.
    """

    speed: Annotated[float, Meta(ge=0.1, le=3600)] = 60.0
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 7
    scenario: str = "healthy"
    stage: int = 2
    soaked_hours: Annotated[float, Meta(ge=0, le=168)] = 23.5
    requests_per_s: Annotated[float, Meta(ge=0.1, le=100_000)] = 45.0
    drill: bool = False


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the stage record is kept beside the cloud's own annotation.

    `git`: the file is committed after each change of the split, and with `push` pushed.
    """

    file: Path = "rollout.toml"
    annotation: Annotation = "canary-console/record"
    outputs: Path = "outputs"
    git: bool = False
    push: bool = False


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is decided before the rollout. `stages[0]` is stage 1."""

    target: Target
    stages: tuple[Stage, ...]
    provider: Provider = "local"
    alerts: Alerts = Alerts()
    metrics: Metrics = Metrics()
    scale: Scale = Scale()
    verify: Verify = Verify()
    load_test: LoadTest = LoadTest()
    ab_test: AbTest = AbTest()
    evidence: EvidenceSettings = EvidenceSettings()
    failures: FailureSettings = FailureSettings()
    guard: GuardSettings = GuardSettings()
    freeze: tuple[Freeze, ...] = ()
    runbook: Runbook = Runbook()
    slo: Slo = Slo()
    notify: Notify = Notify()
    record: Record = Record()
    recording: RecordingSettings = RecordingSettings()
    console: Console = Console()
    local: Local = Local()

    @property
    def name(self) -> str:
        """The rollout's name: what it is called in the journal and on the screen."""
        return f"{self.target.legacy} → {self.target.canary}"

    @property
    def is_embedded(self) -> bool:
        """Whether it runs on the embedded cloud: local, and no server of one's own is named."""
        return self.provider == "local" and self.target.endpoints.run is None

    @property
    def router_service(self) -> str:
        """The service that carries the split or, where none does, stands for it.

        A split that no service carries (`url-map`, `command`) is looked up beside Canary, which is
        still there when Legacy has been retired.
        """
        target, router = self.target, self.target.router
        return router.service or (target.legacy if router.is_on_service else target.canary)

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes two plans one rollout: they share its journal, history and locks."""
        target = self.target
        return (
            self.provider,
            target.project,
            target.region,
            target.legacy,
            target.canary,
            target.router.kind,
            self.router_service,
            target.endpoints.run or "",
        )

    def stage(self, index: int) -> Stage:
        """Stage `index` (1…n). Raises IndexError outside."""
        if not 1 <= index <= len(self.stages):
            raise IndexError(f"no stage {index}: the plan has 1 to {len(self.stages)}")
        return self.stages[index - 1]

    def percent_of(self, index: int) -> int:
        """Canary's share at a stage; stage 0 is "all traffic is on Legacy" and has 0."""
        return 0 if index == 0 else self.stage(index).percent

    def stage_of_percent(self, percent: int) -> int | None:
        """The stage whose share is exactly `percent`; 0 for 0 %, None when no stage has it."""
        if percent == 0:
            return 0
        return next((i for i, s in enumerate(self.stages, 1) if s.percent == percent), None)
