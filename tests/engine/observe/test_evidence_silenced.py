"""A log that shows nothing, or too little, or too late, silences nothing."""

from random import Random

import pytest

from canary.engine.observe.judging import INCOMPLETE, TOO_LATE, Judging
from canary.rollout.evidence.dismissal import Dismissal
from canary.rollout.evidence.state import start_evidence
from canary.rollout.evidence.window import EvidenceWindow, SideWindow
from canary.rollout.measure.samples import Responses
from canary.store.evidence import EvidenceRecord
from tests.embedded import DEFAULT_PLAN
from tests.engine.comparing import Comparing, minute
from tests.rollout.evidence.windows import BEGAN

SETTINGS = DEFAULT_PLAN.evidence
NOTHING = SideWindow(answers=Responses())


def logged(at: float, legacy: tuple[int, int] | None, canary: tuple[int, int] | None):
    """A window of the log: (2xx, 5xx) of each side; None: nothing is shown of it."""
    sides = [
        NOTHING
        if side is None
        else SideWindow(sum(side), side[1], answers=Responses(ok_2xx=side[0], server_5xx=side[1]))
        for side in (legacy, canary)
    ]
    return EvidenceWindow(BEGAN + at, BEGAN + at + 5, "tail", *sides)


def play(comparing: Comparing, begin: float, minutes: int, legacy, canary, bad=(28, 150)) -> None:
    """So many minutes of a log, each followed by Cloud Monitoring's minute of four before."""
    for number in range(minutes):
        for index in range(12):
            window = logged(begin + 60 * number + 5 * index, legacy, canary)
            comparing.clock.at = window.end + 3
            comparing.feed.take(window)
        seen = begin + 60 * (number + 1) - 240
        starts = [60.0 * i for i in range(int(max(0, seen) // 60))]
        samples = [
            tuple(minute(s, n, b) for s in starts) for n, b in zip((5700, 300), bad, strict=True)
        ]
        comparing.feed.take_samples(*samples)


def begun(record: EvidenceRecord | None = None) -> Comparing:
    comparing = Comparing(record)
    comparing.begin()
    comparing.feed.take_samples((minute(0, 5700, 28),), (minute(0, 300, 1),))
    return comparing


# Specification, section 6: 50 % errors for 18 minutes gave "undecided" behind an empty
# tail.
def test_an_empty_log_steps_aside_and_the_regression_is_proven():
    comparing = begun()
    play(comparing, 60, 12, None, None)
    view = comparing.feed.view(5)
    assert (view.verdict, view.source) == ("rollback", "monitoring")
    assert view.tail.incomplete.startswith("it shows 0 of Legacy's about 5 672 2xx")
    (event,) = [e for e in comparing.log.events if INCOMPLETE in e.text]
    assert event.severity == "warning"


def test_a_log_without_2xx_is_undone_as_if_it_had_never_been():
    comparing, without = begun(), begun()
    play(comparing, 60, 12, (0, 2), (0, 12))
    for number in range(12):
        without.clock.at = BEGAN + 60 * (number + 2) + 3
        starts = [60.0 * i for i in range(max(0, number - 2))]
        without.feed.take_samples(
            tuple(minute(s, 5700, 28) for s in starts), tuple(minute(s, 300, 150) for s in starts)
        )
    state, other = comparing.feed.state, without.feed.state
    assert state is not None
    assert other is not None
    assert (state.error, state.judged_s) == (other.error, other.judged_s)
    assert "2xx that Cloud Monitoring counts" in comparing.feed.view(5).tail.incomplete


def test_what_is_taken_back_is_unfit_in_the_record_too(tmp_path):
    record = EvidenceRecord(tmp_path / "evidence.db")
    comparing = begun(record)
    play(comparing, 60, 8, (0, 2), (0, 12))
    comparing.feed.keep()
    kept = record.load(0.0)
    assert len(kept) == 96
    assert {w.unfit for w in kept} == {INCOMPLETE}
    assert record.covered(0.0) == ()
    record.close()


def test_a_log_that_is_whole_again_is_judged_again():
    comparing = begun()
    play(comparing, 60, 8, None, None, bad=(24, 12))
    assert comparing.feed.view(5).tail.incomplete
    play(comparing, 60 + 480, 8, (473, 2), (24, 1), bad=(24, 12))
    view = comparing.feed.view(5)
    assert view.tail.incomplete == ""
    assert view.source == "tail"
    assert [e.severity for e in comparing.log.events if "whole again" in e.text] == ["good"]
    # Every moment is judged at most once, by one source or the other.
    assert view.judged_s <= 17 * 60


def test_a_whole_log_stays_in_charge_and_nothing_is_judged_twice():
    comparing = begun()
    play(comparing, 60, 12, (473, 2), (24, 1), bad=(24, 12))
    view = comparing.feed.view(5)
    assert view.source == "tail"
    assert view.judged_s == 13 * 60
    assert view.tail.incomplete == ""


def test_a_window_that_missed_many_entries_is_taken_back():
    judging = Judging(SETTINGS)
    judging.begin(start_evidence(BEGAN, 0.05, settings=SETTINGS))
    for at in (60, 65, 70):
        judging.take_window(logged(at, (473, 2), (24, 1)))
    late = EvidenceWindow(BEGAN + 75, BEGAN + 80, "tail", too_late=(BEGAN + 65,))
    (wanting,) = judging.take_window(late)
    assert (wanting.start, wanting.unfit) == (BEGAN + 65, TOO_LATE)
    assert judging.state is not None
    assert judging.state.legacy_requests == 2 * 475
    assert [entry.reason for entry in judging.state.left_out] == [TOO_LATE]


def test_a_minute_that_comes_late_is_judged_at_its_place():
    in_order, late = Judging(SETTINGS), Judging(SETTINGS)
    for judging in (in_order, late):
        judging.begin(start_evidence(BEGAN, 0.05, settings=SETTINGS))
    windows = [logged(at, (473, 2), (20, 5)) for at in range(120, 420, 5)]
    sides = (minute(60, 5700, 28), minute(60, 300, 60))
    in_order.take_minute(*sides, overtaken=False)
    for window in windows:
        in_order.take_window(window)
        late.take_window(window)
    late.take_minute(*sides, overtaken=False)
    assert late.state is not None
    assert in_order.state is not None
    assert late.state.error == in_order.state.error


def proven(record: EvidenceRecord | None = None) -> Comparing:
    comparing = Comparing(record)
    comparing.begin()
    comparing.run(Random(1), 60, 10, canary=0.05)
    assert comparing.feed.view(5).verdict == "rollback"
    return comparing


def dismissal(comparing: Comparing) -> Dismissal:
    return Dismissal(comparing.clock.at, "bob@bastion", ("errors", "slow", "score"), "known")


def test_a_proof_stays_while_both_sources_are_away():
    comparing = proven()
    at = comparing.feed.view(5).detected_at
    comparing.clock.at += 6 * 3600
    view = comparing.feed.view(5)
    assert (view.verdict, view.detected_at) == ("rollback", at)
    assert view.away_since == pytest.approx(BEGAN + 660, abs=10)
    assert "not compared since" in view.metrics[0].why


def test_a_pass_does_not_stay_while_both_sources_are_away():
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(1), 60, 40, canary=0.002)
    assert comparing.feed.view(5).metrics[0].verdict == "pass"
    comparing.clock.at += 900
    found = comparing.feed.view(5).metrics[0]
    assert (found.verdict, found.why[:18]) == ("inconclusive", "not compared since")


def test_a_person_dismisses_a_proof_and_it_may_be_proven_again():
    comparing = proven()
    assert comparing.feed.hear((dismissal(comparing),))
    view = comparing.feed.view(5)
    assert view.metrics[0].verdict == "worse_now"
    assert view.detected_at is None
    assert [d.metric for d in view.earlier] == ["errors"]
    assert not comparing.feed.hear((dismissal(comparing),))
    comparing.run(Random(2), 660, 10, canary=0.05)
    assert comparing.feed.view(5).verdict == "rollback"


def test_a_dismissal_holds_after_a_restart_and_for_a_console_that_judges_anew(tmp_path):
    record = EvidenceRecord(tmp_path / "evidence.db")
    first = proven(record)
    let_go = dismissal(first)
    first.feed.hear((let_go,))
    first.feed.keep()
    again = Comparing(record)
    again.clock.at = first.clock.at
    assert again.feed.load()
    assert not again.feed.hear((let_go,))
    assert again.feed.state == first.feed.state
    with record._database.writing() as db:
        db.execute("DELETE FROM checkpoint WHERE number = 1")
    anew = Comparing(record)
    anew.clock.at = first.clock.at + 1
    anew.begin()
    while anew.feed.rebuild():
        pass
    anew.feed.hear((let_go,))
    assert anew.feed.view(5).detected_at is None
    record.close()


def test_a_dismissal_of_an_earlier_split_takes_nothing():
    comparing = proven()
    old = Dismissal(BEGAN - 60, "bob@bastion", ("errors",))
    assert not comparing.feed.hear((old,))
    assert comparing.feed.view(5).verdict == "rollback"
