"""plan_backfill: all gaps, newest first, nothing twice, coarse only far back."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.engine.observe.missing import COARSE_S, FINE_S, begin_of_backfill, plan_backfill
from canary.engine.observe.series import KEPT_S
from tests.engine.observed import NEWEST, NOW, minutes

HOUR = 3600.0


@pytest.mark.parametrize(
    ("entered_at", "hours"),
    [(None, 6), (NOW - HOUR, 6), (NOW - 5 * HOUR, 6), (NOW - 24 * HOUR, 25)],
)
def test_it_reaches_an_hour_before_the_stage_and_six_hours_at_least(
    entered_at: float | None, hours: float
) -> None:
    assert begin_of_backfill(entered_at, NOW) == NOW - hours * HOUR


def test_it_never_reaches_beyond_what_is_kept() -> None:
    assert begin_of_backfill(NOW - 99 * KEPT_S, NOW) == NOW - KEPT_S


def test_nothing_is_asked_for_when_nothing_is_missing() -> None:
    assert plan_backfill((minutes(60), ()), NEWEST - HOUR, NEWEST, NOW) == ()


def test_the_last_hours_come_minute_by_minute_and_what_is_older_in_ten() -> None:
    pieces = plan_backfill((minutes(60), ()), NOW - 24 * HOUR, NEWEST, NOW)
    assert [p.period_s for p in pieces] == [FINE_S, COARSE_S]
    assert pieces[0].end == NEWEST - HOUR
    assert pieces[0].start == pieces[1].end


def test_one_question_covers_at_most_a_day() -> None:
    pieces = plan_backfill((minutes(60), ()), NOW - 7 * 24 * HOUR, NEWEST, NOW)
    assert max(p.end - p.start for p in pieces) == 24 * HOUR


@settings(max_examples=40, deadline=None)
@given(
    known=st.lists(st.tuples(st.integers(0, 2880), st.integers(1, 300)), max_size=6),
    hours=st.integers(6, 47),
)
def test_pieces_cover_every_gap_once_newest_first_and_touch_nothing_that_is_known(
    known: list[tuple[int, int]], hours: int
) -> None:
    since = NOW - hours * HOUR
    ends = sorted({m for a, n in known for m in range(a, a + n) if a + n <= 2880})
    sides = tuple(s for e in ends for s in minutes(1, newest=NOW - 2880 * 60 + 60 * e))
    pieces = plan_backfill((sides, ()), since, NEWEST, NOW)
    spans = sorted((p.start, p.end) for p in pieces)
    assert [p.end for p in pieces] == sorted((p.end for p in pieces), reverse=True)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    begun = {s.start for s in sides if s.end > since}
    for piece in pieces:
        assert piece.start % piece.period_s == 0
        assert piece.end % piece.period_s == 0
        assert begun.isdisjoint(range(int(piece.start), int(piece.end), 60))
    asked = {at for a, b in spans for at in range(int(a), int(b), 60)}
    for at in range(int(since), int(NEWEST), 60):
        assert at in asked or any(at + 60 * i in begun for i in range(-3, 4))
