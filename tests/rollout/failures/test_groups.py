import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.rollout.failures.groups import MOST_CLIENT, MOST_GROUPS, MOST_SERVER, FailuresState
from canary.rollout.failures.requests import OTHER, FailedRequest, FailureWindow
from canary.rollout.failures.view import view_failures

AT = 1_760_000_000.0


def failed(side, at, route="/chat", status=500, method="POST", **more):
    return FailedRequest(side, at + 0.001, method, route, status, 120.0, "rev-1", **more)


def window(at, *requests, legacy=475, canary=25, **more):
    return FailureWindow(at, at + 5, legacy, canary, tuple(requests), **more)


def state_of(*windows, since=AT):
    state = FailuresState()
    state.begin(since)
    for each in windows:
        state.add(each)
    return state


def broken_route(minutes=10):
    """One route of Canary fails; both sides have a 404 now and then."""
    found = []
    for index in range(minutes * 12):
        at = AT + 5 * index
        requests = [failed("legacy", at, "/img/logo.png", 404, "GET")]
        if index % 20 == 0:
            requests.append(failed("canary", at, "/img/logo.png", 404, "GET"))
        if index % 3 == 0:
            requests.append(failed("canary", at, "/chat"))
        found.append(window(at, *requests))
    return found


def test_what_only_canary_has_is_first_marked_and_new():
    view = view_failures(state_of(*broken_route()), AT + 600)
    first = view.groups[0]
    assert (first.key.route, first.key.status, first.canary, first.legacy) == (
        "/chat",
        "500",
        40,
        0,
    )
    assert first.is_beyond_chance
    assert first.mark == "new"
    assert first.excess == 40
    other = view.groups[1]
    assert (other.key.status, other.is_beyond_chance, other.mark) == ("404", False, "")
    assert (view.legacy, view.canary) == (475 * 120, 25 * 120)


@pytest.mark.parametrize(("count", "mark"), [(1, "once"), (2, "twice"), (3, "new")])
def test_three_errors_are_no_pattern(count, mark):
    requests = [failed("canary", AT + i) for i in range(count)]
    row = view_failures(state_of(window(AT, *requests, legacy=250, canary=250)), AT + 60).groups[0]
    assert row.mark == mark
    assert not row.is_beyond_chance


@pytest.mark.parametrize(("ago", "mark"), [(3_599, ""), (3_601, "new")])
def test_what_legacy_had_in_the_last_hour_is_not_new(ago, mark):
    now = AT + 4_000
    state = FailuresState()
    state.begin(AT)
    state.remember([failed("legacy", now - ago)], now - 7_200)
    state.add(window(now - 5, *[failed("canary", now - 2)] * 3))
    assert view_failures(state, now).groups[0].mark == mark


def test_a_change_of_the_split_counts_anew_and_forgets_nothing_of_legacy():
    state = state_of(window(AT, failed("legacy", AT + 1), failed("canary", AT + 1)))
    state.begin(AT + 60)
    assert state.requests.total(0) == (0, 0)
    state.add(window(AT + 60, *[failed("canary", AT + 61)] * 4))
    row = view_failures(state, AT + 90).groups[0]
    assert (row.legacy, row.canary, row.mark) == (0, 4, "")


def test_an_unfit_window_is_not_compared_but_its_requests_are_listed():
    view = view_failures(state_of(window(AT, failed("canary", AT + 1), unfit="cut")), AT + 9)
    assert view.unfit_s == 5
    assert (view.canary, view.groups[0].canary) == (0, 0)
    assert len(view.groups[0].requests) == 1


def test_the_groups_of_a_side_are_bounded_and_the_rest_is_other():
    state = state_of(
        *(window(AT + 5 * i, failed("canary", AT + 5 * i, f"/r{i}")) for i in range(300))
    )
    assert len(state.groups) == MOST_GROUPS + 1
    assert state.groups[OTHER].recent.total(0) == (0, 300 - MOST_GROUPS)
    total = sum(group.recent.total(0)[1] for group in state.groups.values())
    assert total == 300


def test_a_flood_of_404_does_not_drive_out_what_broke():
    state = state_of(window(AT, failed("canary", AT, "/broken")))
    for i in range(400):
        at = AT + 5 + 5 * i
        state.add(window(at, *[failed("canary", at, f"/scan{i}", 404)] * 3))
    assert any(key.route == "/broken" for key in state.groups)
    newest = list(state.newest("canary"))
    assert len([r for r in newest if r.status == 404]) == MOST_CLIENT
    assert any(r.route == "/broken" for r in newest)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.booleans()), max_size=60))
def test_every_failing_request_is_counted_in_exactly_one_group(drawn):
    windows = [
        window(
            AT + 5 * i,
            *[failed("canary" if is_canary else "legacy", AT + 5 * i, f"/r{n % 3}")] * n,
        )
        for i, (is_canary, n, _) in enumerate(drawn)
    ]
    state = state_of(*windows)
    totals = [g.recent.total(0) for g in state.groups.values()]
    assert sum(canary for _, canary in totals) == sum(n for c, n, _ in drawn if c)
    assert sum(legacy for legacy, _ in totals) == sum(n for c, n, _ in drawn if not c)


def test_the_newest_requests_are_bounded():
    state = state_of(window(AT, *[failed("canary", AT + i / 1000) for i in range(1_000)]))
    newest = list(state.newest("canary"))
    assert len(newest) == MOST_SERVER
    assert newest[0].at == AT + 1.0


def test_what_began_late_is_not_hidden_by_the_healthy_hours_before():
    """Legacy has had 500s for hours, Canary fewer; then Canary's begin."""
    windows = [
        window(AT + 5 * i, failed("legacy", AT + 5 * i), legacy=475, canary=25)
        for i in range(3 * 720)
    ]
    late = AT + 3 * 3_600
    windows += [
        window(late + 5 * i, *[failed("canary", late + 5 * i)] * 2, legacy=475, canary=25)
        for i in range(120)
    ]
    row = view_failures(state_of(*windows), late + 600).groups[0]
    assert row.is_beyond_chance
    assert row.canary == 240
    assert row.legacy <= 612  # by whole minutes
    assert row.excess is not None
    assert row.excess > 200


def test_nothing_is_marked_of_which_canary_has_no_more_than_legacy():
    view = view_failures(
        state_of(*(window(AT + 5 * i, failed("legacy", AT + 5 * i)) for i in range(200))), AT + 999
    )
    assert view.beyond_chance == 0


def test_counts_are_those_of_the_last_hour():
    state = state_of(
        window(AT, failed("canary", AT)), window(AT + 7_200, failed("canary", AT + 7_200))
    )
    view = view_failures(state, AT + 7_210)
    assert (view.canary, view.groups[0].canary) == (25, 1)
    assert view.since == AT + 7_210 - 3_600
