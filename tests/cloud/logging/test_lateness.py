"""How late entries come is measured, waited for within bounds, and what is missed makes unfit."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.logging.lateness import BIN_S, MOST_WAIT_S, Lateness
from canary.cloud.logging.windows import GRACE_S, Request, Windows


def measured(*late_s: float) -> Lateness:
    lateness = Lateness()
    for each in late_s:
        lateness.add(each)
    return lateness


def test_a_few_entries_say_nothing():
    assert measured(*[9.0] * 19).wait_s == 0.0


def test_the_wait_is_the_99th_percentile_and_a_bin():
    assert measured(*[2.0] * 990, *[8.0] * 10).wait_s == pytest.approx(2.0 + 2 * BIN_S)
    assert measured(*[2.0] * 980, *[8.0] * 20).wait_s == pytest.approx(8.0 + 2 * BIN_S)


def test_the_wait_is_bounded_and_entries_from_the_future_are_not_late():
    assert measured(*[900.0] * 100).wait_s == MOST_WAIT_S
    assert measured(*[-4.0] * 100).wait_s == 2 * BIN_S


def test_what_was_late_once_is_forgotten():
    lateness = measured(*[30.0] * 4000)
    for _ in range(40_000):
        lateness.add(1.0)
    assert lateness.wait_s < 2.0


@given(st.lists(st.floats(0, 50), min_size=20, max_size=300))
def test_at_most_a_hundredth_of_what_was_seen_would_have_come_later(late_s):
    wait = measured(*late_s).wait_s
    assert sum(each > wait for each in late_s) <= 0.01 * len(late_s)


# Specification, section 6: entries 2.5 s late on a host whose clock is 4 s ahead.
def test_a_clock_that_is_ahead_loses_no_more_than_the_first_windows():
    rng, lateness, windows = Random(1), Lateness(), Windows(1000.0)
    lost, too_late, total = 0, set(), 0
    for tick in range(1200):  # two minutes, in tenths of a second
        now = 1005.0 + tick / 10
        for _ in range(10):
            ended = now - 4.0 - 2.5 - rng.random()  # the host's clock is 4 s ahead
            lateness.add(now - ended)
            windows.add(Request("legacy", ended, 200, 50.0, "l-1"))
            total += ended > 1005.0
        windows.grace_s = max(GRACE_S, lateness.wait_s)
        for window in windows.close(now):
            lost += window.late
            too_late |= set(window.too_late)
    assert lateness.wait_s == pytest.approx(7.75, abs=0.5)
    assert lost < 0.01 * total


def test_a_window_that_misses_many_is_named_once_as_unfit():
    windows = Windows(1000.0)
    for _ in range(40):
        windows.add(Request("legacy", 1006.0, 200, 50.0, "l-1"))
    windows.close(1013.0)
    for _ in range(2):
        windows.add(Request("canary", 1007.0, 500, 50.0, "c-1"))
    assert windows.close(1018.0)[0].too_late == ()
    windows.add(Request("canary", 1007.0, 500, 50.0, "c-1"))
    windows.add(Request("canary", 1007.0, 500, 50.0, "c-1"))
    assert windows.close(1023.0)[0].too_late == (1005.0,)
    assert windows.close(1028.0)[0].too_late == ()
