"""assemble: what was observed → one Snapshot, judged on nothing but visible, fresh, new data."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.engine.observe.assemble import Observed, assemble, known_changes
from canary.rollout.change.change import Outcome
from canary.rollout.change.moves import rollback_all
from canary.rollout.decision.tree import Watch
from canary.rollout.snapshot.snapshot import Event, Snapshot
from tests.engine.observed import NEWEST, NOW, entry, minutes, run_facts, sample, service
from tests.rollout.build import PLAN, record, request


def look(now: float = NOW, **changes: Any) -> Snapshot:
    """A healthy rollout at stage 2, an hour of both sides; `changes` are of Observed."""
    base = Observed(
        run=run_facts(),
        legacy=minutes(90, total=1200),
        canary=minutes(90),
        changes=(NOW - 17 * 3600,),
    )
    return assemble(PLAN, msgspec.structs.replace(base, **changes), now)


def gate(snapshot: Snapshot, gate_id: str) -> str:
    return next(g.state for g in snapshot.gates if g.id == gate_id)


def test_fresh_and_sufficient_data_beyond_no_limit_is_go_on() -> None:
    snapshot = look()
    assert snapshot.decision.verdict == "continue"
    assert snapshot.canary.data == "ok"
    assert snapshot.canary.window.requests == 5 * 135


def test_the_window_ends_at_the_newest_sample_of_either_side() -> None:
    snapshot = look(canary=minutes(90, newest=NEWEST - 60))
    assert (snapshot.canary.window.start, snapshot.canary.window.end) == (NEWEST - 300, NEWEST)
    assert snapshot.canary.window.requests == 4 * 135


def test_the_window_never_ends_later_than_now() -> None:
    snapshot = look(canary=minutes(90, newest=NOW + 120))
    assert snapshot.canary.window.end == NOW


def test_right_after_a_change_of_the_split_everything_is_masked() -> None:
    snapshot = look(changes=(NOW - 30,))
    assert snapshot.canary.data == "masked"
    assert snapshot.canary.window.requests is None
    assert snapshot.decision.verdict == "no_data"
    assert gate(snapshot, "error_ratio") == "no_data"


def test_the_age_of_data_is_told_even_while_it_is_masked() -> None:
    assert look(changes=(NOW - 30,)).canary.data_age_s == NOW - NEWEST


def test_after_a_change_only_whole_minutes_from_after_it_count() -> None:
    snapshot = look(changes=(NEWEST - 150,))
    assert snapshot.canary.window.requests == 2 * 135
    assert snapshot.canary.data == "ok"


def test_errors_from_before_the_change_do_not_condemn_the_new_share() -> None:
    bad = minutes(88, newest=NEWEST - 120, errors=60)
    snapshot = look(canary=(*bad, *minutes(2)), changes=(NEWEST - 120,))
    assert snapshot.canary.window.error_ratio == 0.0


def test_the_criteria_window_is_an_hour() -> None:
    assert look().canary.criteria_window.requests == 60 * 135


def test_the_criteria_window_is_clipped_to_the_entry_of_the_stage() -> None:
    entered = run_facts(record=record(2, entered_at=NEWEST - 1200))
    assert look(run=entered).canary.criteria_window.requests == 20 * 135


@pytest.mark.parametrize(
    ("canary", "data"),
    [
        ((), "missing"),
        (minutes(90, newest=NOW - 360), "stale"),
        (minutes(90, newest=NOW - 300), "ok"),
        (minutes(5, total=19), "thin"),
        (minutes(5, total=20), "ok"),
    ],
)
def test_missing_stale_and_thin_data_is_its_own_answer(canary: Any, data: str) -> None:
    snapshot = look(canary=canary, legacy=())
    assert snapshot.canary.data == data
    assert (snapshot.decision.verdict == "continue") == (data == "ok")


def test_without_metrics_every_gate_on_them_is_no_data_and_the_soak_is_still_told() -> None:
    snapshot = look(canary=(), legacy=())
    assert [g.id for g in snapshot.gates if g.state == "no_data"] == [
        "error_ratio",
        "p95_ms",
        "success_ratio",
        "confidence",
        "verdict",
    ]
    assert gate(snapshot, "soak_hours") == "not_met"


def test_the_stage_is_the_records() -> None:
    stage = look().stage
    assert (stage.index, stage.percent, stage.soak_hours) == (2, 10, 24.0)
    assert stage.soaked_hours == pytest.approx(17.0)


@pytest.mark.parametrize(
    ("percent", "stage"), [(0, 0), (4, 0), (5, 1), (9, 1), (10, 2), (15, 2), (50, 4), (100, 5)]
)
def test_without_a_record_the_stage_is_the_highest_whose_share_is_reached(
    percent: int, stage: int
) -> None:
    snapshot = look(run=run_facts(record=None, percent=percent))
    assert snapshot.stage.index == stage
    assert snapshot.standing is not None
    assert snapshot.standing.stage == stage
    assert snapshot.stage.soaked_hours is None


def test_a_record_of_a_stage_that_the_plan_does_not_have_is_said_and_not_used() -> None:
    snapshot = look(run=run_facts(record=msgspec.structs.replace(record(2), stage=9)))
    assert snapshot.stage.index == 2
    assert "stage 9" in snapshot.traffic.record_error
    assert snapshot.standing is not None
    assert snapshot.standing.record is None


def test_a_split_other_than_the_records_is_drift_with_author_and_time() -> None:
    run = run_facts(percent=15, last_modifier="terraform", updated_at=NOW - 99)
    drift = look(run=run).traffic.drift
    assert drift is not None
    assert (drift.recorded_percent, drift.actual_percent) == (10, 15)
    assert (drift.by, drift.at) == ("terraform", NOW - 99)


def test_the_same_split_as_recorded_is_no_drift() -> None:
    assert look().traffic.drift is None


def test_everybody_off_can_be_built_without_metrics_record_or_readable_split() -> None:
    snapshot = look(run=run_facts(record=None, percent=None), canary=(), legacy=())
    assert snapshot.standing is not None
    change = rollback_all(PLAN, snapshot.standing, request())
    assert change.to_stage == 0


def test_before_cloud_run_has_answered_nothing_is_claimed() -> None:
    snapshot = look(run=None)
    assert snapshot.standing is None
    assert snapshot.stage.index is None
    assert snapshot.traffic.canary_percent is None
    assert snapshot.gates == ()


def test_before_cloud_run_has_answered_it_is_never_go_on_but_a_rollback_is_advised() -> None:
    assert look(run=None).decision.verdict == "no_data"
    broken = look(run=None, canary=minutes(90, errors=13))
    assert broken.decision.verdict == "rollback_all"


def test_with_two_revisions_of_one_service_legacy_has_no_revision_of_the_candidates_name() -> None:
    target = msgspec.structs.replace(
        PLAN.target, router=msgspec.structs.replace(PLAN.target.router, kind="revisions")
    )
    one = service()
    run = msgspec.structs.replace(run_facts(), legacy=one, canary=one)
    observed = Observed(run=run, canary=minutes(9))
    snapshot = assemble(msgspec.structs.replace(PLAN, target=target), observed, NOW)
    assert snapshot.legacy.revision == ""
    assert snapshot.canary.revision == one.revision


def test_the_state_of_the_watch_reaches_the_tree() -> None:
    watch = Watch(since=NOW - 3700, warning=True, overdue=True)
    snapshot = look(canary=minutes(90, errors=4), watch=watch)
    assert snapshot.decision.verdict == "rollback_stage"
    assert [a.scope for a in snapshot.alerts] == ["stage", "warning"]


def test_events_of_journal_and_console_are_one_list_newest_first() -> None:
    done = Outcome("done", "The split is 25 %.", at=NOW - 590)
    events = (Event(NOW - 700, "info", "a"), Event(NOW - 595, "info", "b"))
    snapshot = look(events=events, entries=(entry(outcome=done),))
    assert [e.at - NOW for e in snapshot.events] == [-590, -595, -600, -700]
    assert snapshot.changes[0].title == "promote 10 % → 25 % (stage 2 → 3)"


@pytest.mark.parametrize(
    ("state", "counts"), [("done", True), ("unknown", True), ("refused", False), ("failed", False)]
)
def test_a_settled_change_moves_the_begin_of_the_windows(state: Any, counts: bool) -> None:
    settled = entry(outcome=Outcome(state, "", at=NOW - 590))
    changes = known_changes(run_facts(), (settled,), (), NOW)
    assert (NOW - 590 in changes) == counts


def test_an_adoption_that_moves_nothing_is_no_change_of_the_split_by_its_outcome() -> None:
    settled = entry(before=25, after=25, outcome=Outcome("done", "", at=NOW - 590))
    assert NOW - 590 not in known_changes(run_facts(), (settled,), (), NOW)


def test_a_revert_counts_from_when_the_service_changed_not_from_the_old_soak() -> None:
    run = run_facts(record=record(2, move="revert"), updated_at=NOW - 60)
    assert known_changes(run, (), (), NOW)[-1] == NOW - 60


def test_drift_counts_from_when_the_service_changed() -> None:
    run = run_facts(percent=15, updated_at=NOW - 60)
    assert known_changes(run, (), (), NOW)[-1] == NOW - 60


def test_a_record_from_the_future_judges_nothing() -> None:
    run = run_facts(record=record(2, entered_at=NOW + 3600))
    changes = known_changes(run, (), (), NOW)
    assert look(run=run, changes=changes).decision.verdict == "no_data"


@settings(max_examples=150, deadline=None)
@given(
    ends=st.lists(st.integers(-12, 3), max_size=16, unique=True),
    total=st.integers(0, 300),
    changed_s=st.none() | st.integers(0, 1200),
    percent=st.none() | st.integers(0, 100),
)
def test_go_on_is_only_ever_said_on_enough_fresh_data_from_after_the_last_change(
    ends: list[int], total: int, changed_s: int | None, percent: int | None
) -> None:
    canary = tuple(sample(NOW + 60 * end, total=total) for end in sorted(ends))
    changes = () if changed_s is None else (NOW - changed_s,)
    snapshot = look(canary=canary, legacy=(), changes=changes, run=run_facts(percent=percent))
    if snapshot.decision.verdict == "continue":
        window = snapshot.canary.window
        assert window.newest_at is not None
        assert NOW - window.newest_at <= PLAN.metrics.stale_after_s
        assert window.requests is not None
        assert window.requests >= PLAN.metrics.min_requests
        assert changed_s is None or window.start >= NOW - changed_s
        assert window.end <= NOW


def test_a_router_that_is_not_ready_puts_the_split_in_doubt() -> None:
    assert look(run=run_facts(ready=False)).traffic.in_doubt
    assert not look(run=run_facts(ready=False, reconciling=True)).traffic.in_doubt
