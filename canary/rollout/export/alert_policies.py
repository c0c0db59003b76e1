"""The plan's warnings and criticals as alert policies, and what sets those that are there right.

Pure. One policy for each limit, with one condition. Ours are known by a mark in their user labels
(the rollout, and which limit), never by their display names, which people may change; whatever
bears another mark or none is somebody else's and is not even compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

from canary.rollout.plan.confidence import CLOUD_RUN, find_confidence_source
from canary.rollout.plan.plan import Plan, Thresholds
from canary.rollout.text import format_limit, sanitize

OWNER_LABEL: Final = "canary_console_rollout"
KEY_LABEL: Final = "canary_console_limit"

Scope = Literal["warning", "critical"]
Metric = Literal["error_ratio", "p95_ms", "success_ratio", "confidence"]
ActionKind = Literal["create", "update", "delete", "keep"]

_NAMES: Final[dict[Metric, str]] = {
    "error_ratio": "error ratio",
    "p95_ms": "p95 latency",
    "success_ratio": "success ratio",
    "confidence": "mean confidence",
}


class Condition(msgspec.Struct, frozen=True):
    """One threshold condition, with the enum names of google/monitoring/v3.

    The value is `filter` aligned and reduced, divided by `denominator_filter` likewise where there
    is one. `duration_s` 0: one value beyond the threshold is enough.
    """

    display_name: str
    filter: str
    aligner: str
    reducer: str
    period_s: int
    comparison: str
    threshold: float
    denominator_filter: str = ""
    duration_s: int = 0


class Policy(msgspec.Struct, frozen=True):
    """What an alert policy of ours says. `key` is the limit it stands for, as "warning-p95_ms"."""

    key: str
    display_name: str
    documentation: str
    severity: str
    conditions: tuple[Condition, ...]
    combiner: str = "OR"


class FoundPolicy(msgspec.Struct, frozen=True):
    """A policy of ours as it is there. `condition_names` are those of its conditions, in order."""

    name: str
    policy: Policy
    condition_names: tuple[str, ...] = ()


class Action(msgspec.Struct, frozen=True):
    """What is to be done with one policy. `fields` are those that an update changes.

    `lines` say it for people: from → to.
    """

    kind: ActionKind
    key: str
    wanted: Policy | None = None
    found: FoundPolicy | None = None
    fields: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def owner_of(plan: Plan) -> str:
    """The mark of this rollout's policies: a label's value, the same in every run."""
    target = plan.target
    names = (target.project, target.region, plan.name, plan.router_service)
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
    return f"{target.canary[:40]}-{digest}"


def wanted_policies(plan: Plan, revision: str = "") -> tuple[Policy, ...]:
    """One policy for each limit of the plan, warnings first.

    `revision` is the candidate's, where the router splits between revisions of one service; it is
    not looked at otherwise.
    """
    scopes: tuple[tuple[Scope, Thresholds], ...] = (
        ("warning", plan.alerts.warning),
        ("critical", plan.alerts.critical),
    )
    return tuple(
        _build_policy(plan, scope, metric, limit, revision)
        for scope, limits in scopes
        for metric in _NAMES
        if (limit := getattr(limits, metric)) is not None
        and (metric != "confidence" or find_confidence_source(plan) is not None)
    )


def plan_actions(wanted: Sequence[Policy], found: Iterable[FoundPolicy]) -> tuple[Action, ...]:
    """What makes `found` (all ours, oldest first) into `wanted`; nothing of it twice.

    Of two policies for one limit the older is kept. A limit that is not in the plan any more takes
    its policy along.
    """
    left = list(found)
    actions: list[Action] = []
    for policy in wanted:
        own = next((f for f in left if f.policy.key == policy.key), None)
        if own is None:
            said = (f"create {policy.display_name}: {policy.conditions[0].display_name}",)
            actions.append(Action("create", policy.key, policy, None, lines=said))
            continue
        left.remove(own)
        actions.append(_compare(policy, own))
    for one in left:
        said = (f"delete {sanitize(one.policy.display_name)}: not in the plan, or there twice",)
        actions.append(Action("delete", one.policy.key, None, one, lines=said))
    return tuple(actions)


def _compare(wanted: Policy, found: FoundPolicy) -> Action:
    fields = tuple(
        name
        for name in ("display_name", "documentation", "severity", "conditions", "combiner")
        if getattr(wanted, name) != getattr(found.policy, name)
    )
    if not fields:
        return Action("keep", wanted.key, wanted, found)
    lines = tuple(
        line for name in fields for line in _format_difference(name, found.policy, wanted)
    )
    return Action("update", wanted.key, wanted, found, fields, lines)


def _format_difference(field: str, found: Policy, wanted: Policy) -> tuple[str, ...]:
    subject = sanitize(wanted.display_name)
    if field == "documentation":
        return (f"update {subject}: its documentation",)
    if field != "conditions":
        before, after = getattr(found, field), getattr(wanted, field)
        return (
            f"update {subject}: {field.replace('_', ' ')} {sanitize(before)} → {sanitize(after)}",
        )
    if len(found.conditions) != 1:
        count = len(found.conditions)
        return (f"update {subject}: {count} conditions → 1",)
    old, new = found.conditions[0], wanted.conditions[0]
    return tuple(
        f"update {subject}: {name.replace('_', ' ')} {sanitize(before)} → {sanitize(after)}"
        for name in new.__struct_fields__
        if (before := getattr(old, name)) != (after := getattr(new, name))
    )


def _build_policy(plan: Plan, scope: Scope, metric: Metric, limit: float, revision: str) -> Policy:
    below = metric in ("success_ratio", "confidence")
    minutes = plan.metrics.window_minutes
    said = f"{'<' if below else '>'} {format_limit(metric, limit)}"
    condition = _measure(plan, metric, revision)
    consequence = {
        "warning": f"Watch it closely for {plan.alerts.watch_minutes:g} minutes; if it has not"
        " cleared by then, go one stage back (`canary rollback`).",
        "critical": "Roll back all now (`canary rollback --all`).",
    }[scope]
    return Policy(
        key=f"{scope}-{metric}",
        display_name=f"{plan.target.canary}: {_NAMES[metric]}, {scope}",
        documentation=(
            f"{_NAMES[metric].capitalize()} of {plan.target.canary} over {minutes} minutes"
            f" {said}. {consequence} Written by `canary alerts apply` from the rollout's plan:"
            " change the limit there. A few requests are enough to raise it."
        ),
        severity=scope.upper(),
        conditions=(
            msgspec.structs.replace(
                condition,
                display_name=f"{_NAMES[metric]} {said}",
                comparison="COMPARISON_LT" if below else "COMPARISON_GT",
                threshold=limit,
            ),
        ),
    )


def _measure(plan: Plan, metric: Metric, revision: str) -> Condition:
    """How a metric is asked for; a percentile is reduced from merged distributions (DELTA)."""
    requests = _filter(plan, "run.googleapis.com/request_count", revision)
    period_s = plan.metrics.window_minutes * 60
    of_class = "metric.labels.response_code_class = "
    match metric:
        case "error_ratio":
            part, whole = f'{requests} AND {of_class}"5xx"', requests
        case "success_ratio":
            part, whole = f'{requests} AND {of_class}one_of("2xx", "3xx")', requests
        case "p95_ms":
            part, whole = _filter(plan, "run.googleapis.com/request_latencies", revision), ""
        case "confidence":
            part, whole = _confidence_filter(plan, revision), ""
    reducer = {"p95_ms": "REDUCE_PERCENTILE_95", "confidence": "REDUCE_MEAN"}
    return Condition(
        display_name="",
        filter=part,
        aligner="ALIGN_DELTA",
        reducer=reducer.get(metric, "REDUCE_SUM"),
        period_s=period_s,
        comparison="",
        threshold=0.0,
        denominator_filter=whole,
    )


def _confidence_filter(plan: Plan, revision: str) -> str:
    """Canary's part of the confidence metric. A policy must name the resource's type."""
    source, metric = find_confidence_source(plan), plan.metrics.confidence_metric
    if source is None or source.resource == CLOUD_RUN:
        return _filter(plan, metric, revision)
    shared = plan.target.shares_one_service
    parts = [f"metric.type = {_quote(metric)}", f"resource.type = {_quote(source.resource)}"]
    if source.service_label:
        parts.append(f"{source.service_label} = {_quote(plan.router_service)}")
    parts.append(f"{source.label} = {_quote(revision if shared else plan.target.canary)}")
    return " AND ".join(parts)


def _filter(plan: Plan, metric: str, revision: str) -> str:
    """Canary's part of a metric of Cloud Run, in Cloud Monitoring's filter language."""
    target = plan.target
    split = target.shares_one_service
    parts = [f"metric.type = {_quote(metric)}", 'resource.type = "cloud_run_revision"']
    parts.append(f"resource.labels.location = {_quote(target.region)}")
    service = plan.router_service if split else target.canary
    parts.append(f"resource.labels.service_name = {_quote(service)}")
    if split:
        parts.append(f"resource.labels.revision_name = {_quote(revision)}")
    return " AND ".join(parts)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
