from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence.ratio import Counts
from canary.rollout.evidence.state import EvidenceState, advance, start_evidence
from canary.rollout.evidence.tally import RECENT_S, Part, Tally
from canary.rollout.plan.tables import EvidenceSettings
from tests.rollout.evidence.windows import BEGAN, window

SETTINGS = EvidenceSettings()


def counts(at: float, legacy=475, canary=25, bad_legacy=2, bad_canary=1, length=5.0) -> Counts:
    return Counts(at, at + length, legacy, canary, bad_legacy, bad_canary)


def test_the_excess_is_what_legacys_ratio_would_not_have_made():
    # why.md: excess = c − n_c·r; 55 of 1 842 where Legacy has 0.5 %: 46 more.
    assert round(Part(0, 60, 60, 20_000, 1_842, 100, 55).excess or 0) == 46


def test_without_a_request_of_legacy_there_is_nothing_to_compare_with():
    assert Part(0, 60, 60, 0, 100, 0, 5).excess is None


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40, unique=True))
def test_the_whole_is_the_sum_and_the_newest_are_no_older_than_the_rate_is_of(starts):
    windows = [counts(5.0 * each, bad_canary=each % 3) for each in sorted(starts)]
    tally = Tally()
    for each in windows:
        tally = tally.add(each, 1.0)
    assert tally.whole is not None
    assert tally.whole.canary == 25 * len(windows)
    assert tally.whole.bad_canary == sum(w.bad_canary for w in windows)
    assert tally.whole.seconds == 5 * len(windows)
    newest = tally.newest
    assert newest is not None
    assert newest.since >= windows[-1].end - RECENT_S - 30
    recent = [w for w in windows if w.start >= newest.since]
    assert newest.bad_canary == sum(w.bad_canary for w in recent)
    assert len(tally.recent) <= RECENT_S / 30 + 2


def test_a_request_of_a_sample_stands_for_those_left_aside():
    tally = Tally().add(counts(0), 0.25)
    assert tally.whole is not None
    assert (tally.whole.canary, tally.whole.bad_canary, tally.sampled) == (100, 4, 0.25)


def test_only_what_is_judged_is_counted():
    state = start_evidence(BEGAN, 0.05)
    for each in (window(0), window(60), window(65, unfit="cut"), window(70)):
        state = advance(state, each, SETTINGS)
    whole = state.failed_tally.whole
    assert whole is not None
    assert whole.canary == state.canary_requests == window(60).canary.requests * 2
    assert (whole.since, whole.until, whole.seconds) == (BEGAN + 60, BEGAN + 75, 10)


def test_a_state_of_an_older_version_goes_on_from_what_it_has_seen():
    state = start_evidence(BEGAN, 0.05)
    for at in (60, 65):
        state = advance(state, window(at), SETTINGS)
    old = EvidenceState(state.began_at, state.share, state.error, state.slow)
    whole = advance(old, window(70), SETTINGS).failed_tally.whole
    assert whole is not None
    assert whole == advance(state, window(70), SETTINGS).failed_tally.whole
