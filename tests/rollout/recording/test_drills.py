"""The drills: each has a cause, a moment of its seed's, a right answer and a lesson; the score."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from canary.cloud.logging.tail import MOST_PER_S
from canary.rollout.change.change import Outcome
from canary.rollout.measure.samples import Responses
from canary.rollout.recording.drill_score import Act, format_score, read_scores, score_drill
from canary.rollout.recording.drills import ALLOWED, DRILLS, EARLIEST_S, LATEST_S, Drill, find_drill
from canary.rollout.recording.frames import Frame
from canary.rollout.recording.player import Recording
from canary.rollout.snapshot.snapshot import ChangeView
from canary.rollout.trials.jobs import NOTHING_RUN
from canary.simulator.world.traffic.scenarios import SCENARIOS, check_scenario
from tests.rollout.build import NOW, PLAN, decision, snapshot, window
from tests.rollout.recording.shown import minute, record


def test_there_are_the_twelve() -> None:
    assert [drill.number for drill in DRILLS] == list(range(1, 13))
    assert len({drill.name for drill in DRILLS}) == 12


@pytest.mark.parametrize("drill", DRILLS, ids=lambda d: d.name)
def test_each_can_be_played_and_teaches_in_five_lines(drill: Drill) -> None:
    for step in drill.steps:
        assert step.scenario in SCENARIOS
        check_scenario(step.scenario, step.params)
    assert len(drill.lesson.splitlines()) == 5
    assert drill.right in ALLOWED


@pytest.mark.parametrize("drill", DRILLS, ids=lambda d: d.name)
def test_the_seed_draws_the_moment_and_draws_it_again(drill: Drill) -> None:
    onsets = {drill.onset_s(seed) for seed in range(50)}
    assert len(onsets) == 50
    assert all(EARLIEST_S <= onset <= LATEST_S for onset in onsets)
    assert drill.onset_s(7) == drill.onset_s(7)


def test_a_drill_is_found_by_name_number_and_chance() -> None:
    assert find_drill("route", 0) is find_drill("1", 0)
    assert find_drill("random", 3) is find_drill("random", 3)
    assert len({d.name for n in range(200) if (d := find_drill("random", n))}) == 12
    assert find_drill("nonsense", 0) is None


ONSET = NOW + 300


def change(kind: str, at: float) -> ChangeView:
    return ChangeView(
        f"{kind}-{at}", kind, f"{kind} title", "oncall", at, outcome=Outcome("done", "set", at + 60)
    )


def held(*changes: ChangeView, worse_from: float | None = ONSET + 240) -> Recording:
    """Half an hour of a drill: errors from the onset on, which the screen knows 4 minutes later."""
    rng = Random(1)
    samples = tuple(
        msgspec.structs.replace(
            minute(NOW + 60 * n, rng),
            responses=Responses(ok_2xx=90, server_5xx=10 if NOW + 60 * n > ONSET else 0),
        )
        for n in range(-20, 30)
    )
    frames = []
    for n in range(31):
        at = NOW + 60 * n
        base = snapshot(as_of=at)
        bad = worse_from is not None and at >= worse_from
        canary = msgspec.structs.replace(
            base.canary, samples=tuple(s for s in samples if s.end <= at)
        )
        made = tuple(c for c in changes if c.asked_at + 60 <= at)
        shown: dict[str, Any] = {"canary": canary, "changes": made}
        if bad:
            shown["decision"] = decision(window(error_ratio=0.2))
        frames.append(Frame(msgspec.structs.replace(base, as_of=at, **shown), *_REST, 1e9 + 5 * n))
    return Recording(record(frames))


_REST = (NOTHING_RUN, PLAN)
ROUTE, SHARED = DRILLS[0], DRILLS[3]


def test_who_acts_is_told_when_and_what_it_cost_beside_the_best() -> None:
    recording = held(change("rollback_all", ONSET + 600))
    acts = [
        Act("wish", "window", ONSET - 60),
        Act("wish", "failures", ONSET + 270),
        Act("asked", "c", ONSET + 590),
    ]
    score = score_drill(ROUTE, 3, recording, ONSET, acts, "oncall")
    assert (score.noticed_s, score.decided_s, score.acted_s) == (270, 590, 600)
    assert score.knew_s == 240
    assert score.was_right
    assert score.needless == ()
    assert score.failed is not None
    assert score.failed_at_best is not None
    assert 0 < score.failed_at_best < score.failed
    text = format_score(score, ROUTE)
    assert "acted after 10 m" in text
    assert ROUTE.lesson in text
    assert read_scores(f"{msgspec.json.encode(score).decode()}\nnonsense\n") == [score]


def test_who_does_nothing_where_everything_is_wrong_is_told_so() -> None:
    score = score_drill(ROUTE, 3, held(), ONSET, [])
    assert not score.was_right
    assert (score.noticed_s, score.acted_s) == (None, None)
    assert "acted after never" in format_score(score, ROUTE)


def test_where_nothing_is_to_be_done_a_promotion_is_needless() -> None:
    assert score_drill(SHARED, 1, held(), ONSET, []).was_right
    harmless = score_drill(SHARED, 1, held(change("rollback_all", ONSET + 60)), ONSET, [])
    assert harmless.was_right
    needless = score_drill(SHARED, 1, held(change("promote", ONSET + 60)), ONSET, [])
    assert not needless.was_right
    assert needless.needless == ("promote title",)


def test_what_is_done_before_anything_happened_is_needless() -> None:
    score = score_drill(ROUTE, 1, held(change("rollback_all", NOW + 60)), ONSET, [])
    assert score.needless == ("rollback_all title",)
    assert not score.was_right


def test_noticed_is_the_first_look_or_act_and_no_other_key() -> None:
    idle = [
        Act("wish", name, ONSET + 60)
        for name in ("help", "quit", "theme", "next_panel", "copy", "promote", "palette")
    ]
    assert score_drill(ROUTE, 3, held(), ONSET, idle).noticed_s is None
    for name in ("failures", "evidence", "note", "readiness", "rollback_all", "window"):
        score = score_drill(ROUTE, 3, held(), ONSET, [*idle, Act("wish", name, ONSET + 90)])
        assert score.noticed_s == 90


@pytest.mark.parametrize("drill", DRILLS, ids=lambda d: d.name)
def test_on_a_fast_clock_there_is_time_to_see_the_calm_and_to_act(drill: Drill) -> None:
    for speed in (1.0, 10.0, 60.0, 600.0):
        assert all(drill.onset_s(seed, speed) / speed >= 12.0 for seed in range(20))
        assert drill.length_s(speed) / speed >= 60.0
    assert drill.onset_s(7) == drill.onset_s(7, 1.0)
    assert drill.length_s() == drill.lasts_s


def test_what_is_seen_in_the_log_alone_makes_no_more_entries_than_are_read() -> None:
    blind = next(d for d in DRILLS if d.name == "blind")
    assert all(blind.rate_per_s(45.0, speed) * speed < MOST_PER_S for speed in (10.0, 30.0, 600.0))
    assert blind.rate_per_s(45.0, 10.0) == 45.0
    assert ROUTE.rate_per_s(45.0, 600.0) == 45.0


def test_a_change_that_was_refused_is_not_what_had_to_be_done() -> None:
    refused = msgspec.structs.replace(
        change("rollback_all", ONSET + 600), outcome=Outcome("refused", "conflict", ONSET + 601)
    )
    assert not score_drill(ROUTE, 3, held(refused), ONSET, []).was_right
    again = change("rollback_all", ONSET + 700)
    score = score_drill(ROUTE, 3, held(refused, again), ONSET, [])
    assert (score.was_right, score.acted_s) == (True, 700)


def test_of_a_slow_burn_roll_back_all_is_right_once_it_is_proven() -> None:
    burn = DRILLS[1]
    assert score_drill(burn, 1, held(change("step_back", ONSET + 600)), ONSET, []).was_right
    assert score_drill(burn, 1, held(change("rollback_all", ONSET + 600)), ONSET, []).was_right
    early = held(change("rollback_all", ONSET + 60))
    assert not score_drill(burn, 1, early, ONSET, []).was_right


def test_where_no_minute_is_known_no_failed_request_is_counted() -> None:
    recording = held(change("rollback_all", ONSET + 600))
    late = recording.end + 100.0
    score = score_drill(ROUTE, 3, recording, late, [])
    assert (score.failed, score.failed_at_best) == (None, None)
