"""The dashboard for Grafana: the same rows as the console's screen, both sides, the plan's limits.

For Grafana 10 or newer with its Google Cloud Monitoring data source ("stackdriver"). Pure: a Plan
in, plain values out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from canary.rollout.change.change import Side
from canary.rollout.export.grafana_panels import (
    Panel,
    confidence_steps,
    draw_panel,
    draw_row,
    rising_steps,
    success_steps,
)
from canary.rollout.export.grafana_queries import (
    SIDES,
    ask_billable,
    ask_buckets,
    ask_instances,
    ask_mean,
    ask_percentile,
    ask_ratio,
    ask_requests,
    ask_utilisation,
)
from canary.rollout.plan.plan import Plan

SCHEMA_VERSION: Final = 39
"""Of Grafana 10.4; newer ones migrate it when it is loaded."""

SOURCE_INPUT: Final = "DS_GOOGLE_CLOUD_MONITORING"


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


def _overview(plan: Plan) -> Row:
    errors, successes = ask_ratio(plan, "5xx"), ask_ratio(plan, "2xx|3xx")
    rising = rising_steps(plan, "error_ratio")
    return Row(
        "Overview",
        (
            Panel("Request count (a minute)", "lines", ask_requests(plan), "reqpm", 8),
            Panel("Error ratio", "lines", errors, "percentunit", 8, rising),
            Panel("Success ratio", "lines", successes, "percentunit", 8, success_steps(plan)),
        ),
    )


def _latency(plan: Plan) -> Row:
    limits = {95: rising_steps(plan, "p95_ms")}
    panels = (
        Panel(f"p{p}", "lines", ask_percentile(plan, p), "ms", 8, limits.get(p, ()))
        for p in (50, 95, 99)
    )
    return Row("Latency", tuple(panels))


def _confidence(plan: Plan) -> Row:
    metric = plan.metrics.confidence_metric
    bars = (
        Panel(f"Confidence, distribution: {query.side.capitalize()}", "bars", (query,), "short", 8)
        for query in ask_buckets(plan, metric)
    )
    mean = ask_mean(plan, metric)
    gauge = Panel("Confidence, mean", "gauge", mean, "none", 8, confidence_steps(plan))
    return Row("Confidence", (gauge, *bars))


def _resources(plan: Plan) -> Row:
    cpu, memory = (ask_utilisation(plan, what) for what in ("cpu", "memory"))
    return Row(
        "Resources",
        (
            Panel("CPU utilisation", "lines", cpu, "percentunit", 6),
            Panel("Memory utilisation", "lines", memory, "percentunit", 6),
            Panel("Instances", "lines", ask_instances(plan), "short", 6),
            Panel("Billable instances", "lines", ask_billable(plan), "short", 6),
        ),
    )


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
    if not plan.target.shares_one_service:
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
