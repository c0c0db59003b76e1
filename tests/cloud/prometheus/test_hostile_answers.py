"""Whatever a Prometheus answers, it is numbers or a trouble that is said, never a mistake here."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.monitoring.timeseries import Defects, PeriodGrid
from canary.cloud.prometheus.answers import read_latency, read_matrix, read_responses
from canary.rollout.errors import Malformed
from tests.cloud.prometheus.test_answers import GRID, answer, series, side_of

NUMBERS = st.sampled_from(
    ["0", "1", "-1", "NaN", "+Inf", "-Inf", "1e308", "1e-320", "9e18", "x", "", 0, 60, 1e308, None]
)
TIMES = st.sampled_from([0, 60, 120, "60", "Infinity", "1e400", "nan", -1e300, None, [], "x"])
BUCKET = st.one_of(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), st.just(()), NUMBERS)
NATIVE = st.one_of(
    st.fixed_dictionaries({"count": NUMBERS}, optional={"buckets": st.lists(BUCKET, max_size=3)}),
    NUMBERS,
)
LABELS = st.one_of(
    st.fixed_dictionaries(
        {"side": st.sampled_from(["a", "b", "c"])},
        optional={"le": NUMBERS, "code": NUMBERS, "pod": st.text(max_size=3)},
    ),
    st.sampled_from([None, [], "x", 1]),
)
SERIES = st.one_of(
    st.fixed_dictionaries(
        {"metric": LABELS},
        optional={
            "values": st.one_of(st.lists(st.tuples(TIMES, NUMBERS), max_size=4), NUMBERS),
            "histograms": st.one_of(st.lists(st.tuples(TIMES, NATIVE), max_size=3), NUMBERS),
        },
    ),
    st.sampled_from([None, [], "x", 1]),
)


@given(st.lists(SERIES, max_size=5))
def test_no_answer_is_a_mistake_of_this_program(given_series: list[Any]) -> None:
    document = msgspec.json.decode(msgspec.json.encode(answer(*given_series)))
    with contextlib.suppress(Malformed):
        found = read_matrix(document, "reading")
        for side in read_responses(found, side_of, GRID, "code", Defects()).values():
            assert all(
                0 <= n < 1e17 for counts in side.values() for n in msgspec.structs.astuple(counts)
            )
        for column in read_latency(found, side_of, GRID, 1000.0, Defects()).values():
            assert all(d.count >= 0 for d in column.values())


@pytest.mark.parametrize(
    "strange",
    [
        {"metric": [], "values": []},
        "x",
        {"metric": {}, "values": [["Infinity", "1"]]},
        {"metric": {}, "histograms": [[60, "x"]]},
    ],
)
def test_what_is_no_series_is_said(strange: Any) -> None:
    with pytest.raises(Malformed, match="cannot be used"):
        read_matrix(answer(strange), "reading")


@pytest.mark.parametrize("bound", ["x", "", "NaN", "-Inf"])
def test_a_bucket_without_a_bound_is_left_out_and_said(bound: str) -> None:
    told = [series({0: "0", 60: "1", 120: "2"}, side="b", le=le) for le in ("1", "+Inf", bound)]
    defects = Defects()
    found = read_latency(read_matrix(answer(*told), "reading"), side_of, GRID, 1000.0, defects)
    assert found["canary"][60].count == 1
    assert "without a bound" in str(defects)


def test_counts_that_no_sum_holds_are_no_counts() -> None:
    told = [series({0: "0", 60: "1e308", 120: "1e308"}, side="b", code="200", pod=p) for p in "xyz"]
    defects, grid = Defects(), PeriodGrid(0, 120, 60)
    found = read_responses(read_matrix(answer(*told), "reading"), side_of, grid, "code", defects)
    assert not found["canary"]
    assert ("canary", 60) in defects.spoilt


def test_a_native_bucket_of_any_shape_is_read() -> None:
    shapes = [["0", "1", "1", "1"], ["0", "1e-320", "1e308", "1"], ["0", "1", "+Inf", "1"]]
    told = {"metric": {"side": "b"}, "histograms": [[60, {"count": "3", "buckets": shapes}]]}
    found = read_matrix(answer(told), "reading")
    assert set(read_latency(found, side_of, GRID, 1000.0, Defects())) == {"legacy", "canary"}
