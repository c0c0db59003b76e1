"""The dashboard for Grafana: the same rows as the console's screen, both sides, the plan's limits.

For Grafana 10 or newer with its Google Cloud Monitoring data source ("stackdriver"). Ratios and
percentiles are asked in PromQL, since MQL is deprecated and a ratio of two metrics has no other
query; the percentile is of the merged buckets, never of percentiles. Metric names are mapped as
cloud.google.com/monitoring/promql/promql-mapping says. Pure: a Plan in, plain values out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from canary.rollout.change import Side
from canary.rollout.grafana_panels import Panel, Query, Steps, draw_panel, draw_row
from canary.rollout.plan import Plan, Thresholds

SIDES: Final[tuple[Side, Side]] = ("legacy", "canary")
SCHEMA_VERSION: Final = 39
"""Of Grafana 10.4; newer ones migrate it when it is loaded."""

SOURCE_INPUT: Final = "DS_GOOGLE_CLOUD_MONITORING"

_RUN: Final = "run.googleapis.com/"


class Row(msgspec.Struct, frozen=True):
    """One row of the dashboard."""

    title: str
    panels: tuple[Panel, ...]


def build_dashboard(plan: Plan) -> dict[str, Any]:
    """The dashboard as Grafana imports it: over its screen, its API, or a provisioning file."""
    rows = (_overview(plan), _latency(plan), _confidence(plan), _resources(plan))
    target = plan.target
    return {
        "__inputs": [_source_input()],
        "__requires": [
            {"type": "grafana", "id": "grafana", "name": "Grafana", "version": "10.0.0"},
            {
                "type": "datasource",
                "id": "stackdriver",
                "name": "Google Cloud Monitoring",
                "version": "1.0.0",
            },
        ],
        "uid": _uid(plan),
        "title": f"Canary rollout: {plan.name}",
        "description": f"{target.project}, {target.region}. Written by `canary export grafana`.",
        "tags": ["canary", "cloud-run"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "timezone": "utc",
        "templating": {"list": _variables(plan)},
        "annotations": {"list": []},
        "links": [],
        "panels": _lay_out(rows, target.project),
    }


def metric_in_promql(metric: str) -> str:
    """A metric's name in PromQL: the first "/" is ":", every other special character "_"."""
    domain, _, path = metric.partition("/")
    return ":".join(re.sub(r"[^A-Za-z0-9_]", "_", part) for part in (domain, path))


def _overview(plan: Plan) -> Row:
    minute = tuple(
        Query(side, f"60 * sum(rate({_selector(plan, side, 'request_count')}[{_window(plan)}]))")
        for side in SIDES
    )
    errors, successes = _ratio(plan, "5xx"), _ratio(plan, "2xx|3xx")
    return Row(
        "Overview",
        (
            Panel("Request count (a minute)", "lines", minute, "reqpm", 8),
            Panel("Error ratio", "lines", errors, "percentunit", 8, _rising(plan, "error_ratio")),
            Panel("Success ratio", "lines", successes, "percentunit", 8, _falling(plan)),
        ),
    )


def _latency(plan: Plan) -> Row:
    limits = {95: _rising(plan, "p95_ms")}
    panels = (
        Panel(f"p{p}", "lines", _percentile(plan, p), "ms", 8, limits.get(p, ()))
        for p in (50, 95, 99)
    )
    return Row("Latency", tuple(panels))


def _confidence(plan: Plan) -> Row:
    mean = tuple(Query(side, _mean(plan, side, plan.metrics.confidence_metric)) for side in SIDES)
    whole = (
        Query(side, filters=_filters(plan, side), metric=plan.metrics.confidence_metric)
        for side in SIDES
    )
    bars = (
        Panel(f"Confidence, distribution: {query.side.capitalize()}", "bars", (query,), "short", 8)
        for query in whole
    )
    gauge = Panel("Confidence, mean", "gauge", mean, "none", 8, _scores(plan))
    return Row("Confidence", (gauge, *bars))


def _resources(plan: Plan) -> Row:
    def of(metric: str) -> tuple[Query, ...]:
        return tuple(Query(side, _mean(plan, side, _RUN + metric)) for side in SIDES)

    instances = tuple(
        Query(side, f"sum({_selector(plan, side, 'container/instance_count')})") for side in SIDES
    )
    billed = "container/billable_instance_time"
    billable = tuple(
        Query(side, f"sum(rate({_selector(plan, side, billed)}[{_window(plan)}]))")
        for side in SIDES
    )
    return Row(
        "Resources",
        (
            Panel("CPU utilisation", "lines", of("container/cpu/utilizations"), "percentunit", 6),
            Panel(
                "Memory utilisation", "lines", of("container/memory/utilizations"), "percentunit", 6
            ),
            Panel("Instances", "lines", instances, "short", 6),
            Panel("Billable instances", "lines", billable, "short", 6),
        ),
    )


def _ratio(plan: Plan, classes: str) -> tuple[Query, ...]:
    """Answers of some classes ÷ all. Without any of them it is 0; without any answer, no data."""
    return tuple(
        Query(
            side,
            f"(sum(rate({_selector(plan, side, 'request_count', classes)}[{_window(plan)}]))"
            f" or vector(0)) / sum(rate({_selector(plan, side, 'request_count')}"
            f"[{_window(plan)}]))",
        )
        for side in SIDES
    )


def _percentile(plan: Plan, percentile: int) -> tuple[Query, ...]:
    return tuple(
        Query(
            side,
            f"histogram_quantile({percentile / 100:g}, sum by (le) (rate("
            f"{_selector(plan, side, 'request_latencies', suffix='_bucket')}[{_window(plan)}])))",
        )
        for side in SIDES
    )


