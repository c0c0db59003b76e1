"""A snapshot as a monitor file has it: the procedure's fields, null where it may not be judged."""

from __future__ import annotations

import json

import msgspec
import pytest

from canary.rollout.export.monitor_document import (
    file_name,
    monitor_document,
    outage_document,
    time_of_name,
)
from tests.rollout.build import EMPTY, NOW, PLAN, snapshot, window

FIELDS = {"error_rate", "p95_response_time_ms", "success_rate", "avg_confidence_score"}


def test_it_has_the_procedures_fields_and_more() -> None:
    document = json.loads(json.dumps(monitor_document(snapshot(), PLAN), allow_nan=False))
    canary = document["canary"]
    assert {name: canary[name] for name in FIELDS} == {
        "error_rate": 0.003,
        "p95_response_time_ms": 610.0,
        "success_rate": 0.991,
        "avg_confidence_score": 0.85,
    }
    assert document["timestamp"] == "2026-03-01T14:03:22Z"
    assert (document["stage"]["index"], document["decision"]["verdict"]) == (2, "continue")
    assert {"legacy", "gates", "sources", "traffic"} <= document.keys()


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        ({"newest_at": NOW - PLAN.metrics.stale_after_s - 1}, "stale"),
        ({"requests": PLAN.metrics.min_requests - 1}, "thin"),
        ({"requests": None}, "missing"),
    ],
)
def test_what_may_not_be_judged_is_null_with_the_reason_beside_it(
    changes: dict[str, float | None], data: str
) -> None:
    found = snapshot()
    side = msgspec.structs.replace(found.canary, criteria_window=window(**changes))
    canary = monitor_document(msgspec.structs.replace(found, canary=side), PLAN)["canary"]
    assert canary["data"] == data
    assert {canary[name] for name in FIELDS} == {None}


def test_a_tail_of_few_values_is_null() -> None:
    found = snapshot()
    few = window(latency_count=19, confidence_count=19)
    side = msgspec.structs.replace(found.canary, criteria_window=few)
    canary = monitor_document(msgspec.structs.replace(found, canary=side), PLAN)["canary"]
    assert (canary["p95_response_time_ms"], canary["avg_confidence_score"]) == (None, None)
    assert canary["error_rate"] == 0.003


def test_an_outage_says_no_data_with_the_same_keys() -> None:
    document = outage_document(PLAN, NOW, "Cloud Run cannot be reached.")
    assert document.keys() == monitor_document(snapshot(), PLAN).keys()
    assert document["canary"].keys() == monitor_document(snapshot(EMPTY), PLAN)["canary"].keys()
    assert (document["decision"]["verdict"], document["canary"]["error_rate"]) == ("no_data", None)
    assert document["sources"][0]["message"] == "Cloud Run cannot be reached."


def test_an_outage_has_every_field_down_to_the_last_level() -> None:
    usual = monitor_document(snapshot(EMPTY), PLAN)
    document = outage_document(PLAN, NOW, "Cloud Run cannot be reached.")
    for name in ("stage", "traffic", "recent", "canary", "legacy", "decision"):
        assert document[name].keys() == usual[name].keys()
    for side in ("legacy", "canary"):
        assert document["recent"][side].keys() == usual["recent"][side].keys()
    assert set(document["stage"].values()) == set(document["traffic"].values()) == {None}


def test_a_name_tells_its_time_and_sorts_by_it() -> None:
    assert file_name(NOW) == "monitor_20260301T140322Z.json"
    assert time_of_name(file_name(NOW)) == NOW
    assert file_name(NOW) < file_name(NOW + 1) < file_name(NOW + 86_400)


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("monitor_20260301_140322.json", NOW),
        ("monitor_20260301-140322.json", NOW),
        ("monitor_20260301140322.json", NOW),
        ("monitor_20261301T140322Z.json", None),
        ("monitor_latest.json", None),
        ("monitor_20260301T140322Z.json.bak", None),
    ],
)
def test_other_ways_to_write_the_time_are_read(name: str, at: float | None) -> None:
    assert time_of_name(name) == at
