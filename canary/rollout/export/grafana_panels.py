"""One panel of the dashboard for Grafana: a title, its queries, its limits → Grafana's JSON. Pure.

Legacy is always the first query of a panel ("A") and Canary the second, each named and coloured by
an override, so that it reads the same whatever labels the data source hands back.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from canary.rollout.change.change import Side
from canary.rollout.plan.plan import Plan, Thresholds

Kind = Literal["lines", "gauge", "bars"]
Steps = tuple[tuple[str, float | None], ...]
"""Colour from a value upwards, the lowest first; its value is None."""

DATA_SOURCE: Final = {"type": "stackdriver", "uid": "${datasource}"}
ALIGNMENT: Final = "+60s"
"""Cloud Run's metrics are sampled every minute; less is refused."""
STEP: Final = "60s"

_COLOURS: Final[dict[Side, str]] = {"legacy": "blue", "canary": "orange"}
_REFS: Final[dict[Side, str]] = {"legacy": "A", "canary": "B"}


class Query(msgspec.Struct, frozen=True):
    """What is asked of one side: `expr` in PromQL, or else `metric` whole, by its buckets.

    `filters` is the list of the data source's query builder: key, operator, value, "AND", key, …
    """

    side: Side
    expr: str = ""
    metric: str = ""
    filters: tuple[str, ...] = ()


class Panel(msgspec.Struct, frozen=True):
    """One panel. `width` in 24ths of the dashboard. `steps` empty: no limits."""

    title: str
    kind: Kind
    queries: tuple[Query, ...]
    unit: str
    width: int
    steps: Steps = ()
    height: int = 8


def draw_row(title: str, panel_id: int, y: int) -> dict[str, Any]:
    """The heading of a row, open: its panels follow it in the list."""
    place = {"h": 1, "w": 24, "x": 0, "y": y}
    return {
        "id": panel_id,
        "type": "row",
        "title": title,
        "gridPos": place,
        "collapsed": False,
        "panels": [],
    }


def draw_panel(panel: Panel, panel_id: int, x: int, y: int, project: str) -> dict[str, Any]:
    """A panel at its place, asking of `project`."""
    place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
    kinds = {"lines": "timeseries", "gauge": "gauge", "bars": "bargauge"}
    return {
        "id": panel_id,
        "type": kinds[panel.kind],
        "title": panel.title,
        "gridPos": place,
        "datasource": DATA_SOURCE,
        "targets": [_draw_query(query, project) for query in panel.queries],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _options(panel),
    }


def _draw_query(query: Query, project: str) -> dict[str, Any]:
    target: dict[str, Any] = {"refId": _REFS[query.side], "datasource": DATA_SOURCE}
    if query.expr:
        asked = {"projectName": project, "expr": query.expr, "step": STEP}
        return {
            **target,
            "queryType": "promQL",
            "promQLQuery": asked,
            # Not asked, but it must be there: without it the data source takes the query for one
            # of before Grafana 9.4 and rewrites it (migrateQuery in its datasource.ts).
            "timeSeriesList": _list_query(project, ()),
        }
    filters = ("metric.type", "=", query.metric, "AND", *query.filters)
    return {
        **target,
        "queryType": "timeSeriesList",
        "timeSeriesList": _list_query(project, filters),
        "aliasBy": "{{bucket}}",
    }


def _list_query(project: str, filters: tuple[str, ...]) -> dict[str, Any]:
    """The data source's TimeSeriesList. Of distributions this aligner and reducer keep the buckets
    whole: one series for each.
    """
    return {
        "projectName": project,
        "filters": list(filters),
        "perSeriesAligner": "ALIGN_DELTA",
        "crossSeriesReducer": "REDUCE_SUM",
        "alignmentPeriod": ALIGNMENT,
        "groupBys": [],
        "preprocessor": "none",
        "view": "FULL",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"color": colour, "value": value} for colour, value in panel.steps]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        # What is not known is neither a zero nor a line across the gap.
        "noValue": "no data",
        "thresholds": {"mode": "absolute", "steps": steps or [{"color": "green", "value": None}]},
    }
    if panel.unit == "percentunit" or panel.kind == "gauge":
        defaults["min"] = 0
    if panel.kind == "gauge":
        defaults["max"] = 1
        defaults["color"] = {"mode": "thresholds"}
    if panel.kind == "lines":
        style = "line" if panel.steps else "off"
        defaults["custom"] = {
            "drawStyle": "line",
            "lineWidth": 2,
            "fillOpacity": 0,
            "showPoints": "auto",
            "spanNulls": False,
            "thresholdsStyle": {"mode": style},
        }
    return defaults


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    """Each side's name and colour. Bars are named after their buckets, and of one side."""
    if panel.kind == "bars":
        return []
    named = []
    for query in panel.queries:
        properties = [{"id": "displayName", "value": query.side.capitalize()}]
        colour: dict[str, Any] = {
            "id": "color",
            "value": {"mode": "fixed", "fixedColor": _COLOURS[query.side]},
        }
        if panel.kind == "lines":
            properties.append(colour)
        matcher = {"id": "byFrameRefID", "options": _REFS[query.side]}
        named.append({"matcher": matcher, "properties": properties})
    return named


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "lines":
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "none"}}
    calculation = "lastNotNull" if panel.kind == "gauge" else "sum"
    reduce = {"values": False, "calcs": [calculation], "fields": ""}
    if panel.kind == "gauge":
        return {"reduceOptions": reduce, "showThresholdMarkers": True, "orientation": "auto"}
    return {"reduceOptions": reduce, "displayMode": "basic", "orientation": "vertical"}


# The plan's limits as the steps of colour that a panel of Grafana's knows. Pure.


def rising_steps(plan: Plan, name: str) -> Steps:
    """Limits that are passed upwards: green below the warning, red above the critical."""
    warning, critical = _limit(plan.alerts.warning, name), _limit(plan.alerts.critical, name)
    steps: list[tuple[str, float | None]] = [("green", None)]
    steps += [("yellow", warning)] if warning is not None else []
    steps += [("red", critical)] if critical is not None else []
    return tuple(steps)


def success_steps(plan: Plan) -> Steps:
    """Limits that are passed downwards: red at the bottom."""
    warning, critical = plan.alerts.warning.success_ratio, plan.alerts.critical.success_ratio
    return _upwards(critical, warning)


def confidence_steps(plan: Plan) -> Steps:
    """The alerts' limits if the plan has them, else the least and the most that a stage asks."""
    warning, critical = plan.alerts.warning.confidence, plan.alerts.critical.confidence
    each = (s.criteria.min_confidence for s in plan.stages if s.criteria is not None)
    asked = [limit for limit in each if limit is not None]
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
