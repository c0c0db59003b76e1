"""The dashboard for Grafana: the same rows as the console's screen, both sides, the plan's limits.

For Grafana 10 or newer with its Google Cloud Monitoring data source ("stackdriver"). Pure: a Plan
in, plain values out. `grafana_panels` draws one panel; here is what the dashboard asks and shows.

Written by hand, not with grafana-foundation-sdk (weighed at 11.6.0 and 10.1.0): it installs 5 MB
of generated Python and its builders take 165 ms to import, to replace the 60 lines of frames here
and in `grafana_panels`; queries, limits and places would stay. Its releases are one for each
Grafana under a changing epoch ("1769699379!11.6.0"), so a dependency can name no range; that for
10.1 knows no PromQL query and writes schemaVersion 36, that for 11.6 writes 41, which Grafana 10
does not know; and `__inputs`, which an import asks for, is in none of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from canary.rollout.change.change import Side
from canary.rollout.export.grafana_panels import (
    Panel,
    Query,
    confidence_steps,
    draw_panel,
    draw_row,
    rising_steps,
    success_steps,
)
from canary.rollout.plan.confidence import CLOUD_RUN, ConfidenceSource, find_confidence_source
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
    scored = (_confidence(plan),) if find_confidence_source(plan) is not None else ()
    rows = (_overview(plan), _latency(plan), *scored, _resources(plan))
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


# What the dashboard for Grafana asks of each side: PromQL, and the query builder's filters.
#
# Ratios and percentiles are asked in PromQL, since MQL is deprecated and a ratio of two metrics has
# no other query; the percentile is of the merged buckets, never of percentiles. Metric names are
# mapped as cloud.google.com/monitoring/promql/promql-mapping says. Pure.

SIDES: Final[tuple[Side, Side]] = ("legacy", "canary")

_RUN: Final = "run.googleapis.com/"


def metric_in_promql(metric: str) -> str:
    """A metric's name in PromQL: the first "/" is ":", every other special character "_"."""
    domain, _, path = metric.partition("/")
    return ":".join(re.sub(r"[^A-Za-z0-9_]", "_", part) for part in (domain, path))


def ask_requests(plan: Plan) -> tuple[Query, ...]:
    """Requests a minute."""
    return _of_both(lambda side: f"60 * {_rate(plan, side, 'request_count')}")


def ask_ratio(plan: Plan, classes: str) -> tuple[Query, ...]:
    """Answers of some classes ÷ all. Without any of them it is 0; without any answer, no data."""
    return _of_both(
        lambda side: (
            f"({_rate(plan, side, 'request_count', classes)} or vector(0))"
            f" / {_rate(plan, side, 'request_count')}"
        )
    )


def ask_percentile(plan: Plan, percentile: int) -> tuple[Query, ...]:
    """A percentile of request latency, in milliseconds, of the merged buckets."""
    return _of_both(
        lambda side: (
            f"histogram_quantile({percentile / 100:g}, sum by (le) (rate("
            f"{_select(plan, side, _RUN + 'request_latencies', suffix='_bucket')}"
            f"[{_window(plan)}])))"
        )
    )


def ask_mean(plan: Plan, metric: str) -> tuple[Query, ...]:
    """The mean of a metric of distributions."""
    return _of_both(
        lambda side: " / ".join(
            f"sum(rate({_select(plan, side, metric, suffix=suffix)}[{_window(plan)}]))"
            for suffix in ("_sum", "_count")
        )
    )


def ask_utilisation(plan: Plan, what: str) -> tuple[Query, ...]:
    """The mean utilisation of "cpu" or "memory", 0…1."""
    return ask_mean(plan, f"{_RUN}container/{what}/utilizations")


def ask_instances(plan: Plan) -> tuple[Query, ...]:
    """Instances, busy and idle."""
    metric = f"{_RUN}container/instance_count"
    return _of_both(lambda side: f"sum({_select(plan, side, metric)})")


def ask_billable(plan: Plan) -> tuple[Query, ...]:
    """Billable seconds a second: about as many instances as are paid for."""
    return _of_both(lambda side: _rate(plan, side, "container/billable_instance_time"))


def ask_buckets(plan: Plan, metric: str) -> tuple[Query, ...]:
    """A metric of distributions whole, by its buckets: the query builder's, without PromQL."""
    return tuple(Query(side, filters=_filters(plan, side), metric=metric) for side in SIDES)


def _of_both(express: Callable[[Side], str]) -> tuple[Query, ...]:
    return tuple(Query(side, express(side)) for side in SIDES)


def _rate(plan: Plan, side: Side, metric: str, classes: str | None = None) -> str:
    return f"sum(rate({_select(plan, side, _RUN + metric, classes)}[{_window(plan)}]))"


def _select(
    plan: Plan, side: Side, metric: str, classes: str | None = None, *, suffix: str = ""
) -> str:
    """A metric of one side. One of the application's own hangs on another resource type."""
    source = find_confidence_source(plan)
    if metric.startswith(_RUN) or source is None or source.resource == CLOUD_RUN:
        labels = ['monitored_resource="cloud_run_revision"', f'location="{plan.target.region}"']
        labels.append(f'service_name="{_service(plan, side)}"')
        if plan.target.shares_one_service:
            labels.append(f'revision_name=~"${{{side}_revision}}"')
    else:
        labels = [f'monitored_resource="{source.resource}"']
        own = [(name.partition(".labels.")[2], *rest) for name, *rest in _own(plan, side, source)]
        labels += [f'{name}{operator}"{value}"' for name, operator, value in own]
    if classes is not None:
        labels.append(f'response_code_class=~"{classes}"')
    return f"{metric_in_promql(metric)}{suffix}{{{', '.join(labels)}}}"


def _filters(plan: Plan, side: Side) -> tuple[str, ...]:
    """The same choice of the confidence metric, as the data source's own query builder has it."""
    source = find_confidence_source(plan)
    if source is not None and source.resource != CLOUD_RUN:
        first, *more = _own(plan, side, source)
        flat = (*first, *(text for triple in more for text in ("AND", *triple)))
        return tuple(text.replace(".labels.", ".label.") for text in flat)
    found = ("resource.label.service_name", "=", _service(plan, side))
    if not plan.target.shares_one_service:
        return found
    return (*found, "AND", "resource.label.revision_name", "=~", f"${{{side}_revision}}")


def _own(plan: Plan, side: Side, source: ConfidenceSource) -> list[tuple[str, str, str]]:
    """(label, operator, value) of one side of a metric on a resource of its own."""
    if not plan.target.shares_one_service:
        return [(source.label, "=", _service(plan, side))]
    of_service = [(source.service_label, "=", plan.router_service)] if source.service_label else []
    return [*of_service, (source.label, "=~", f"${{{side}_revision}}")]


def _service(plan: Plan, side: Side) -> str:
    if plan.target.shares_one_service:
        return plan.router_service
    return plan.target.legacy if side == "legacy" else plan.target.canary


def _window(plan: Plan) -> str:
    return f"{plan.metrics.window_minutes}m"
