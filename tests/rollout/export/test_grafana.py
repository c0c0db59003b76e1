"""The dashboard for Grafana: what it shows, that it fits, that its queries can be asked."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import msgspec
import pytest

from canary.rollout.export.grafana import build_dashboard
from canary.rollout.plan.plan import Plan, Router
from tests.rollout.build import PLAN

BY_REVISIONS = msgspec.structs.replace(
    PLAN, target=msgspec.structs.replace(PLAN.target, router=Router(kind="revisions"))
)
PLANS = pytest.mark.parametrize("plan", [PLAN, BY_REVISIONS], ids=["services", "revisions"])


def panels(plan: Plan = PLAN) -> dict[str, Any]:
    """The panels by their titles, without the rows' headings."""
    return {p["title"]: p for p in build_dashboard(plan)["panels"] if p["type"] != "row"}


def expressions(panel: dict[str, Any]) -> list[str]:
    return [t["promQLQuery"]["expr"] for t in panel["targets"]]


def steps(panel: dict[str, Any]) -> list[tuple[str, float | None]]:
    found = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [(s["color"], s["value"]) for s in found]


def test_the_rows_are_those_of_the_procedure() -> None:
    rows = [p["title"] for p in build_dashboard(PLAN)["panels"] if p["type"] == "row"]
    assert rows == ["Overview", "Latency", "Confidence", "Resources"]


def test_every_panel_of_the_procedure_is_there() -> None:
    assert list(panels()) == [
        "Request count (a minute)",
        "Error ratio",
        "Success ratio",
        "p50",
        "p95",
        "p99",
        "Confidence, mean",
        "Confidence, distribution: Legacy",
        "Confidence, distribution: Canary",
        "CPU utilisation",
        "Memory utilisation",
        "Instances",
        "Billable instances",
    ]


@PLANS
def test_ids_are_unique_and_no_panel_lies_on_another(plan: Plan) -> None:
    found = build_dashboard(plan)["panels"]
    assert len({p["id"] for p in found}) == len(found)
    for panel in found:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
    for a, b in itertools.combinations([p["gridPos"] for p in found], 2):
        apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert apart_x or apart_y


@PLANS
def test_every_query_goes_to_the_chosen_source_and_the_plans_project(plan: Plan) -> None:
    dashboard = build_dashboard(plan)
    (source,) = dashboard["__inputs"]
    assert (source["type"], source["pluginId"]) == ("datasource", "stackdriver")
    variable = dashboard["templating"]["list"][0]
    assert (variable["name"], variable["query"]) == ("datasource", "stackdriver")
    assert variable["current"]["value"] == f"${{{source['name']}}}"
    for panel in panels(plan).values():
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            asked = target["promQLQuery" if target["queryType"] == "promQL" else "timeSeriesList"]
            assert asked["projectName"] == "naeda-genesis"


def test_every_panel_has_both_sides_in_the_same_order() -> None:
    for title, panel in panels().items():
        if panel["type"] == "bargauge":
            continue
        first, second = expressions(panel)
        # The score hangs on another resource, which has the service's name in another label.
        label = "job" if title.startswith("Confidence") else "service_name"
        assert f'{label}="ion-api"' in first, title
        assert f'{label}="ion-api-canary"' in second, title
        named = [
            (o["matcher"]["options"], o["properties"][0]["value"])
            for o in panel["fieldConfig"]["overrides"]
        ]
        assert named == [("A", "Legacy"), ("B", "Canary")]
        assert [t["refId"] for t in panel["targets"]] == ["A", "B"]


@PLANS
def test_expressions_are_whole(plan: Plan) -> None:
    for panel in panels(plan).values():
        if panel["type"] == "bargauge":
            continue
        for expr in expressions(panel):
            for opened, closed in ("()", "{}", "[]"):
                assert expr.count(opened) == expr.count(closed)
            for name in re.findall(r"([\w:]+)\{", re.sub(r"\$\{\w+\}", "", expr)):
                assert re.fullmatch(r"[a-z_]+_com:\w+", name)


def test_between_revisions_the_sides_are_chosen_by_name() -> None:
    variables = [v["name"] for v in build_dashboard(BY_REVISIONS)["templating"]["list"]]
    assert variables == ["datasource", "legacy_revision", "canary_revision"]
    first, second = expressions(panels(BY_REVISIONS)["p50"])
    assert 'revision_name=~"${legacy_revision}"' in first
    assert 'revision_name=~"${canary_revision}"' in second
    assert 'service_name="ion-api"' in second


def test_gaps_stay_gaps() -> None:
    for panel in panels().values():
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["noValue"] == "no data"
        if panel["type"] == "timeseries":
            assert defaults["custom"]["spanNulls"] is False


@PLANS
def test_it_is_json_and_the_same_each_time(plan: Plan) -> None:
    text = json.dumps(build_dashboard(plan), allow_nan=False)
    assert json.dumps(build_dashboard(plan)) == text
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", json.loads(text)["uid"])


@PLANS
def test_a_promql_query_is_not_taken_for_one_of_an_older_grafana(plan: Plan) -> None:
    """Without one of these fields the data source rewrites the query and then drops it."""
    for panel in panels(plan).values():
        for target in panel["targets"]:
            assert target["timeSeriesList"]["projectName"] == "naeda-genesis"
            assert target["timeSeriesList"]["crossSeriesReducer"]


def test_the_distribution_keeps_its_buckets() -> None:
    asked = panels()["Confidence, distribution: Canary"]["targets"][0]["timeSeriesList"]
    assert (asked["perSeriesAligner"], asked["crossSeriesReducer"]) == ("ALIGN_DELTA", "REDUCE_SUM")
    assert asked["filters"][:3] == ["metric.type", "=", PLAN.metrics.confidence_metric]


def test_a_panel_with_limits_draws_them() -> None:
    panel = panels()["Error ratio"]
    assert steps(panel) == [("green", None), ("yellow", 0.02), ("red", 0.05)]
    assert panel["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"] == {"mode": "line"}
    assert steps(panels()["p50"]) == [("green", None)]
