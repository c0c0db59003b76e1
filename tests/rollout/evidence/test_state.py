import math
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence.state import (
    AFTER_CHANGE,
    BASELINE_REQUESTS,
    SET_APART_S,
    WARM_UP,
    EvidenceState,
    advance,
    advance_scores,
    close_past,
    open_past,
    start_evidence,
)
from canary.rollout.measure.samples import Distribution
from canary.rollout.plan.tables import EvidenceSettings
from tests.rollout.evidence.windows import BEGAN, drawn, latencies, window

SETTINGS = EvidenceSettings()


def run(windows, state: EvidenceState | None = None) -> EvidenceState:
    state = state or start_evidence(BEGAN, 0.05)
    for each in windows:
        state = advance(state, each, SETTINGS)
    return state


def left_out(state: EvidenceState) -> dict[str, int]:
    return {entry.reason: entry.windows for entry in state.left_out}


@pytest.mark.parametrize(("at", "judged"), [(SET_APART_S - 5, False), (SET_APART_S, True)])
def test_the_first_seconds_after_a_change_are_set_apart(at, judged):
    state = run([window(at)])
    assert (state.judged_s > 0) is judged
    assert left_out(state) == ({} if judged else {AFTER_CHANGE: 1})


@pytest.mark.parametrize(("at", "judged"), [(-1, False), (0, True)])
def test_a_minute_counts_when_it_began_after_the_change(at, judged):
    state = run([window(at, length=60.0, source="monitoring")])
    assert (state.judged_s > 0) is judged


def test_the_first_minutes_of_a_new_canary_revision_are_left_out():
    state = run([window(60), window(65, revision="can-2"), window(244), window(245)])
    assert left_out(state) == {WARM_UP: 2}
    assert state.judged_s == 10


def test_a_new_revision_of_legacy_is_no_reason_to_wait():
    first = window(60)
    other = msgspec.structs.replace(
        window(65), legacy=msgspec.structs.replace(first.legacy, revisions=("leg-2",))
    )
    assert left_out(run([first, other])) == {}


def test_a_revision_that_is_still_cold_stays_so_over_a_change():
    before = run([window(60), window(65, revision="can-2")])
    after = start_evidence(BEGAN + 70, 0.1, before=before)
    assert left_out(run([window(110, revision="can-2")], after)) == {WARM_UP: 1}


def test_an_unfit_window_is_left_out_with_its_reason_and_its_requests():
    state = run([window(60, unfit="cut")])
    assert state.left_out[0].reason == "cut"
    assert state.left_out[0].requests == 500
    assert state.error.regression.windows == 0


def test_the_bound_of_slow_is_fixed_before_anything_is_tested_for_it():
    state = run([window(60)])
    assert state.slow_bound_ms is None
    assert state.slow.regression.windows == 0
    state = run([window(65), window(70)], state)
    assert state.slow_bound_ms is not None
    assert state.slow.regression.windows == 1


def test_a_baseline_from_before_fixes_the_bound_at_once():
    known = start_evidence(BEGAN, 0.05, baseline=latencies(BASELINE_REQUESTS))
    assert known.slow_bound_ms is not None


def test_a_baseline_of_too_few_requests_fixes_nothing():
    known = start_evidence(BEGAN, 0.05, baseline=latencies(BASELINE_REQUESTS - 1))
    assert known.slow_bound_ms is None


def test_a_regression_is_dated_at_the_end_of_the_window_that_proved_it():
    rng = Random(5)
    windows = [drawn(rng, 60 + 5 * i, 100, 0.005, 0.03) for i in range(120)]
    state = run(windows)
    assert state.error.proven_at is not None
    before = [w for w in windows if w.end < state.error.proven_at]
    assert run(before).error.proven_at is None


def test_worse_now_comes_first_and_goes_when_it_is_well_again():
    rng = Random(5)
    spike = [drawn(rng, 60 + 5 * i, 100, 0.005, 0.03) for i in range(30)]
    worse = run(spike)
    assert worse.error.worse_at is not None
    assert worse.error.proven_at is None
    well = [drawn(rng, 210 + 5 * i, 100, 0.005, 0.005) for i in range(400)]
    assert run(well, worse).error.worse_at is None


def test_a_crash_loop_of_20_s_in_every_two_minutes_is_shown_all_the_while():
    rng, state, shown = Random(6), run([window(60)]), []
    for i in range(12 * 30):
        at = 65 + 5 * i
        state = run([drawn(rng, at, 100, 0.005, 0.5 if at % 120 < 20 else 0.005)], state)
        shown.append(state.error.worse_at is not None)
    assert sum(shown[60:]) >= 0.95 * len(shown[60:])
    assert state.error.proven_at is not None
    assert state.error.proven_at - BEGAN <= 15 * 60