def _mean(plan: Plan, side: Side, metric: str) -> str:
    """The mean of a metric of distributions."""
    total, number = (
        f"sum(rate({_select(plan, side, metric, suffix=suffix)}[{_window(plan)}]))"
        for suffix in ("_sum", "_count")
    )
    return f"{total} / {number}"


def _selector(
    plan: Plan, side: Side, metric: str, classes: str | None = None, *, suffix: str = ""
) -> str:
    return _select(plan, side, _RUN + metric, classes, suffix=suffix)


def _select(
    plan: Plan, side: Side, metric: str, classes: str | None = None, *, suffix: str = ""
) -> str:
    """A metric of one side. One of the application's own may hang on another resource type."""
    labels = []
    if metric.startswith(_RUN):
        labels += ['monitored_resource="cloud_run_revision"', f'location="{plan.target.region}"']
    labels.append(f'service_name="{_service(plan, side)}"')
    if _by_revision(plan):
        labels.append(f'revision_name=~"${{{side}_revision}}"')
    if classes is not None:
        labels.append(f'response_code_class=~"{classes}"')
    return f"{metric_in_promql(metric)}{suffix}{{{', '.join(labels)}}}"


def _filters(plan: Plan, side: Side) -> tuple[str, ...]:
    """The same choice as the data source's own query builder has it."""
    found = ("resource.label.service_name", "=", _service(plan, side))
    if not _by_revision(plan):
        return found
    return (*found, "AND", "resource.label.revision_name", "=~", f"${{{side}_revision}}")


def _service(plan: Plan, side: Side) -> str:
    if _by_revision(plan):
        return plan.router_service
    return plan.target.legacy if side == "legacy" else plan.target.canary


def _by_revision(plan: Plan) -> bool:
    return plan.target.router.kind == "revisions"


def _window(plan: Plan) -> str:
    return f"{plan.metrics.window_minutes}m"


def _rising(plan: Plan, name: str) -> Steps:
    """Limits that are passed upwards: green below the warning, red above the critical."""
    warning, critical = _limit(plan.alerts.warning, name), _limit(plan.alerts.critical, name)
    steps: list[tuple[str, float | None]] = [("green", None)]
    steps += [("yellow", warning)] if warning is not None else []
    steps += [("red", critical)] if critical is not None else []
    return tuple(steps)


def _falling(plan: Plan) -> Steps:
    """Limits that are passed downwards: red at the bottom."""
    warning, critical = plan.alerts.warning.success_ratio, plan.alerts.critical.success_ratio
    return _upwards(critical, warning)


def _scores(plan: Plan) -> Steps:
    """The alerts' limits if the plan has them, else the least and the most that a stage asks."""
    warning, critical = plan.alerts.warning.confidence, plan.alerts.critical.confidence
    asked = [s.criteria.min_confidence for s in plan.stages if s.criteria is not None]
    if warning is None and critical is None and asked:
        critical, warning = min(asked), max(asked)
    return _upwards(critical, warning)


def _upwards(critical: float | None, warning: float | None) -> Steps:
    """Red below the critical, yellow below the warning, green above."""
    if critical is None and warning is None:
        return (("green", None),)
    steps: list[tuple[str, float | None]] = [("red" if critical is not None else "yellow", None)]
    if critical is not None and warning is not None and warning > critical:
        steps.append(("yellow", critical))
    best = warning if warning is not None else critical
    return (*steps, ("green", best))


def _limit(thresholds: Thresholds, name: str) -> float | None:
    value: float | None = getattr(thresholds, name)
    return value


def _source_input() -> dict[str, str]:
    return {
        "name": SOURCE_INPUT,
        "label": "Google Cloud Monitoring",
        "description": "The data source that reads the project's metrics",
        "type": "datasource",
        "pluginId": "stackdriver",
        "pluginName": "Google Cloud Monitoring",
    }


def _variables(plan: Plan) -> list[dict[str, Any]]:
    """The data source, so that a provisioned dashboard has one too; and between revisions their
    names, which change with each deployment and are typed at the top of the dashboard.
    """
    source = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "stackdriver",
        "current": {"text": "Google Cloud Monitoring", "value": f"${{{SOURCE_INPUT}}}"},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "regex": "",
    }
    if not _by_revision(plan):
        return [source]
    return [source, *(_revision_variable(side) for side in SIDES)]


def _revision_variable(side: Side) -> dict[str, Any]:
    chosen = {"text": ".*", "value": ".*"}
    return {
        "name": f"{side}_revision",
        "label": f"{side.capitalize()}'s revision (a regular expression)",
        "type": "textbox",
        "query": ".*",
        "current": chosen,
        "options": [{**chosen, "selected": True}],
        "hide": 0,
    }


def _lay_out(rows: Sequence[Row], project: str) -> list[dict[str, Any]]:
    """Number the panels and give each its place: side by side, the rows below each other."""
    panels: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        panels.append(draw_row(row.title, len(panels) + 1, y))
        y += 1
        x = 0
        for panel in row.panels:
            panels.append(draw_panel(panel, len(panels) + 1, x, y, project))
            x += panel.width
        y += max(panel.height for panel in row.panels)
    return panels


def _uid(plan: Plan) -> str:
    """The same for the same rollout, so that importing again replaces it. At most 40 characters."""
    target = plan.target
    identity = "\0".join((target.project, target.region, target.legacy, target.canary))
    return f"canary-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
