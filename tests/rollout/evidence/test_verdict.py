from random import Random

import msgspec
import pytest

from canary.rollout.evidence.metric_evidence import METRICS
from canary.rollout.evidence.state import (
    EvidenceState,
    advance,
    advance_scores,
    start_evidence,
)
from canary.rollout.evidence.verdict import (
    AFFINITY,
    MISMATCH,
    NOBODY,
    UNFIT_FOR_S,
    MetricVerdict,
    judge,
    judge_words,
)
from canary.rollout.evidence.view import (
    Advice,
    EvidenceView,
    SplitView,
    TailView,
    advise,
    view_evidence,
)
from canary.rollout.measure.samples import Distribution
from canary.rollout.plan.tables import EvidenceSettings
from tests.rollout.evidence.windows import BEGAN, drawn, latencies, window

SETTINGS = EvidenceSettings()


def run(windows, share: float = 0.05) -> EvidenceState:
    state = start_evidence(BEGAN, share, baseline=latencies(950, 50, 1000.0))
    for each in windows:
        state = advance(state, each, SETTINGS)
    return state


def errors(state: EvidenceState) -> MetricVerdict:
    return judge(state, SETTINGS)[0]


def traffic(legacy: float, canary: float, minutes: int, seed: int = 1, share: float = 0.05):
    rng = Random(seed)
    return [drawn(rng, 60 + 5 * i, 100, legacy, canary, share) for i in range(12 * minutes)]


def view(state: EvidenceState | None, settings: EvidenceSettings = SETTINGS) -> EvidenceView:
    return view_evidence(state, settings, source="tail", tail=TailView(), reported=0.05)


@pytest.mark.parametrize(
    ("legacy", "canary", "share"), [(0.005, 0.03, 0.05), (0.005, 0.03, 0.1), (0.01, 0.01, 0.05)]
)
def test_the_words_alone_are_those_of_the_verdicts(legacy, canary, share):
    state = run(traffic(legacy, canary, 20), share)
    assert judge_words(state) == tuple(m.verdict for m in judge(state, SETTINGS))


def test_there_is_one_verdict_for_each_metric():
    assert tuple(m.metric for m in judge(run([]), SETTINGS)) == METRICS


def test_six_times_the_errors_are_a_regression():
    found = errors(run(traffic(0.005, 0.03, 10)))
    assert found.verdict == "rollback"
    assert found.strength == 1.0
    assert found.detected_at is not None
    assert found.holds_for_s in (60.0, 300.0)


def test_before_it_is_proven_it_is_worse_now_with_its_ratio():
    found = errors(run(traffic(0.005, 0.03, 3)))
    assert found.verdict == "worse_now"
    assert found.worse_on is not None
    assert found.detected_at is None
    assert found.interval is not None
    assert found.interval.low < 6.0 < (found.interval.high or 64.0)


def test_equal_ratios_pass_after_some_thousand_canary_requests():
    found = errors(run(traffic(0.01, 0.01, 40)))
    assert found.verdict == "pass"
    assert found.canary_count > 1_000


def test_undecided_says_how_many_requests_and_minutes_more():
    found = errors(run(traffic(0.005, 0.005, 2)))
    assert found.verdict == "undecided"
    assert found.requests_needed is not None
    assert found.minutes_needed == pytest.approx(found.requests_needed / 5 / 60, rel=0.2)


def test_nothing_judged_is_undecided_and_says_so():
    found = errors(run([]))
    assert (found.verdict, found.requests_needed) == ("undecided", None)
    assert found.why


def test_a_wrong_split_makes_what_is_not_proven_inconclusive():
    state = run(traffic(0.005, 0.005, 5), share=0.10)
    assert {m.verdict for m in judge(state, SETTINGS)} == {"inconclusive"}
    assert errors(state).why == MISMATCH


def test_a_proof_outranks_a_wrong_split_and_both_are_shown():
    found = errors(run(traffic(0.005, 0.03, 10), share=0.10))
    assert (found.verdict, found.why) == ("rollback", MISMATCH)


