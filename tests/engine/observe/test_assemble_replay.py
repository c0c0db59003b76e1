"""The replayed watch: by increments as from scratch, and new after each change of the split."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.engine.observe.replay import Replay, Replayed, VerdictTransition
from canary.rollout.decision.tree import IDLE
from canary.rollout.measure.samples import Distribution, Sample
from tests.engine.observed import NEWEST, minutes, sample
from tests.rollout.build import PLAN

WARNING, CRITICAL = 4, 20
"""Errors of 135 a minute: 3 % and 15 %."""


def follow(samples: tuple[Sample, ...], changes: tuple[float, ...] = ()) -> Replayed:
    return Replay(PLAN).follow(samples, changes)


def verdicts(transitions: tuple[VerdictTransition, ...]) -> list[str]:
    return [t.verdict for t in transitions]


def test_without_samples_nothing_is_watched() -> None:
    assert follow(()) == Replayed()


def test_a_healthy_past_has_no_watch_and_no_turns() -> None:
    replayed = follow(minutes(200))
    assert (replayed.watch, replayed.transitions) == (IDLE, ())


def test_a_warning_opens_the_watch_at_the_minute_that_showed_it() -> None:
    samples = (*minutes(100, newest=NEWEST - 600), *minutes(10, errors=WARNING * 2))
    since = follow(samples).watch.since
    assert since is not None
    assert NEWEST - 600 < since <= NEWEST - 600 + 180


def test_a_warning_for_longer_than_the_watch_is_overdue() -> None:
    replayed = follow(minutes(70, errors=WARNING))
    assert replayed.watch.overdue
    assert verdicts(replayed.transitions) == ["watch", "rollback_stage"]


def test_a_p95_beyond_the_last_bucket_is_no_turn_to_go_on() -> None:
    # The plan warns at 20 s; that all are slower than 10 s says neither yes nor no.
    slow = Distribution((5_000.0, 10_000.0), (0, 0, 1000), 1000, 12_000.0)
    samples = [msgspec.structs.replace(one, latency=slow) for one in minutes(20)]
    assert follow(tuple(samples)) == Replayed(at=NEWEST)


def test_a_critical_value_is_a_turn_at_its_minute() -> None:
    replayed = follow((*minutes(50, newest=NEWEST - 60), sample(NEWEST, errors=60)))
    assert replayed.transitions[-1].verdict == "rollback_all"
    assert replayed.transitions[-1].at == NEWEST


def test_after_a_change_of_the_split_the_watch_begins_anew() -> None:
    samples = (*minutes(70, newest=NEWEST - 1200, errors=WARNING), *minutes(20))
    assert follow(samples, changes=(NEWEST - 1200,)).watch == IDLE


def test_turns_from_before_a_change_are_kept() -> None:
    samples = (*minutes(70, newest=NEWEST - 1200, errors=WARNING), *minutes(20))
    replayed = follow(samples, changes=(NEWEST - 1200,))
    assert verdicts(replayed.transitions) == ["watch", "rollback_stage", "continue"]


def test_too_few_requests_neither_open_nor_clear_a_watch() -> None:
    thin = minutes(5, total=4, errors=4)
    assert follow(thin).watch == IDLE
    samples = (*minutes(30, newest=NEWEST - 1800, errors=WARNING), *thin)
    assert follow(samples).watch.since is not None


def test_a_minute_without_latencies_does_not_clear_a_watch_that_waits() -> None:
    blind = tuple(msgspec.structs.replace(s, latency=None) for s in minutes(40))
    samples = (*minutes(40, newest=NEWEST - 2400, errors=WARNING), *blind)
    assert follow(samples).watch.since is not None


def test_a_coarse_sample_is_judged_by_itself() -> None:
    replayed = follow((sample(NEWEST, total=1350, errors=WARNING * 10, length_s=600),))
    assert replayed.watch.since == NEWEST


def test_older_samples_that_come_later_are_judged_too() -> None:
    replay = Replay(PLAN)
    recent = minutes(30, errors=WARNING)
    assert not replay.follow(recent, ()).watch.overdue
    older = minutes(60, newest=NEWEST - 1800, errors=WARNING)
    assert replay.follow((*older, *recent), ()).watch.overdue


def test_samples_that_come_in_between_are_judged_after_beginning_again() -> None:
    replay = Replay(PLAN)
    replay.follow((*minutes(3, newest=NEWEST - 6000), *minutes(3)), ())
    replay.begin_again()
    whole = minutes(103, errors=WARNING)
    assert replay.follow(whole, ()) == follow(whole)


@settings(max_examples=30, deadline=None)
@given(
    errors=st.lists(st.sampled_from([0, 1, WARNING, CRITICAL]), min_size=1, max_size=120),
    cuts=st.lists(st.integers(1, 120), max_size=6),
    change=st.none() | st.integers(0, 120),
)
def test_following_by_increments_gives_the_same_as_from_scratch(
    errors: list[int], cuts: list[int], change: int | None
) -> None:
    samples = tuple(sample(NEWEST + 60 * i, errors=e) for i, e in enumerate(errors))
    changes = () if change is None else (NEWEST + 60 * change + 10,)
    replay = Replay(PLAN)
    for cut in sorted({*cuts, len(samples)}):
        part = samples[:cut]
        if part:
            known = tuple(c for c in changes if c <= part[-1].end + 600)
            replayed = replay.follow(part, known)
    assert replayed == follow(samples, known)


@pytest.mark.parametrize(("late_errors", "since"), [(0, None), (60, NEWEST - 120)])
def test_a_point_that_arrives_late_is_judged_anew(late_errors: int, since: float | None) -> None:
    replay = Replay(PLAN)
    replay.follow(minutes(30), ())
    late = list(minutes(30))
    late[-3] = sample(NEWEST - 120, errors=late_errors)
    assert replay.follow(tuple(late), ()).watch.since == since
