"""Answers that admit that something is missing: lists' `unreachable`, compute's `warning`."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud import monitoring_v3, run_v2

from canary.cloud.connection.calls import demand_whole
from canary.rollout.errors import Unavailable


def listed(**fields: Any) -> Any:
    return run_v2.ListServicesResponse.pb(run_v2.ListServicesResponse(**fields))


ADMITS = [
    listed(unreachable=["projects/p/locations/r"]),
    monitoring_v3.ListTimeSeriesResponse.pb(
        monitoring_v3.ListTimeSeriesResponse(execution_errors=[{"code": 4, "message": ""}])
    ),
    {"items": [], "unreachable": "zones/a"},
    {"unreachables": [], "unreachable": ["regions/b"]},
    {"warning": {"code": "UNREACHABLE", "message": "A scope is unreachable."}},
]
WHOLE = [
    listed(),
    run_v2.ListRevisionsResponse.pb(run_v2.ListRevisionsResponse()),
    {},
    {"unreachable": []},
    {"warning": {"code": "NO_RESULTS_ON_PAGE"}},
    {"warning": "a field of somebody else's"},
]


@pytest.mark.parametrize("page", ADMITS)
def test_what_admits_that_something_is_missing_is_no_answer(page: Any) -> None:
    with pytest.raises(Unavailable, match=r"S answered only in part \(reading\): \S"):
        demand_whole(page, "S", "reading")


@pytest.mark.parametrize("page", WHOLE)
def test_what_admits_nothing_is_whole(page: Any) -> None:
    demand_whole(page, "S", "reading")
