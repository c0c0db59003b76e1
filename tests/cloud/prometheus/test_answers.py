"""Answers of `query_range`, as the API gives them and as they may be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from canary.cloud.monitoring.timeseries import Defects, PeriodGrid
from canary.cloud.prometheus.answers import read_latency, read_matrix, read_responses
from canary.rollout.errors import Malformed, Unavailable
from canary.rollout.text import AtLeast

GRID = PeriodGrid(0, 120, 60)


def answer(*result: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(result)}, **more}


def series(values: dict[int, str], **labels: str) -> dict[str, Any]:
    return {"metric": labels, "values": [[at, value] for at, value in values.items()]}


def side_of(labels):
    return {"a": "legacy", "b": "canary"}.get(labels.get("side", ""))


def test_statuses_are_counted_by_class_whether_code_or_class() -> None:
    found = read_matrix(
        answer(
            series({0: "0", 60: "90", 120: "91"}, side="b", code="200"),
            series({0: "0", 60: "7", 120: "7"}, side="b", code="5xx"),
            series({0: "0", 60: "1", 120: "1"}, side="b", code=""),
        ),
        "reading",
    )
    defects = Defects()
    canary = read_responses(found, side_of, GRID, "code", defects)["canary"]
    assert (canary[60].ok_2xx, canary[60].server_5xx, canary[60].other) == (90, 7, 1)
    assert canary[120].total == 1
    assert not defects.reasons


def test_an_answer_with_warnings_is_no_data() -> None:
    document = answer(series({0: "1"}), warnings=["store gateway timed out"])
    with pytest.raises(Unavailable, match="store gateway timed out"):
        read_matrix(document, "reading")


def test_infos_take_nothing_away() -> None:
    document = answer(series({0: "1"}), infos=["metric might not be a counter"])
    assert len(read_matrix(document, "reading")) == 1


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"status": "error"},
        {"status": "success", "data": {"resultType": "vector", "result": []}},
        {"status": "success", "data": {"resultType": "matrix", "result": [{}]}},
        answer({"metric": {}, "values": [["x", "1"]]}),
        answer({"metric": {}, "values": [[0, "many"]]}),
    ],
)
def test_what_is_no_matrix_is_malformed(document: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_matrix(document, "reading")


def bucket(le: str, values: dict[int, str], **labels: str) -> dict[str, Any]:
    return series(values, le=le, side="b", **labels)


def test_classic_buckets_become_counts_in_ms_and_overflow_is_at_least() -> None:
    found = read_matrix(
        answer(
            bucket("0.1", {0: "0", 60: "90"}),
            bucket("10", {0: "0", 60: "95"}),
            bucket("+Inf", {0: "0", 60: "100"}),
        ),
        "reading",
    )
    latency = read_latency(found, side_of, GRID, 1000.0, Defects())["canary"][60]
    assert latency.bounds == (100.0, 10_000.0)
    assert latency.counts == (90, 5, 5)
    assert latency.percentile(0.99) == AtLeast(10_000.0)


def test_a_process_with_other_bounds_is_left_out_and_reported() -> None:
    usual = [
        bucket(le, {0: "0", 60: "5"}, instance=i) for i in ("1", "2") for le in ("0.1", "+Inf")
    ]
    other = [bucket(le, {0: "0", 60: "5"}, instance="3") for le in ("0.2", "+Inf")]
    defects = Defects()
    found = read_matrix(answer(*usual, *other), "reading")
    latency = read_latency(found, side_of, GRID, 1000.0, defects)["canary"][60]
    assert latency.count == 10
    assert defects.reasons


def test_buckets_without_infinity_are_no_histogram() -> None:
    defects = Defects()
    found = read_matrix(answer(bucket("0.1", {0: "0", 60: "5"})), "reading")
    assert read_latency(found, side_of, GRID, 1000.0, defects)["canary"] == {}
    assert "le=+Inf" in str(defects)


def native(at: int, count: int, *buckets: tuple[str, str, str]) -> list[Any]:
    given = [[0, lower, upper, n] for lower, upper, n in buckets]
    return [at, {"count": str(count), "sum": "1", "buckets": given}]


def test_native_histograms_are_read_on_a_layout_of_powers() -> None:
    # Schema 0: each bucket is a doubling. 90 in (0.5, 1], 10 in (2, 4].
    one = {
        "metric": {"side": "b"},
        "histograms": [
            native(0, 0),
            native(60, 100, ("0.5", "1", "90"), ("2", "4", "10")),
        ],
    }
    latency = read_latency(read_matrix(answer(one), "reading"), side_of, GRID, 1000.0, Defects())[
        "canary"
    ][60]
    by_bound = dict(zip(latency.bounds, latency.counts, strict=False))
    assert (by_bound[1000.0], by_bound[4000.0], latency.count) == (90, 10, 100)
    p95 = latency.percentile(0.95)
    assert p95 is not None
    assert 2000.0 < p95 <= 4000.0
