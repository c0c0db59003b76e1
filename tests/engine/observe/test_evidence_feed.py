"""Where the evidence comes from, and what becomes of it over changes and restarts."""

import shutil
from pathlib import Path
from random import Random

import msgspec
import pytest

from canary.rollout.evidence.view import TailView
from canary.rollout.permit.permit import promotion_gates
from canary.rollout.plan.plan import Plan
from canary.store.evidence import EvidenceRecord
from tests.embedded import DEFAULT_PLAN, embed
from tests.engine.comparing import Comparing, minute
from tests.engine.watching import Watching
from tests.rollout.evidence.windows import BEGAN, window

OLD = Path(__file__).parents[2] / "store" / "old"


def samples(count: int, begin: float = 0.0, bad: int = 0):
    """(Legacy's, Canary's) minutes."""
    starts = [begin + 60 * i for i in range(count)]
    return tuple(minute(s, 5700, 28) for s in starts), tuple(minute(s, 300, bad) for s in starts)


@pytest.fixture
def record(tmp_path: Path):
    opened = EvidenceRecord(tmp_path / "evidence.db")
    yield opened
    opened.close()


def judged_s(comparing: Comparing) -> float:
    assert comparing.feed.state is not None
    return comparing.feed.state.judged_s


def word(comparing: Comparing) -> str:
    return comparing.feed.view(5).metrics[0].verdict


def test_before_the_split_is_known_nothing_is_judged():
    comparing = Comparing()
    comparing.feed.take(window(60))
    view = comparing.feed.view(None)
    assert (view.metrics, view.source, view.verdict) == ((), "none", "undecided")


def test_a_regression_in_the_request_log_is_proven_said_and_dated():
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(1), 60, 10, canary=0.03)
    view = comparing.feed.view(5)
    assert view.verdict == "rollback"
    assert view.source == "tail"
    (event,) = [e for e in comparing.log.events if "regression of Canary is proven" in e.text]
    assert (event.severity, event.at) == ("critical", view.detected_at)


def test_a_regression_in_monitorings_minutes_is_proven_where_there_is_no_tail():
    comparing = Comparing()
    comparing.begin()
    comparing.clock.at = BEGAN + 1200
    assert comparing.feed.take_samples(*samples(10, bad=10))
    assert comparing.feed.view(5).source == "monitoring"
    assert word(comparing) == "rollback"


def test_a_minute_that_the_log_has_covered_is_not_judged_again():
    comparing = Comparing()
    comparing.begin()
    comparing.feed.take_samples(*samples(1))
    comparing.run(Random(1), 60, 4)
    before = judged_s(comparing)
    comparing.feed.take_samples(*samples(5))
    assert judged_s(comparing) == before


def test_a_minute_in_which_the_log_was_cut_is_taken_from_monitoring():
    comparing = Comparing()
    comparing.begin()
    comparing.feed.take_samples(*samples(1))
    comparing.run(Random(1), 60, 1)
    for at in range(120, 180, 5):
        comparing.feed.take(window(at, unfit="cut"))
    comparing.run(Random(2), 180, 1)
    before = judged_s(comparing)
    comparing.feed.take_samples(*samples(4))
    assert judged_s(comparing) == before + 60


def test_gaps_of_the_log_do_not_pile_up_over_a_soak():
    """Each cut, and at night each five seconds without a request, leaves one. Minutes that Cloud
    Monitoring has shown are not asked for again.
    """
    comparing = Comparing()
    comparing.begin()
    for number in range(40):
        for at in range(60 * number, 60 * number + 60, 5):
            comparing.feed.take(window(at, unfit="cut" if at % 15 else ""))
        comparing.feed.take_samples(*samples(number + 1))
    assert len(comparing.feed._judging.covered) <= 4
    before = judged_s(comparing)
    comparing.feed.take_samples(*samples(40))
    assert judged_s(comparing) == before


def test_a_sample_is_judged_once_however_often_it_is_handed_in():
    comparing = Comparing()
    comparing.begin()
    for _ in range(3):
        comparing.feed.take_samples(*samples(5))
    assert judged_s(comparing) == 300


def test_the_first_windows_of_the_log_wait_for_the_past():
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(1), 3600, 1)
    assert judged_s(comparing) == 0
    comparing.feed.take_samples(*samples(60))
    assert judged_s(comparing) == 3600 + 60


def test_minutes_of_before_the_log_that_come_after_it_undo_nothing():
    comparing = Comparing()
    comparing.begin()
    comparing.feed.take_samples(*samples(57))
    comparing.run(Random(1), 3600, 1)
    before = judged_s(comparing)
    comparing.feed.take_samples(*samples(60))
    assert judged_s(comparing) == before
    assert comparing.feed.view(5).left_out[0].seconds == 180


