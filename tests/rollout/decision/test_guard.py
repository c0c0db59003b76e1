"""Automatic rollback: when it counts, when it stops, when it acts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.guard import (
    DAY_S,
    Attempt,
    Cause,
    GuardState,
    Seen,
    advance,
    arm,
    cancel,
    disarm,
    view_guard,
)

CRITICAL = Cause("r1:critical", "rollback_all", "critical", "error ratio beyond critical: yes")
OVERDUE = Cause("r1:overdue", "step_back", "overdue", "not cleared")
COUNTDOWN_S = 60.0
MOST = 3


def armed(**changes: object) -> GuardState:
    return arm(GuardState(), "oncall@bastion", COUNTDOWN_S)


def look(state, cause=CRITICAL, now=0.0, past=(), held=""):
    return advance(state, Seen(cause, held), past, now, MOST)


def counting(cause: Cause = CRITICAL, now: float = 0.0) -> GuardState:
    state, act = look(armed(), cause, now)
    assert act == "begun"
    return state


def test_disarmed_it_does_nothing():
    assert look(GuardState()) == (GuardState(), "none")


@pytest.mark.parametrize(
    ("now", "act"),
    [(0.0, "none"), (59.9, "none"), (60.0, "fire"), (64.9, "fire"), (600.0, "slept")],
)
def test_it_acts_when_the_countdown_is_over(now: float, act: str):
    assert look(counting(), now=now)[1] == act


def test_a_cause_that_is_gone_calls_it_off():
    state, act = look(counting(), None, 30.0)
    assert (act, state.due_at) == ("called_off", None)


@pytest.mark.parametrize("held", ["data stale", "a rollback is in flight"])
def test_without_data_it_is_called_off_and_begins_anew(held: str):
    state, act = look(counting(), None, 59.0, held=held)
    assert (act, state.held) == ("called_off", held)
    state, act = look(state, CRITICAL, 61.0)
    assert (act, state.due_at) == ("begun", 121.0)


def test_what_a_person_cancelled_is_not_begun_again_for_that_cause():
    state = cancel(counting())
    for now in (1.0, 100.0, 10_000.0):
        state, act = look(state, now=now)
        assert act == "none"
    assert view_guard(state, 0.0).held == "cancelled"


def test_another_cause_begins_after_a_cancel():
    assert look(cancel(counting(OVERDUE)), CRITICAL, 5.0)[1] == "begun"


def test_armed_anew_what_was_cancelled_counts_again():
    state = arm(cancel(counting()), "somebody", COUNTDOWN_S)
    assert look(state)[1] == "begun"


def test_disarmed_while_counting_it_stops():
    assert look(disarm(counting()), now=1000.0)[1] == "none"


def test_a_worse_cause_is_not_given_more_time():
    state, act = look(counting(OVERDUE, now=0.0), CRITICAL, 40.0)
    assert (act, state.due_at) == ("begun", 60.0)


def test_cancelling_nothing_changes_nothing():
    assert cancel(armed()) == armed()


@pytest.mark.parametrize("outcome", ["done", "failed", "unknown", "abandoned", None])
def test_for_one_cause_it_acts_once(outcome):
    past = (Attempt(CRITICAL.key, 10.0, outcome),)
    state, act = look(armed(), past=past)
    assert act == "spent"
    assert look(state, past=past)[1] == "none"


@pytest.mark.parametrize("outcome", ["refused", "not_begun"])
def test_an_attempt_that_changed_nothing_may_be_followed_by_another(outcome):
    assert look(armed(), past=(Attempt(CRITICAL.key, 10.0, outcome),))[1] == "begun"


@pytest.mark.parametrize(
    ("ages", "act"),
    [
        ((1.0, 2.0), "begun"),
        ((1.0, 2.0, 3.0), "limited"),
        ((1.0, 2.0, DAY_S), "begun"),
        ((1.0, 2.0, DAY_S - 0.1), "limited"),
    ],
)
def test_it_acts_only_so_often_in_24_hours(ages, act):
    past = tuple(Attempt(f"r0:{age}", age, "done") for age in ages)
    assert look(armed(), past=past)[1] == act


def test_only_effects_count_towards_the_limit():
    """Three refusals in 33 s once ended it, though nothing was sent."""
    refused = tuple(Attempt(CRITICAL.key, age, "refused") for age in (1.0, 2.0, 3.0))
    assert look(armed(), past=refused)[1] == "begun"
    failed = tuple(Attempt(f"r{age}", age, "failed", reached=False) for age in (1.0, 2.0, 3.0))
    assert look(armed(), past=failed)[1] == "begun"
    effects = tuple(
        Attempt(f"r{age}", float(age), state)
        for age, state in enumerate(("done", "unknown", "failed"))
    )
    assert look(armed(), past=(*refused, *effects))[1] == "limited"


def test_an_open_attempt_counts_as_an_effect():
    past = tuple(Attempt(f"r{age}", age, None, reached=False) for age in (1.0, 2.0, 3.0))
    assert look(armed(), past=past)[1] == "limited"


def test_behind_refusals_it_counts_down_anew_and_ever_slower_up_to_a_minute():
    quick = arm(GuardState(), "p", 5.0)
    pauses = []
    for refused in (0, 1, 2, 3, 4, 5, 100):
        past = tuple(Attempt(CRITICAL.key, 1.0, "refused") for _ in range(refused))
        pauses.append(look(quick, past=past)[0].due_at)
    assert pauses == [5.0, 5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([CRITICAL.key, OVERDUE.key, "other:critical"]),
            st.sampled_from(["refused", "not_begun"]),
        ),
        max_size=60,
    )
)
def test_no_number_of_refusals_ends_automatic_rollback(refusals):
    past = tuple(Attempt(cause, 1.0, state) for cause, state in refusals)
    state, act = look(armed(), past=past)
    assert act == "begun"
    assert look(state, now=state.due_at, past=past)[1] == "fire"


def test_the_limit_that_is_reached_while_counting_stops_it():
    past = tuple(Attempt(f"r{age}", age, "done") for age in (1.0, 2.0, 3.0))
    state, act = look(counting(), now=60.0, past=past)
    assert (act, state.due_at) == ("limited", None)


def test_the_view_counts_down():
    view = view_guard(counting(), 45.0)
    assert (view.armed, view.left_s, view.kind, view.cause) == (
        True,
        15.0,
        "rollback_all",
        CRITICAL.said,
    )
    assert view_guard(counting(), 99.0).left_s == 0.0
    assert view_guard(armed(), 0.0).left_s is None


steps = st.lists(
    st.tuples(
        st.sampled_from(["look", "gone", "cancel", "disarm", "arm"]),
        st.sampled_from([CRITICAL, OVERDUE]),
        st.floats(0.0, 90.0),
    ),
    max_size=40,
)


@given(steps)
def test_it_acts_only_armed_after_a_whole_countdown_and_once_a_cause(schedule):
    state, now, past = GuardState(), 0.0, []
    seen_since: float | None = None
    for what, cause, pause in schedule:
        now += pause
        if what == "arm":
            state = arm(state, "p", COUNTDOWN_S)
        elif what in ("cancel", "disarm"):
            state = cancel(state) if what == "cancel" else disarm(state)
            seen_since = None
        else:
            seen = None if what == "gone" else cause
            was_armed = state.armed
            state, act = look(state, seen, now, tuple(past))
            if act == "fire":
                assert was_armed
                assert seen_since is not None
                assert now - seen_since >= COUNTDOWN_S
                past.append(Attempt(cause.key, 0.0, "done"))
            if state.due_at is None:
                seen_since = None
            elif seen_since is None:
                seen_since = now
    assert len({a.cause for a in past}) == len(past) <= MOST