def test_with_session_affinity_nothing_is_proven():
    found = judge(run(traffic(0.005, 0.03, 10)), SETTINGS, AFFINITY)[0]
    assert (found.verdict, found.why) == ("inconclusive", AFFINITY)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_with_everybody_on_one_side_nothing_can_be_compared(share):
    assert errors(run([], share)).why == NOBODY


def test_a_burst_of_one_side_is_worse_now_and_not_proven():
    rng = Random(4)
    windows = [
        drawn(rng, 60 + 5 * i, 500, 0.005, 0.3 if 60 <= i < 66 else 0.005) for i in range(90)
    ]
    found = errors(run(windows))
    assert found.verdict == "worse_now"
    assert found.detected_at is None


@pytest.mark.parametrize(("extra", "word"), [(-5, "undecided"), (0, "inconclusive")])
def test_long_suppression_is_inconclusive(extra, word):
    suppressed = int((UNFIT_FOR_S + extra) / 5)
    windows = [window(60), *(window(65 + 5 * i, unfit="left out") for i in range(suppressed))]
    assert errors(run(windows)).verdict == word


def test_a_suppression_that_is_over_is_not_held_against_it():
    windows = [window(60 + 5 * i, unfit="left out") for i in range(100)]
    assert errors(run([*windows, window(600)])).verdict == "undecided"


def test_a_regression_that_was_proven_outweighs_an_earlier_pass():
    good, bad = traffic(0.01, 0.01, 40), traffic(0.005, 0.05, 20, seed=2)
    later = [msgspec.structs.replace(w, start=w.start + 4000, end=w.end + 4000) for w in bad]
    assert errors(run(good)).verdict == "pass"
    found = errors(run([*good, *later]))
    assert found.verdict == "rollback"
    assert found.passed_at is None


def test_the_verdict_of_all_is_the_worst_of_those_that_have_data():
    shown = view(run(traffic(0.005, 0.03, 10)))
    assert shown.verdict == "rollback"
    assert shown.detected_at == errors(run(traffic(0.005, 0.03, 10))).detected_at


def test_an_unknown_state_is_undecided_never_a_pass():
    assert view(None).verdict == "undecided"
    assert view(None).metrics == ()


def test_the_split_is_shown_as_intended_reported_and_measured():
    shown = view(run(traffic(0.005, 0.005, 5))).split
    assert isinstance(shown, SplitView)
    assert (shown.intended, shown.reported) == (0.05, 0.05)
    assert shown.measured == pytest.approx(0.05, abs=0.005)


@pytest.mark.parametrize("action", ["advise", "rollback"])
def test_a_proven_regression_becomes_the_plans_advice(action):
    settings = EvidenceSettings(on_regression=action)
    found = advise(view(run(traffic(0.005, 0.03, 10)), settings), settings)
    assert isinstance(found, Advice)
    assert (found.action, found.metrics, found.tier) == (action, ("5xx",), "proven")


def test_worse_now_advises_and_never_acts():
    settings = EvidenceSettings(on_regression="rollback")
    found = advise(view(run(traffic(0.005, 0.03, 3)), settings), settings)
    assert isinstance(found, Advice)
    assert (found.action, found.tier) == ("advise", "worse_now")


def test_a_plan_that_ignores_it_gets_no_advice():
    settings = EvidenceSettings(on_regression="ignore")
    assert advise(view(run(traffic(0.005, 0.03, 5)), settings), settings) is None


def test_without_a_proof_there_is_no_advice():
    assert advise(view(run(traffic(0.01, 0.01, 5))), SETTINGS) is None


def test_undecided_scores_say_how_many_more_it_takes():
    legacy = Distribution((0.5, 1.0), (0, 950), 950, 0.85, 950 * 0.01)
    canary = Distribution((0.5, 1.0), (0, 20), 20, 0.84, 20 * 0.01)
    state = advance_scores(run(traffic(0.005, 0.005, 1)), BEGAN, legacy, canary, SETTINGS)
    found = judge(state, SETTINGS)[2]
    assert found.verdict == "undecided"
    assert found.requests_needed is not None
    assert found.requests_needed >= 80