def test_no_worse_is_of_a_stretch_and_withdrawn_when_that_has_ceased():
    rng = Random(7)
    good = run(drawn(rng, 60 + 5 * i, 100, 0.01, 0.01) for i in range(720))
    assert good.error.passed is not None
    assert good.error.passed.until - good.error.passed.since < 3600
    bad = [drawn(rng, 3660 + 5 * i, 100, 0.01, 0.025) for i in range(240)]
    assert run(bad, good).error.passed_at is None


def test_legacys_last_hour_goes_along_over_a_change_of_the_split():
    before = run(window(60 * i, length=60.0, source="monitoring") for i in range(90))
    after = start_evidence(before.judged_end or 0.0, 0.1, before=before)
    requests = [test.past_requests for test in after.error.bursts]
    assert requests == [before.legacy_past.requests] * 2
    assert 0 < requests[0] <= 61 * 475 + 5 * 475


def test_slower_answers_of_canary_are_proven():
    start = start_evidence(BEGAN, 0.05, baseline=latencies(950, 50, 1000.0))
    windows = [window(60 + 5 * i, slow=(24, 8)) for i in range(120)]
    assert run(windows, start).slow.proven_at is not None


def test_scores_that_are_lower_are_proven_and_dated():
    legacy = Distribution((0.5, 1.0), (0, 950), 950, 0.85, 950 * 0.01)
    canary = Distribution((0.5, 1.0), (0, 50), 50, 0.78, 50 * 0.01)
    state = start_evidence(BEGAN, 0.05)
    for minute in range(10):
        state = advance_scores(state, BEGAN + 60.0 * minute, legacy, canary, SETTINGS)
    assert state.score.proven_at is not None
    assert state.score.passed_at is None


def test_equal_scores_are_proven_to_be_no_worse():
    both = Distribution((0.5, 1.0), (0, 200), 200, 0.85, 200 * 0.01)
    state = start_evidence(BEGAN, 0.05)
    for minute in range(10):
        state = advance_scores(state, BEGAN + 60.0 * minute, both, both, SETTINGS)
    assert state.score.passed_at is not None
    assert state.score.proven_at is None


def test_scores_of_another_layout_begin_anew():
    old = Distribution((0.5,), (0, 10), 10, 0.8, 0.1)
    new = Distribution((0.4,), (0, 10), 10, 0.9, 0.1)
    state = start_evidence(BEGAN, 0.05)
    for both in (old, new):
        state = advance_scores(state, BEGAN, both, both, SETTINGS)
    assert state.score.canary == new


def test_a_state_survives_msgpack():
    state = run([drawn(Random(1), 60 + 5 * i, 100, 0.005, 0.01) for i in range(80)])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=EvidenceState) == state


def test_a_state_is_as_small_after_hours_as_after_minutes():
    rng = Random(2)
    state = run(drawn(rng, 60 + 5 * i, 100, 0.005, 0.005) for i in range(2000))
    assert len(msgspec.msgpack.encode(state)) < 9_000


def test_a_long_past_does_not_delay_what_comes_after_it():
    # Two hours at a quarter of Legacy's errors, then six times as many.
    past = [
        window(60 * i, (5700, 40), (300, 0), length=60.0, source="monitoring") for i in range(240)
    ]
    rng = Random(3)
    spike = [drawn(rng, 14400 + 5 * i, 100, 0.005, 0.03) for i in range(120)]
    plain, read = run(past), run(past, open_past(start_evidence(BEGAN, 0.05)))
    closed = close_past(read)
    assert closed.error.regression.log_value == pytest.approx(read.error.regression.log_value)
    found = run(spike, closed).error.worse_at
    assert found is not None
    slower = run(spike, plain).error.worse_at
    assert found < (slower if slower is not None else math.inf)


counts = st.tuples(st.integers(1, 300), st.integers(1, 30), st.integers(0, 4), st.integers(0, 3))


@given(st.lists(counts, max_size=60), st.integers(0, 60))
def test_what_a_checkpoint_goes_on_from_is_what_would_have_been_without_it(rows, cut):
    windows = [
        window(60 + 5 * i, (n, min(n, bad)), (m, min(m, worse)))
        for i, (n, m, bad, worse) in enumerate(rows)
    ]
    half = msgspec.msgpack.encode(run(windows[:cut]))
    resumed = run(windows[cut:], msgspec.msgpack.decode(half, type=EvidenceState))
    assert resumed == run(windows)


@given(st.lists(counts, max_size=40))
def test_every_second_seen_is_either_judged_or_left_out(rows):
    windows = [
        window(20 + 5 * i, (n, min(n, bad)), (m, min(m, worse)), unfit="cut" if bad == 4 else "")
        for i, (n, m, bad, worse) in enumerate(rows)
    ]
    state = run(windows)
    assert state.judged_s + sum(e.seconds for e in state.left_out) == 5 * len(windows)