def test_they_do_not_wait_for_ever():
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(1), 60, 3)
    assert judged_s(comparing) == 180


def test_a_change_of_the_split_begins_anew():
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(1), 60, 10, canary=0.03)
    assert comparing.feed.follow_split(BEGAN + 700, 10, ())
    assert judged_s(comparing) == 0
    assert word(comparing) == "undecided"


def test_the_same_split_goes_on():
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(1), 60, 5)
    assert not comparing.feed.follow_split(BEGAN, 5, ())
    assert not comparing.feed.follow_split(None, 5, ())
    assert not comparing.feed.follow_split(BEGAN, None, ())
    assert judged_s(comparing) == 300


def test_a_restart_goes_on_where_the_record_ends(record):
    first = Comparing(record)
    first.begin()
    first.run(Random(1), 60, 20)
    first.feed.keep()
    second = Comparing(record)
    second.clock.at = first.clock.at
    assert second.feed.load()
    assert second.feed.state == first.feed.state
    assert not second.feed.follow_split(BEGAN, 5, ())


def test_a_restart_says_a_proof_again_at_its_own_time(record):
    first = Comparing(record)
    first.begin()
    first.run(Random(1), 60, 10, canary=0.03)
    first.feed.keep()
    second = Comparing(record)
    second.clock.at = first.clock.at + 600
    second.feed.load()
    second.feed.take(window(800))
    (event,) = [e for e in second.log.events if e.severity == "critical"]
    assert event.at == first.feed.view(5).detected_at


def test_a_killed_console_loses_no_window_that_was_kept(record):
    first = Comparing(record)
    first.begin()
    first.run(Random(1), 60, 20)  # not told to keep at the end
    second = Comparing(record)
    second.clock.at = first.clock.at
    second.feed.load()
    assert judged_s(first) - 30 <= judged_s(second) <= judged_s(first)


def kept_without_checkpoint(record, minutes: float, canary: float = 0.005) -> Comparing:
    """A feed that has judged so many minutes, all of which the record has: but not what it made."""
    first = Comparing(record)
    first.begin()
    first.run(Random(1), 60, minutes, canary=canary)
    first.feed.keep()
    with record._database.writing() as db:
        db.execute("DELETE FROM checkpoint WHERE number = 1")
    return first


def begun_again(record, first: Comparing) -> Comparing:
    second = Comparing(record)
    second.clock.at = first.clock.at
    assert not second.feed.load()
    second.begin()
    return second


def test_without_a_checkpoint_the_windows_of_the_record_are_judged_again(record):
    first = kept_without_checkpoint(record, 20)
    second = begun_again(record, first)
    while second.feed.rebuild():
        pass
    assert second.feed.state == first.feed.state


def test_what_version_0_2_had_come_to_is_judged_again_from_its_windows(tmp_path):
    # Written by the code of 0.2.0: 20 minutes of 3 % against 0.5 %, and a checkpoint whose state
    # knew neither blocks nor "worse now".
    shutil.copy(OLD / "0.2" / "evidence.db", tmp_path / "evidence.db")
    opened = EvidenceRecord(tmp_path / "evidence.db")
    windows = opened.load(0.0)
    assert len(windows) == 240
    fresh, again = Comparing(), Comparing(opened)
    fresh.begin()
    for each in windows:
        fresh.feed.take(each)
    again.clock.at = windows[-1].end + 3
    assert not again.feed.load()
    again.begin()
    while again.feed.rebuild():
        pass
    opened.close()
    assert again.feed.state == fresh.feed.state
    assert again.feed.state.error.holds_for_s is not None


def test_a_long_past_is_judged_again_in_pieces(record):
    second = begun_again(record, kept_without_checkpoint(record, 40))
    seen = [second.feed.view(5).rebuilding]
    while second.feed.rebuild():
        seen.append(second.feed.view(5).rebuilding)
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[-1] < 1
    assert second.feed.view(5).rebuilding is None


def test_while_it_is_judged_again_nothing_is_said_of_any_metric(record):
    second = begun_again(record, kept_without_checkpoint(record, 40, canary=0.03))
    view = second.feed.view(5)
    assert (view.metrics, view.verdict, view.detected_at) == ((), "undecided", None)
    while second.feed.rebuild():
        pass
    assert second.feed.view(5).verdict == "rollback"


def test_windows_that_come_while_the_past_is_judged_again_are_judged_after_it(record):
    first = kept_without_checkpoint(record, 40)
    second = begun_again(record, first)
    for feed in (first, second):
        feed.run(Random(2), 60 + 40 * 60, 3)
    assert second.feed.is_rebuilding
    while second.feed.rebuild():
        pass
    second.feed._release()
    assert judged_s(second) == judged_s(first) == 43 * 60


