"""What a well-shaped plan must also obey: ranges, orders, names. Finds every mistake.

Each rule yields what is wrong and what is expected, with the key's path as it is written in the
file. Ratios are 0…1; a value of 5 where 0.05 was meant is the commonest slip and is named as such.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from canary.rollout.plan.mistakes import Found, Mistake, check_name, check_range, nearest
from canary.rollout.plan.plan import KEY_ACTIONS, SCENARIOS, Plan, ScalePreset, Stage, Thresholds
from canary.rollout.plan.table_rules import (
    find_evidence_mistakes,
    find_notify_mistakes,
    find_procedure_mistakes,
    find_router_mistakes,
    find_trial_mistakes,
)
from canary.rollout.plan.tables import find_guard_mistakes
from canary.rollout.text import sanitize

_SERVICE: Final = re.compile(r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?")
_TAG: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_PROJECT: Final = re.compile(r"([a-z0-9.-]+:)?[a-z][-a-z0-9]{4,28}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z]+(-[a-z0-9]+)+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METRIC: Final = re.compile(r"[A-Za-z0-9.-]+(/[A-Za-z0-9_.-]+)+")
_ANNOTATION: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?")
_SYSTEM_ANNOTATIONS: Final = (
    "run.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
    "cloud.googleapis.com",
)
_LOOPBACK: Final = re.compile(r"localhost|127(\.\d{1,3}){3}|::1")


def find_rule_mistakes(plan: Plan) -> list[Mistake]:
    """Every rule that the plan breaks, in the order of the file's tables."""
    return [
        *_check_target(plan),
        *_check_addresses(plan),
        *_check_shares(plan.stages),
        *(m for i, s in enumerate(plan.stages) for m in _check_stage(i, s, len(plan.stages))),
        *_check_alerts(plan),
        *_check_metrics(plan),
        *_check_preset("scale.backup", plan.scale.backup),
        *_check_preset("scale.production", plan.scale.production),
        *find_procedure_mistakes(plan),
        *find_trial_mistakes(plan),
        *find_evidence_mistakes(plan.evidence),
        *find_guard_mistakes(plan.guard),
        *find_notify_mistakes(plan),
        *_check_record(plan),
        *_check_keys(plan.console.keys),
        *_check_local(plan),
    ]


def _check_target(plan: Plan) -> Found:
    target, router = plan.target, plan.target.router
    service = "a Cloud Run service name: lower-case letters, digits and hyphens, at most 49"
    yield from check_name("target.project", target.project, _PROJECT, "a project id")
    yield from check_name("target.region", target.region, _REGION, 'a region, as "us-central1"')
    yield from check_name("target.legacy", target.legacy, _SERVICE, service)
    yield from check_name("target.canary", target.canary, _SERVICE, service)
    if router.kind != "revisions" and target.canary == target.legacy:
        yield Mistake("target.canary", "is the same service as target.legacy", "another service")
    if router.service is not None:
        yield from check_name("target.router.service", router.service, _SERVICE, service)
    variable = "the name of an environment variable"
    yield from check_name("target.router.variable", router.variable, _VARIABLE, variable)
    yield from check_name("target.router.candidate", router.candidate, _TAG, "a tag or revision")
    yield from find_router_mistakes(router)


def _check_addresses(plan: Plan) -> Found:
    target = plan.target
    yield from _check_url("target.router.url", target.router.url)
    yield from _check_url("target.health.legacy_url", target.health.legacy_url)
    yield from _check_url("target.health.canary_url", target.health.canary_url)
    yield from _check_endpoint("target.endpoints.run", target.endpoints.run)
    yield from _check_endpoint("target.endpoints.monitoring", target.endpoints.monitoring)
    yield from _check_endpoint("target.endpoints.bigquery", target.endpoints.bigquery)
    yield from _check_endpoint("target.endpoints.logging", target.endpoints.logging)
    yield from _check_endpoint("target.endpoints.compute", target.endpoints.compute)
    registry = target.endpoints.artifact_registry
    yield from _check_endpoint("target.endpoints.artifact_registry", registry)
    if not target.health.path.startswith("/"):
        yield Mistake(
            "target.health.path", f'is "{sanitize(target.health.path)}"', 'a path, as "/health"'
        )
    yield from check_range("target.health.timeout_s", target.health.timeout_s, 0.1, 60)


