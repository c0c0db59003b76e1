"""The one-hour watch: opened by a warning, closed by its end, moved by nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.tree import IDLE, Watch, advance_watch

HOUR = 3600.0
OPEN = Watch(since=1000.0, warning=True)
OVERDUE = Watch(since=1000.0, warning=True, overdue=True)


@pytest.mark.parametrize(
    ("watch", "warned", "at", "after"),
    [
        (IDLE, True, 1000.0, OPEN),
        (IDLE, False, 1000.0, IDLE),
        (IDLE, None, 1000.0, IDLE),
        (OPEN, True, 4599.0, OPEN),  # just before the end
        (OPEN, True, 4600.0, OVERDUE),  # exactly the end
        (OPEN, True, 4601.0, OVERDUE),
        (OPEN, False, 4599.0, Watch(since=1000.0, warning=False)),
        (OPEN, False, 4600.0, IDLE),
        (OPEN, None, 4600.0, OPEN),  # silence is no recovery, and no proof either
        (OPEN, None, 1e6, OPEN),
        (OVERDUE, True, 9000.0, OVERDUE),
        (OVERDUE, None, 9000.0, OVERDUE),
        (OVERDUE, False, 9000.0, IDLE),
    ],
)
def test_the_watch_moves_only_as_told(
    watch: Watch, warned: bool | None, at: float, after: Watch
) -> None:
    assert advance_watch(watch, warned=warned, at=at, watch_s=HOUR) == after


def test_a_warning_that_comes_and_goes_neither_restarts_nor_ends_the_watch() -> None:
    watch = IDLE
    for minute, warned in enumerate([True, False, True, False, False, True]):
        watch = advance_watch(watch, warned=warned, at=minute * 60.0, watch_s=HOUR)
        assert watch.since == 0.0
    assert not watch.overdue


def test_a_watch_of_no_length_is_overdue_at_once() -> None:
    assert advance_watch(IDLE, warned=True, at=5.0, watch_s=0.0).overdue


@given(st.lists(st.tuples(st.floats(1, 600), st.none() | st.booleans()), max_size=200))
def test_overdue_needs_a_warning_and_the_whole_hour(
    observations: list[tuple[float, bool | None]],
) -> None:
    watch, at = IDLE, 0.0
    for step, warned in observations:
        at += step
        watch = advance_watch(watch, warned=warned, at=at, watch_s=HOUR)
        if watch.overdue:
            assert watch.since is not None
            assert watch.warning
            assert at - watch.since >= HOUR
        if watch.since is None:
            assert watch == IDLE
