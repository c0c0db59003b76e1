"""Times from outside: what tools write, and what is not believed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.measure.times import FUTURE_S, NotATime, find_trouble, read_time

AT = 1_764_134_154.0
"""2025-11-26 05:15:54Z."""


@pytest.mark.parametrize(
    "value",
    [
        AT,
        int(AT),
        "1764134154",
        "2025-11-26T05:15:54Z",
        "2025-11-26T06:15:54+01:00",
        "2025-11-26T05:15:54.0000000Z",
        "/Date(1764134154000)/",
        "/Date(1764134154000+0100)/",
        {"value": "/Date(1764134154000)/", "DisplayHint": 2, "DateTime": "Wednesday"},
    ],
)
def test_what_tools_write_with_a_zone_or_as_seconds_is_read(value: Any) -> None:
    assert read_time(value, None) == AT


@pytest.mark.parametrize(
    "value",
    [
        "2025-11-26T05:15:54",
        "2025-11-26 05:15:54.000001",
        "26/11/2025 05:15:54",
        "11/26/2025 5:15:54 AM",
        "26.11.2025 05:15:54",
    ],
)
def test_without_a_zone_it_counts_where_it_agrees_with_the_files_own_time(value: str) -> None:
    assert read_time(value, AT + 60) == pytest.approx(AT, abs=1e-3)
    for written_at in (None, AT - 9 * 3600, AT + 3600, AT - 5.5 * 3600):
        with pytest.raises(NotATime, match="zone"):
            read_time(value, written_at)


def test_a_date_that_may_be_two_is_the_one_that_agrees() -> None:
    at = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()
    assert read_time("04/03/2026 12:00", at + 5) == at
    assert read_time("3/4/2026 12:00 PM", at + 5) == at


@pytest.mark.parametrize("value", [AT * 1e3, str(int(AT * 1e6)), "/Date(1764134154000000)/"])
def test_milliseconds_where_seconds_are_expected_are_said_to_be(value: Any) -> None:
    with pytest.raises(NotATime, match="looks like milliseconds"):
        read_time(value, AT)


@pytest.mark.parametrize(
    "value", [True, None, [], {}, "", "yesterday", "nan", "99/99/2025 01:00", float("inf"), "13:40"]
)
def test_what_is_no_time_is_none(value: Any) -> None:
    with pytest.raises(NotATime):
        read_time(value, AT)


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers(), st.none(), st.booleans()))
def test_anything_at_all_is_a_time_or_a_reason(value: Any) -> None:
    said = ""
    try:
        said = format(read_time(value, AT), "f")
    except NotATime as reason:
        said = str(reason)
    assert said
    assert "\n" not in said


def test_the_future_is_trouble_beyond_a_small_tolerance() -> None:
    assert find_trouble(AT, AT + 1e9) == find_trouble(AT + FUTURE_S, AT) == ""
    assert "in the future" in find_trouble(AT + FUTURE_S + 1, AT)
