"""The two sides on a healthy day, and what is different while a scenario is on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from canary.simulator.config import SideName
from canary.simulator.world.faults import Fault
from canary.simulator.world.timeline import ScenarioOn
from canary.simulator.world.traffic import causes
from canary.simulator.world.traffic.bursts import Bursts
from canary.simulator.world.traffic.causes import Cause
from canary.simulator.world.traffic.sampling import log_normal

SIDES: tuple[SideName, SideName] = ("legacy", "canary")

_shape = functools.lru_cache(log_normal)


class Profile(msgspec.Struct, frozen=True):
    """A side on a healthy day."""

    mean_ms: float
    p95_ms: float
    confidence: float
    error_ratio: float
    """5xx ÷ all; 4xx ÷ all is half of it."""
    cpu_at_full: float
    memory: float

    @property
    def client_error_ratio(self) -> float:
        """4xx ÷ all."""
        return self.error_ratio / 2.0

    @property
    def shape(self) -> tuple[float, float]:
        """(median ms, sigma) of the log-normal latency."""
        return _shape(self.mean_ms, self.p95_ms)


PROFILES: dict[SideName, Profile] = {
    "legacy": Profile(450.0, 1200.0, 0.72, 0.008, 0.95, 0.52),
    "canary": Profile(220.0, 600.0, 0.85, 0.002, 0.80, 0.41),
}
"""The mission's A/B figures: success 0.988 and 0.997, the rest 5xx and 4xx about 2:1."""


HEALTHY = "healthy"
OperationMode = Literal["normal", "stuck", "failing"]

MONITORING_API = "/google.monitoring.v3.*"
RUN_API = "/google.cloud.run.v2.*|/google.longrunning.Operations/*"


class SideEffects(msgspec.Struct, frozen=True):
    """What a scenario does to the traffic of one side; None and 1 leave it as it is."""

    error_ratio: float | None = None
    latency_factor: float = 1.0
    confidence: float | None = None
    silent: bool = False
    """The side's series stop; the service itself goes on answering."""
    bursts: Bursts | None = None
    """How the error ratio moves."""
    cause: Cause | None = None
    """What makes those fail that fail more often than on a healthy day."""


Act = Literal["pin", "move_tag", "redeploy", "stand"]
"""What CI or an operator does beside the rollout: bind the traffic to what serves, deploy with
`--no-traffic --tag`, deploy Canary anew; or a colleague brings it to another stage, record and
all, where it has stood for hours."""


class ScenarioState(msgspec.Struct, frozen=True, kw_only=True):
    """What the APIs must know of the scenario that is on at one moment.

    The faults are as in the fault table (`times` None). `since` is when the scenario began and
    tells one run of a scenario from the next.
    """

    name: str = HEALTHY
    since: float = 0.0
    params: Mapping[str, float] = {}
    ingest_delay_s: float = 150.0
    """How long after its end a minute becomes visible in Cloud Monitoring."""
    monitoring_fault: Fault | None = None
    run_fault: Fault | None = None
    update_fault: Fault | None = None
    """For changes only (update, create, delete); reads are not touched by it."""
    changes_denied: bool = False
    """TestIamPermissions must leave out run.services.update, .delete and actAs."""
    operation_mode: OperationMode = "normal"
    foreign_change_at: float | None = None
    """When somebody else sets the share to `foreign_percent`, without touching our annotation."""
    foreign_percent: int = 0
    foreign_change_due: bool = False
    """That time has come. The holder of the state does it once for each `since`."""
    act: Act | None = None
    """What somebody else does to a service, once for each `since`."""
    session_affinity: bool = False
    """The templates of both sides keep a client on its side."""
    log_excludes_2xx: bool = False
    """An exclusion filter keeps successful requests out of the request log."""
    log_late_s: float = 0.0
    """Entries of the request log come up to so much later than usual."""
    foreign_change_on_update: bool = False
    """Somebody else changes it again in the moment an update arrives (once for each `since`)."""
    touches: int = 0
    """So many times (for each `since`) another tool is faster than an update, and touches what is
    not the split."""


class Scenario(msgspec.Struct, frozen=True):
    """A named scenario: one line for people, the numbers that can be set, what it changes."""

    name: str
    about: str
    params: Mapping[str, float] = {}
    traffic: Callable[[Mapping[str, float]], Mapping[SideName, SideEffects]] | None = None
    api: Callable[[Mapping[str, float]], Mapping[str, object]] | None = None


def _fault(api: str, code: str, message: str) -> Fault:
    return msgspec.convert({"method": api, "code": code, "message": message}, Fault)


_QUOTA = _fault(
    MONITORING_API,
    "RESOURCE_EXHAUSTED",
    "Quota exceeded for quota metric 'Time series queries' and limit 'Time series queries per"
    " minute' of service 'monitoring.googleapis.com'",
)
_NO_MONITORING = _fault(MONITORING_API, "UNAVAILABLE", "The service is currently unavailable.")
_NO_RUN = _fault(RUN_API, "UNAVAILABLE", "The service is currently unavailable.")
_DENIED = _fault(
    RUN_API,
    "PERMISSION_DENIED",
    "Permission 'run.services.update' denied on resource (or resource may not exist).",
)


