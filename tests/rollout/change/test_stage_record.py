"""The stage record and its transitions: what the table does not allow raises."""

from __future__ import annotations

from contextlib import suppress
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change.stage_record import (
    Move,
    StageRecord,
    check_transition,
    decode_record,
    encode_record,
    next_stage,
    soaked_hours,
)
from canary.rollout.errors import IllegalTransition, Malformed
from tests.rollout.build import NOW, PLAN, record

STAGES = range(6)
ALLOWED: dict[Move, set[tuple[int, int]]] = {
    "promote": {(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)},
    "step_back": {(a, b) for a in STAGES for b in STAGES if 1 <= b < a},
    "rollback_all": {(a, 0) for a in STAGES},
    "adopt": {(a, b) for a in STAGES for b in STAGES},
    "revert": {(a, b) for a in STAGES for b in STAGES},
}


@pytest.mark.parametrize("move", get_args(Move))
@pytest.mark.parametrize("at", STAGES)
@pytest.mark.parametrize("to", [-1, *STAGES, 6])
def test_a_transition_is_legal_only_by_the_table(move: Move, at: int, to: int) -> None:
    if (at, to) in ALLOWED[move]:
        check_transition(PLAN, move, at, to)
    else:
        with pytest.raises(IllegalTransition) as refused:
            check_transition(PLAN, move, at, to)
        assert refused.value.remedy
        assert refused.value.exit_code == 4


records = st.builds(
    StageRecord,
    stage=st.integers(0, 99),
    percent=st.integers(0, 100),
    entered_at=st.floats(0, 1e11, exclude_max=True),
    by=st.text(),
    host=st.text(),
    change=st.text(),
    reason=st.text(),
    previous_stage=st.none() | st.integers(0, 99),
    previous_percent=st.none() | st.integers(0, 100),
    enabled=st.booleans(),
    production_service=st.text(),
)


@given(records)
def test_a_record_is_read_as_it_was_written(written: StageRecord) -> None:
    try:
        text = encode_record(written)
    except UnicodeEncodeError:
        return
    assert decode_record(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"stage": 2}',
        '{"stage": "2", "percent": 10, "entered_at": 0}',
        '{"stage": 2, "percent": 101, "entered_at": 0}',
        '{"stage": 2, "percent": -1, "entered_at": 0}',
        '{"stage": -1, "percent": 10, "entered_at": 0}',
        '{"stage": 2, "percent": 10, "entered_at": -5}',
        '{"stage": 2, "percent": 10, "entered_at": NaN}',
        '{"stage": 2, "percent": 10, "entered_at": 1764134154000}',
        '{"stage": 2, "percent": 10, "entered_at": 5, "moved_at": 1764134154000}',
        '{"stage": 2, "percent": 10, "entered_at": 0, "version": 2}',
        '{"stage": 2, "percent": 10, "entered_at": 0',
        "\ud800",
    ],
)
def test_what_is_no_record_is_told_as_such(text: str) -> None:
    with pytest.raises(Malformed, match="stage record"):
        decode_record(text)


@given(st.text())
def test_any_annotation_is_a_record_or_told_as_none(text: str) -> None:
    with suppress(Malformed):
        decode_record(text)


def test_keys_of_a_later_release_do_not_stop_the_reading() -> None:
    assert decode_record('{"stage":2,"percent":10,"entered_at":5,"mood":"fine"}').stage == 2


def test_next_stage_ends_at_the_last() -> None:
    assert [next_stage(PLAN, s) for s in STAGES] == [1, 2, 3, 4, 5, None]


@pytest.mark.parametrize(("entered_at", "hours"), [(NOW - 5400, 1.5), (NOW, 0.0), (NOW + 60, 0.0)])
def test_the_soak_counts_from_entering_and_never_backwards(entered_at: float, hours: float) -> None:
    assert soaked_hours(record(entered_at=entered_at), NOW) == hours
