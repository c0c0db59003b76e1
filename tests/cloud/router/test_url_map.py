"""Weights of a URL map ↔ Canary's share, and what a PATCH says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.router.router import share_out
from canary.cloud.router.url_map import (
    LONGEST_TEXT,
    build_patch,
    read_percent,
    read_record,
    write_record,
)
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import Malformed, Rejected
from tests.embedded import DEFAULT_PLAN, with_router

PLAN = with_router(
    DEFAULT_PLAN, kind="url-map", url_map="m", legacy_backend="old", canary_backend="new"
)
ROUTER = PLAN.target.router
RECORD = StageRecord(3, 25, 1_760_000_000.0, by="ann", change="c1")
KEY = PLAN.record.annotation
BACKENDS = "https://www.googleapis.com/compute/v1/projects/p/global/backendServices"


def url_map(*weights: tuple[str, int], **fields: Any) -> dict[str, Any]:
    weighted = [{"backendService": f"{BACKENDS}/{name}", "weight": w} for name, w in weights]
    action = {"defaultRouteAction": {"weightedBackendServices": weighted}}
    return {"name": "m", "fingerprint": "f1", **action, **fields}


@pytest.mark.parametrize(
    ("document", "percent"),
    [
        (url_map(("old", 900), ("new", 100)), 10),
        (url_map(("old", 9), ("new", 1)), 10),
        (url_map(("old", 0), ("new", 1)), 100),
        (url_map(("old", 7), ("new", 0)), 0),
        (url_map(("old", 1), ("new", 999)), 99),
        (url_map(("old", 999), ("new", 1)), 1),
        (url_map(("old", 500), ("new", 200), ("new", 50), ("third", 250)), 25),
        (url_map(("old", 0), ("new", 0)), None),
        ({"defaultService": f"{BACKENDS}/old"}, 0),
        ({"defaultService": f"{BACKENDS}/new"}, 100),
        ({}, None),
        ({"defaultRouteAction": {"weightedBackendServices": "nonsense"}}, None),
    ],
)
def test_the_share_is_canarys_part_of_the_weights(document: dict[str, Any], percent: int | None):
    assert read_percent(ROUTER, document) == percent


@given(st.integers(0, 100), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_what_is_set_reads_back_and_fills_a_thousand(percent: int, old: int, new: int, third: int):
    before = url_map(("old", old), ("new", new), ("third", third))
    patch = build_patch(PLAN, before, percent, RECORD)
    after = {**before, **patch}
    assert read_percent(ROUTER, after) == percent
    if "defaultRouteAction" in patch:
        weighted = patch["defaultRouteAction"]["weightedBackendServices"]
        assert sum(one["weight"] for one in weighted) == 1000


def test_other_backends_keep_their_proportion_to_legacy():
    before = url_map(("old", 600), ("new", 100), ("third", 300))
    weighted = build_patch(PLAN, before, 40, RECORD)["defaultRouteAction"][
        "weightedBackendServices"
    ]
    assert [one["weight"] for one in weighted] == [400, 400, 200]


def test_an_entry_keeps_what_else_it_says():
    before = url_map(("old", 900), ("new", 100))
    header = {"requestHeadersToAdd": [{"headerName": "x", "headerValue": "y"}]}
    before["defaultRouteAction"]["weightedBackendServices"][1]["headerAction"] = header
    weighted = build_patch(PLAN, before, 25, RECORD)["defaultRouteAction"][
        "weightedBackendServices"
    ]
    assert weighted[1]["headerAction"] == header


def test_a_backend_that_is_not_in_the_map_is_added():
    patch = build_patch(PLAN, {"fingerprint": "f", "defaultService": f"{BACKENDS}/old"}, 5, RECORD)
    assert patch["defaultService"] is None
    assert patch["defaultRouteAction"]["weightedBackendServices"] == [
        {"backendService": "projects/naeda-genesis/global/backendServices/old", "weight": 950},
        {"backendService": "projects/naeda-genesis/global/backendServices/new", "weight": 50},
    ]


def test_a_share_that_is_set_already_is_not_sent_again():
    assert set(build_patch(PLAN, url_map(("old", 3), ("new", 1)), 25, RECORD)) == {
        "fingerprint",
        "description",
    }


def test_a_map_without_a_fingerprint_is_not_changed():
    with pytest.raises(Malformed):
        build_patch(PLAN, url_map(("old", 1), ("new", 1), fingerprint=""), 5, RECORD)


def test_the_record_is_a_line_beside_what_people_wrote():
    text = write_record("Front of the API.\nOwner: web", KEY, RECORD)
    assert text.splitlines()[:2] == ["Front of the API.", "Owner: web"]
    assert read_record(text, KEY) == (RECORD, "")
    again = write_record(text, KEY, StageRecord(4, 50, 1_760_000_001.0))
    assert again.count(f"{KEY}=") == 1


def test_no_record_and_an_unreadable_one_are_told_apart():
    assert read_record("Front of the API.", KEY) == (None, "")
    record, error = read_record(f"{KEY}={{", KEY)
    assert record is None
    assert "cannot be read" in error


def test_a_reason_too_long_for_the_description_is_cut():
    long = StageRecord(3, 25, 1_760_000_000.0, change="c1", reason="because " * 400)
    text = write_record("Owner: web", KEY, long)
    record, _ = read_record(text, KEY)
    assert len(text) <= LONGEST_TEXT
    assert record is not None
    assert record.change == "c1"
    assert record.reason.endswith("…")


def test_a_description_that_leaves_no_space_is_a_refusal():
    with pytest.raises(Rejected, match="leaves no space"):
        write_record("x" * LONGEST_TEXT, KEY, RECORD)


@given(st.integers(0, 5000), st.lists(st.integers(0, 2000), min_size=1, max_size=6))
def test_parts_sum_to_the_whole(whole: int, weights: list[int]):
    parts = share_out(whole, weights)
    assert sum(parts) == (whole if sum(weights) else 0)
    assert all(p == 0 for p, w in zip(parts, weights, strict=True) if w == 0)