def _failing(name: str, about: str, ratio: float, cause: Cause) -> Scenario:
    """A scenario in which a part of Canary's requests fails for one cause."""
    return Scenario(
        name,
        about,
        {"ratio": ratio},
        traffic=lambda p: {"canary": SideEffects(error_ratio=p["ratio"], cause=cause)},
    )


_ALL = (
    Scenario(HEALTHY, "nothing is wrong"),
    Scenario(
        "error-spike",
        "Canary answers 5xx to many requests",
        # base: Legacy's ratio; Legacy is left as it is unless another one is asked for
        {"ratio": 0.08, "base": PROFILES["legacy"].error_ratio},
        traffic=lambda p: {
            "canary": SideEffects(error_ratio=p["ratio"]),
            "legacy": SideEffects(
                error_ratio=None if p["base"] == PROFILES["legacy"].error_ratio else p["base"]
            ),
        },
    ),
    Scenario(
        "slow-burn",
        "Canary's errors stay between warning and critical for hours",
        {"ratio": 0.03},
        traffic=lambda p: {"canary": SideEffects(error_ratio=p["ratio"])},
    ),
    Scenario(
        "latency",
        "Canary answers so slowly that its p95 passes 30 s",
        # × 40 of the 600 ms would be 24 s only: a warning, not the critical limit.
        {"factor": 70.0},
        traffic=lambda p: {"canary": SideEffects(latency_factor=p["factor"])},
    ),
    Scenario(
        "low-confidence",
        "Canary's answers score badly",
        {"mean": 0.55},
        traffic=lambda p: {"canary": SideEffects(confidence=p["mean"])},
    ),
    Scenario(
        "no-data",
        "Canary's series stop while it goes on serving",
        traffic=lambda _: {"canary": SideEffects(silent=True)},
    ),
    Scenario(
        "stale",
        "Cloud Monitoring shows everything ten minutes late",
        {"delay_s": 600.0},
        api=lambda p: {"ingest_delay_s": p["delay_s"]},
    ),
    Scenario(
        "quota", "Cloud Monitoring refuses: quota", api=lambda _: {"monitoring_fault": _QUOTA}
    ),
    Scenario(
        "monitoring-outage",
        "Cloud Monitoring is away",
        api=lambda _: {"monitoring_fault": _NO_MONITORING},
    ),
    Scenario("run-outage", "Cloud Run's API is away", api=lambda _: {"run_fault": _NO_RUN}),
    Scenario(
        "conflict",
        "somebody else changes the split, and once more when we try to",
        {"after_s": 90.0, "percent": 15.0},
        api=lambda p: {
            "foreign_change_at": p["after_s"],
            "foreign_percent": round(p["percent"]),
            "foreign_change_on_update": True,
        },
    ),
    Scenario(
        "pinned",
        "somebody binds the traffic to the revision that serves: what is set then serves nobody",
        api=lambda _: {"act": "pin"},
    ),
    Scenario(
        "moved-tag",
        "CI deploys with --no-traffic --tag: the tag moves, and no traffic goes along",
        api=lambda _: {"act": "move_tag"},
    ),
    Scenario(
        "redeploy",
        "CI deploys another revision of Canary in the middle of the soak",
        api=lambda _: {"act": "redeploy"},
    ),
    Scenario(
        "churn",
        "another tool touches the service, not its split, just before each change",
        {"times": 5.0},
        api=lambda p: {"touches": round(p["times"])},
    ),
    Scenario(
        "unhealthy",
        "Canary fails its health check, and most of its requests: `v` does not pass",
        {"ratio": 0.6},
        traffic=lambda p: {"canary": SideEffects(error_ratio=p["ratio"])},
    ),
    Scenario(
        "load-test",
        "the rollout has stood at stage 3 for two days, which asks for a load test: `L` `y`",
        {"stage": 3.0, "percent": 25.0, "hours": 50.0},
        api=lambda _: {"act": "stand"},
    ),
    Scenario(
        "final-approval",
        "the rollout has stood at stage 4 for three days: `:ab test`, then `p` asks for approval",
        {"stage": 4.0, "percent": 50.0, "hours": 75.0},
        api=lambda _: {"act": "stand"},
    ),
    Scenario(
        "denied",
        "we may look, but not change",
        api=lambda _: {"update_fault": _DENIED, "changes_denied": True},
    ),
    Scenario("stuck-operation", "changes never settle", api=lambda _: {"operation_mode": "stuck"}),
    Scenario(
        "failing-operation",
        "changes fail after a while",
        api=lambda _: {"operation_mode": "failing"},
    ),
    Scenario(
        "crash-loop",
        "Canary answers 5xx to half of its requests for 20 s of every 2 minutes",
        # base: Canary's ratio in between, as good as Legacy's
        {
            "ratio": 0.5,
            "length_s": 20.0,
            "every_s": 120.0,
            "base": PROFILES["legacy"].error_ratio,
        },
        traffic=lambda p: {
            "canary": SideEffects(
                bursts=Bursts(p["ratio"], p["every_s"], p["length_s"], otherwise=p["base"])
            )
        },
    ),
    Scenario(
        "noisy",
        "errors come in bursts on both sides, each its own; in the mean they are equal",
        {"ratio": PROFILES["legacy"].error_ratio, "cv": 1.0, "every_s": 60.0},
        traffic=lambda p: {
            side: SideEffects(bursts=Bursts(p["ratio"], p["every_s"], cv=p["cv"])) for side in SIDES
        },
    ),
    Scenario(
        "sticky",
        "session affinity keeps each client on its side: a few bad clients make one look worse",
        {"ratio": PROFILES["legacy"].error_ratio, "cv": 2.0, "every_s": 600.0},
        traffic=lambda p: {
            "canary": SideEffects(bursts=Bursts(p["ratio"], p["every_s"], cv=p["cv"]))
        },
        api=lambda _: {"session_affinity": True},
    ),
    Scenario(
        "errors-unseen",
        "Cloud Monitoring is away while Canary answers 5xx to many requests",
        {"ratio": 0.12},
        traffic=lambda p: {"canary": SideEffects(error_ratio=p["ratio"])},
        api=lambda _: {"monitoring_fault": _NO_MONITORING},
    ),
    Scenario(
        "errors-run-away",
        "Cloud Run's API is away while Canary answers 5xx to many requests",
        {"ratio": 0.12},
        traffic=lambda p: {"canary": SideEffects(error_ratio=p["ratio"])},
        api=lambda _: {"run_fault": _NO_RUN},
    ),
    Scenario(
        "bad-redeploy",
        "CI deploys another revision of Canary in the soak, which answers 5xx to many requests",
        {"ratio": 0.12},
        traffic=lambda p: {"canary": SideEffects(error_ratio=p["ratio"])},
        api=lambda _: {"act": "redeploy"},
    ),
    Scenario(
        "log-excluded",
        "the request log leaves successful requests out, and Canary answers 5xx to some",
        {"ratio": 0.03},
        traffic=lambda p: {"canary": SideEffects(error_ratio=p["ratio"])},
        api=lambda _: {"log_excludes_2xx": True},
    ),
    Scenario(
        "log-late",
        "entries of the request log come seconds late, and Canary answers 5xx to some",
        {"ratio": 0.03, "late_s": 8.0},
        traffic=lambda p: {"canary": SideEffects(error_ratio=p["ratio"])},
        api=lambda p: {"log_late_s": p["late_s"]},
    ),
    _failing("route-fails", "one route of Canary answers 500", 0.06, causes.ROUTE_FAILS),
    _failing(
        "instance-fails", "one of Canary's instances answers 500", 0.06, causes.INSTANCE_FAILS
    ),
    _failing(
        "dependency-timeout",
        "what Canary's chat depends on times out, and it answers 504 after 10 s",
        0.06,
        causes.DEPENDENCY_TIMES_OUT,
    ),
    _failing(
        "new-exception",
        "Canary raises an exception that Legacy does not have, on one route",
        0.04,
        causes.NEW_EXCEPTION,
    ),
)

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _ALL}
"""By name, healthy first, in the order in which people are offered them."""


