import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.logging.windows import GRACE_S, WINDOW_S, Request, Windows

NOW = 1000.0  # the first whole window begins at 1005


def request(at: float, side="canary", status=200, latency=100.0, revision="c-1") -> Request:
    return Request(side, at, status, latency, revision)


def test_the_first_window_is_the_first_whole_one():
    (window,) = Windows(NOW + 0.1).close(NOW + 5 + WINDOW_S + GRACE_S)
    assert (window.start, window.end) == (1005.0, 1010.0)


@pytest.mark.parametrize(("at", "closed"), [(1012.99, 0), (1013.0, 1), (1018.0, 2)])
def test_a_window_is_closed_a_grace_after_its_end(at, closed):
    assert len(Windows(NOW).close(at)) == closed


@pytest.mark.parametrize(("at", "counted"), [(1005.0, 0), (1005.01, 1), (1010.0, 1), (1010.01, 0)])
def test_a_request_belongs_to_the_window_in_which_it_ended(at, counted):
    windows = Windows(NOW)
    windows.add(request(at))
    assert windows.close(1013.0)[0].canary.requests == counted


@pytest.mark.parametrize(
    ("status", "bad"), [(200, 0), (404, 0), (429, 0), (499, 0), (500, 1), (503, 1), (599, 1)]
)
def test_bad_are_the_5xx(status, bad):
    windows = Windows(NOW)
    windows.add(request(1006, status=status))
    assert windows.close(1013.0)[0].canary.bad == bad


def test_each_side_has_its_own_counts_latencies_and_revisions():
    windows = Windows(NOW)
    for side, latency, revision in (("legacy", 50.0, "l-1"), ("canary", 900.0, "c-1")):
        windows.add(request(1007, side, latency=latency, revision=revision))
    (window,) = windows.close(1013.0)
    assert window.legacy.latency is not None
    assert window.canary.latency is not None
    assert window.legacy.latency.mean == 50.0
    assert window.canary.latency.mean == 900.0
    assert (window.legacy.revisions, window.canary.revisions) == (("l-1",), ("c-1",))


def test_a_window_without_requests_is_handed_out_too():
    (window,) = Windows(NOW).close(1013.0)
    assert window.legacy.requests == window.canary.requests == 0
    assert window.legacy.latency is None


def test_what_comes_after_the_grace_is_counted_as_late_in_the_next_window():
    windows = Windows(NOW)
    windows.close(1013.0)
    windows.add(request(1006))
    assert windows.close(1018.0)[0].late == 1


def test_what_ended_before_the_first_window_is_not_late():
    windows = Windows(NOW)
    windows.add(request(990))
    assert windows.close(1013.0)[0].late == 0


def test_suppression_spoils_every_window_that_is_open_then_and_no_other():
    windows = Windows(NOW)
    windows.close(1013.0)
    windows.spoil(1016.0, "left out")
    assert [w.unfit for w in windows.close(1028.0)] == ["left out", "left out", ""]


def test_a_cut_hands_out_what_has_begun_as_unfit():
    windows = Windows(NOW)
    windows.add(request(1006))
    found = windows.break_off(1011.0, "cut")
    assert [(w.start, w.unfit) for w in found] == [(1005.0, "cut"), (1010.0, "cut")]
    assert found[0].canary.requests == 1


def test_a_jump_of_the_clock_makes_no_flood_of_windows():
    windows = Windows(NOW)
    windows.add(request(1006))
    assert len(windows.close(NOW + 86_400 * 30)) <= 2


def test_an_entry_from_a_strange_future_opens_nothing():
    windows = Windows(NOW)
    windows.add(request(NOW + 86_400))
    assert windows.close(1013.0)[0].canary.requests == 0


@given(st.lists(st.floats(1005.01, 1049.99), max_size=60), st.randoms())
def test_no_request_is_lost_or_counted_twice_in_whatever_order_they_come(times, random):
    windows = Windows(NOW)
    random.shuffle(times)
    for at in times:
        windows.add(request(at))
    closed = windows.close(1053.0)
    assert sum(w.canary.requests for w in closed) == len(times)
    assert [w.start for w in closed] == [1005.0 + 5 * i for i in range(len(closed))]


def test_refused_requests_are_bad_counted_apart_and_in_no_latency():
    windows = Windows(NOW)
    windows.add(request(1006, latency=900.0))
    windows.add(Request("canary", 1006.0, 429, 0.0, "c-1", refused=True))
    windows.add(Request("canary", 1007.0, 500, 0.0, "c-1", refused=True))
    seen = windows.close(1013.0)[0].canary
    assert (seen.requests, seen.bad, seen.refused) == (3, 2, 2)
    assert seen.latency is not None
    assert (seen.latency.count, seen.latency.mean) == (1, 900.0)


def test_a_side_that_refuses_all_has_no_latency():
    windows = Windows(NOW)
    windows.add(Request("canary", 1006.0, 429, 0.0, "c-1", refused=True))
    assert windows.close(1013.0)[0].canary.latency is None