def test_a_console_that_ends_while_it_judges_again_keeps_no_half_result(record):
    second = begun_again(record, kept_without_checkpoint(record, 40))
    second.feed.keep()
    assert record.checkpoint() is None


def test_a_proof_ends_with_the_split_that_it_is_of_and_that_is_said():
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(1), 60, 10, canary=0.03)
    at = comparing.feed.view(5).detected_at
    comparing.feed.follow_split(BEGAN + 700, 10, ())
    view = comparing.feed.view(10)
    assert view.detected_at is None
    assert [(d.metric, d.at) for d in view.earlier] == [("errors", at)]
    (event,) = [e for e in comparing.log.events if "no longer advised on" in e.text]
    assert "5 % → 10 %" in event.text


def test_a_late_regression_is_said_with_the_ratio_since_it_began():
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(1), 60, 120)
    comparing.run(Random(1), 60 + 7200, 10, canary=0.03)
    found = comparing.feed.view(5).metrics[0]
    assert found.canary_ratio < 0.01
    assert found.proven_on is not None
    assert found.proven_on.canary_ratio == pytest.approx(0.03, rel=0.4)
    assert found.proven_on.since == pytest.approx(BEGAN + 60 + 7200, abs=120)
    (event,) = [e for e in comparing.log.events if e.severity == "critical"]
    assert f"5xx {found.proven_on.canary_ratio:.1%}"[:6] in event.text


def test_a_record_from_the_future_is_another_worlds(record):
    first = Comparing(record)
    first.begin()
    first.run(Random(1), 60, 20)
    first.feed.keep()
    second = Comparing(record)
    second.clock.at = BEGAN - 3600
    assert not second.feed.load()


def test_scores_are_compared_from_monitoring_whatever_the_log_covers():
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(1), 60, 4)
    lower = tuple(minute(60.0 * i, 300, 0, score=0.75) for i in range(5))
    comparing.feed.take_samples(samples(5)[0], lower)
    assert comparing.feed.view(5).metrics[2].verdict == "rollback"


def test_a_plan_without_the_tail_says_so():
    assert Comparing().feed.view(None).tail == TailView(off="the plan has it off")


def plan_that(on_regression: str) -> Plan:
    evidence = msgspec.structs.replace(DEFAULT_PLAN.evidence, on_regression=on_regression)
    return msgspec.structs.replace(DEFAULT_PLAN, evidence=evidence)


@pytest.mark.parametrize(
    ("on_regression", "action"), [("ignore", None), ("advise", "advise"), ("rollback", "rollback")]
)
async def test_the_snapshot_tells_the_advice_apart_from_the_tree(on_regression, action):
    spike = {"scenario": "error-spike", "scenario_params": {"ratio": 0.015, "base": 0.002}}
    async with embed(plan_that(on_regression), requests_per_s=200.0, **spike) as cloud:
        comparing = Comparing(plan=cloud.plan)
        comparing.feed._clock = cloud.clock
        watching = Watching(cloud, comparison=comparing.feed)
        await watching.observer.refresh()
        cloud.advance(1800)
        await watching.observer.refresh()
        await watching.backfill()
        snapshot = await watching.observer.refresh()
    assert snapshot.evidence is not None
    assert snapshot.evidence.metrics[0].verdict == "rollback"
    # 1.5 % is below every threshold of the tree: it goes on, and the evidence is beside it.
    assert snapshot.decision.verdict == "continue"
    assert (snapshot.advice.action if snapshot.advice else None) == action
    closed = [g.evidence for g in snapshot.gates if g.id == "regression"]
    assert len(closed) == (action is not None)
    assert all(text.startswith("Canary is proven to be worse: 5xx at ") for text in closed)
    assert ("regression" in {g.id for g in promotion_gates(snapshot)}) == (action is not None)


async def test_evidence_never_turns_no_data_into_anything_else():
    async with embed(scenario="no-data") as cloud:
        comparing = Comparing(plan=cloud.plan)
        comparing.feed._clock = cloud.clock
        watching = Watching(cloud, comparison=comparing.feed)
        await watching.observer.refresh()
        cloud.advance(1800)
        snapshot = await watching.observer.refresh()
        assert snapshot.decision.verdict == "no_data"
        began = comparing.feed.state.began_at - BEGAN
        rng = Random(1)
        comparing.clock.at = cloud.now
        comparing.run(rng, began + 60, 40, legacy=0.01, canary=0.01)
        snapshot = watching.observer.snapshot()
    assert snapshot.decision.verdict == "no_data"