def _check_url(path: str, url: str | None) -> Found:
    if url is None:
        return
    expected = "https://HOST, or http:// for this machine only (localhost, 127.0.0.1, [::1])"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or port == 0:
        yield Mistake(path, f'is "{sanitize(url, 80)}", which is no address', expected)
    elif parts.username or parts.password:
        # The address itself is not repeated: it holds a secret.
        yield Mistake(path, "carries a user name or password", "an address without credentials")
    elif parts.scheme == "http" and not _LOOPBACK.fullmatch(host):
        yield Mistake(path, f'is plain http to another machine ("{sanitize(url, 80)}")', expected)


def _check_endpoint(path: str, url: str | None) -> Found:
    """An address for gRPC: it has no use for a path or a query."""
    mistakes = list(_check_url(path, url))
    yield from mistakes
    if url is None or mistakes:
        return
    parts = urlsplit(url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        yield Mistake(
            path, f'is "{sanitize(url, 80)}"', "a host and a port and nothing behind them"
        )


def _check_shares(stages: tuple[Stage, ...]) -> Found:
    if not stages:
        yield Mistake("stages", "is empty", "at least one table [[stages]]")
    before = 0
    for index, stage in enumerate(stages):
        path, said = f"stages[{index}].percent", f"is {stage.percent}"
        if not 1 <= stage.percent <= 100:
            yield Mistake(path, said, "1 to 100, Canary's share")
            continue
        if stage.percent <= before:
            fall = "falls below" if stage.percent < before else "is no more than"
            wrong = f"{said}, which {fall} the stage before ({before})"
            yield Mistake(path, wrong, f"more than {before}: shares rise from stage to stage")
        before = max(before, stage.percent)


def _check_stage(index: int, stage: Stage, stages: int) -> Found:
    path = f"stages[{index}]"
    if index < stages - 1:
        if stage.soak_hours is None:
            yield Mistake(f"{path}.soak_hours", "is missing", "hours; only the last has no end")
        if stage.criteria is None:
            yield Mistake(f"{path}.criteria", "is missing", "what this stage must show to leave it")
    if stage.soak_hours is not None:
        yield from check_range(f"{path}.soak_hours", stage.soak_hours, 0, 8760)
    if stage.min_ab_improvement is not None:
        at = f"{path}.min_ab_improvement"
        yield from check_range(at, stage.min_ab_improvement, 0, 1, ratio=True)
    if stage.criteria is not None:
        at, criteria = f"{path}.criteria", stage.criteria
        yield from check_range(f"{at}.max_error_ratio", criteria.max_error_ratio, 0, 1, ratio=True)
        yield from check_range(f"{at}.max_p95_ms", criteria.max_p95_ms, 1, 3_600_000)
        low = criteria.min_success_ratio
        yield from check_range(f"{at}.min_success_ratio", low, 0, 1, ratio=True)
        yield from check_range(f"{at}.min_confidence", criteria.min_confidence, 0, 1, ratio=True)
    if stage.automatic_rollback is not None:
        yield from _check_thresholds(f"{path}.automatic_rollback", stage.automatic_rollback)


def _check_thresholds(path: str, limits: Thresholds) -> Found:
    if limits.p95_ms is not None:
        yield from check_range(f"{path}.p95_ms", limits.p95_ms, 1, 3_600_000)
    for name in ("error_ratio", "success_ratio", "confidence"):
        value = getattr(limits, name)
        if value is not None:
            yield from check_range(f"{path}.{name}", value, 0, 1, ratio=True)


def _check_alerts(plan: Plan) -> Found:
    warning, critical = plan.alerts.warning, plan.alerts.critical
    yield from _check_thresholds("alerts.warning", warning)
    yield from _check_thresholds("alerts.critical", critical)
    for name, sign in (
        ("error_ratio", 1),
        ("p95_ms", 1),
        ("success_ratio", -1),
        ("confidence", -1),
    ):
        mild, hard = getattr(warning, name), getattr(critical, name)
        if mild is not None and hard is not None and (mild - hard) * sign > 0:
            side = "at most" if sign > 0 else "at least"
            wrong = f"is {mild:g}, laxer than alerts.critical.{name} ({hard:g})"
            yield Mistake(
                f"alerts.warning.{name}", wrong, f"{side} {hard:g}: a warning comes first"
            )
    yield from check_range("alerts.watch_minutes", plan.alerts.watch_minutes, 0, 10_080)


def _check_metrics(plan: Plan) -> Found:
    metrics = plan.metrics
    yield from check_range("metrics.window_minutes", metrics.window_minutes, 1, 1440)
    least = max(1, metrics.window_minutes)
    at = "metrics.criteria_window_minutes"
    yield from check_range(at, metrics.criteria_window_minutes, least, 10_080)
    yield from check_range("metrics.min_requests", metrics.min_requests, 1, 10**9)
    yield from check_range("metrics.stale_after_s", metrics.stale_after_s, 60, 86_400)
    yield from check_range("metrics.refresh_s", metrics.refresh_s, 1, 3600)
    metric = 'a metric type, as "custom.googleapis.com/ion/confidence_score"'
    yield from check_name("metrics.confidence_metric", metrics.confidence_metric, _METRIC, metric)


def _check_preset(path: str, preset: ScalePreset) -> Found:
    yield from check_range(f"{path}.min", preset.min, 0, 10_000)
    yield from check_range(f"{path}.max", preset.max, max(1, preset.min), 10_000)


def _check_record(plan: Plan) -> Found:
    record = plan.record
    yield from check_name("record.annotation", record.annotation, _ANNOTATION, "prefix/name")
    prefix = record.annotation.partition("/")[0]
    if prefix.endswith(_SYSTEM_ANNOTATIONS):
        wrong = f'is in the namespace "{sanitize(prefix, 60)}", which Cloud Run refuses'
        yield Mistake("record.annotation", wrong, "a prefix of your own")
    for name in ("file", "outputs"):
        if not getattr(record, name).strip():
            yield Mistake(f"record.{name}", "is empty", "a path")
    if record.push and not record.git:
        yield Mistake("record.push", "is true without record.git", "git = true, or push = false")


def _check_keys(keys: dict[str, str]) -> Found:
    taken: dict[str, str] = {}
    for action, key in keys.items():
        path = f"console.keys.{sanitize(action, 40)}"
        if action not in KEY_ACTIONS:
            yield Mistake(path, "is not an action", nearest(action, KEY_ACTIONS))
        elif not key.strip():
            yield Mistake(path, "is empty", 'a key, as "p" or "ctrl+r"')
        elif key in taken:
            wrong = f'is "{sanitize(key, 20)}", the key of {taken[key]} too'
            yield Mistake(path, wrong, "a key of its own")
        taken.setdefault(key, action)


def _check_local(plan: Plan) -> Found:
    local = plan.local
    yield from check_range("local.speed", local.speed, 0.1, 3600)
    yield from check_range("local.seed", local.seed, 0, 2**63 - 1)
    yield from check_range("local.stage", local.stage, 0, len(plan.stages))
    yield from check_range("local.soaked_hours", local.soaked_hours, 0, 168)
    yield from check_range("local.requests_per_s", local.requests_per_s, 0.1, 100_000)
    if local.scenario not in SCENARIOS:
        meant = nearest(local.scenario, SCENARIOS)
        yield Mistake("local.scenario", f'is "{sanitize(local.scenario, 40)}"', meant)