def check_scenario(name: str, params: Mapping[str, float]) -> None:
    """Raise ValueError if there is no such scenario or it has no such number to set."""
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise ValueError(f"scenario {name!r}: expected one of {', '.join(SCENARIOS)}")
    strange = sorted(set(params) - set(scenario.params))
    if strange:
        known = ", ".join(scenario.params) or "none"
        raise ValueError(f"params of {name}: expected {known}, not {', '.join(strange)}")


def side_effects(event: ScenarioOn | None, side: SideName) -> SideEffects:
    """Return what the scenario of an event does to a side's traffic."""
    if event is None or event.name not in SCENARIOS:
        return SideEffects()
    scenario = SCENARIOS[event.name]
    if scenario.traffic is None:
        return SideEffects()
    return scenario.traffic({**scenario.params, **event.params}).get(side, SideEffects())


def scenario_state(event: ScenarioOn | None, now: float, ingest_delay_s: float) -> ScenarioState:
    """Return what the APIs must know now, given the event that is on and the usual delay."""
    if event is None or event.name not in SCENARIOS:
        return ScenarioState(ingest_delay_s=ingest_delay_s)
    scenario = SCENARIOS[event.name]
    params = {**scenario.params, **event.params}
    changes = dict(scenario.api(params)) if scenario.api is not None else {}
    after_s = changes.pop("foreign_change_at", None)
    if isinstance(after_s, float):
        changes["foreign_change_at"] = event.at + after_s
        changes["foreign_change_due"] = now >= event.at + after_s
    base = ScenarioState(
        name=event.name, since=event.at, params=params, ingest_delay_s=ingest_delay_s
    )
    return msgspec.structs.replace(base, **changes)
