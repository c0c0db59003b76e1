"""The model of traffic."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.simulator.config import Config, RouterConfig
from canary.simulator.world.timeline import NewRevision, Removed, Scale, ScenarioOn, Split
from canary.simulator.world.traffic.minute import LATENCY_BOUNDS_MS, merge
from canary.simulator.world.traffic.traffic import KEPT_MINUTES
from canary.simulator.world.world import World

START = 1_750_000_000.0
"""Sunday 2025-06-15 15:06:40 UTC, near the busiest hour."""

LEGACY, CANARY = "ion-api", "ion-api-canary"


def still(**config):
    """Return a world whose clock stands still until it is advanced."""
    return World(Config(start_unix=START, **config), monotonic=lambda: 0.0)


def advanced(world, seconds):
    world.clock.advance(seconds)
    return world


def last(world, service, minutes=1, revision=None):
    now = world.clock.now()
    return world.minutes(service, revision, now - 60.0 * minutes, now)


def p95_ms(minutes):
    latency = merge([minute.latency for minute in minutes])
    left = 0.95 * latency.count
    for index, count in enumerate(latency.counts):
        if left <= count:
            low, high = LATENCY_BOUNDS_MS[index - 1], LATENCY_BOUNDS_MS[index]
            return low + (high - low) * left / count
        left -= count
    raise AssertionError("no latency")


def ratio(minutes, first, past):
    requests = sum(minute.requests for minute in minutes)
    return (
        sum(n for minute in minutes for code, n in minute.responses.items() if first <= code < past)
        / requests
    )


@pytest.mark.parametrize(
    ("service", "mean_ms", "p95", "confidence", "success"),
    [(LEGACY, 450.0, 1200.0, 0.72, 0.988), (CANARY, 220.0, 600.0, 0.85, 0.997)],
)
def test_a_healthy_day_has_the_missions_figures(service, mean_ms, p95, confidence, success):
    minutes = last(still(percent=50), service, 300)
    assert merge([m.latency for m in minutes]).mean == pytest.approx(mean_ms, rel=0.03)
    assert p95_ms(minutes) == pytest.approx(p95, rel=0.05)
    assert merge([m.confidence for m in minutes]).mean == pytest.approx(confidence, abs=0.005)
    assert ratio(minutes, 200, 400) == pytest.approx(success, abs=0.001)


def test_the_split_decides_who_gets_how_much():
    world = still(percent=25)
    canary = sum(m.requests for m in last(world, CANARY, 120))
    legacy = sum(m.requests for m in last(world, LEGACY, 120))
    assert canary / (canary + legacy) == pytest.approx(0.25, abs=0.005)


def test_before_the_stage_the_share_was_the_earlier_one():
    world = still(percent=25, soaked_hours=1.0)
    begin = world.history_start
    canary = sum(m.requests for m in world.minutes(CANARY, None, begin, begin + 3600))
    legacy = sum(m.requests for m in world.minutes(LEGACY, None, begin, begin + 3600))
    assert canary / (canary + legacy) == pytest.approx(0.10, abs=0.01)


def test_there_is_more_traffic_by_day_than_by_night():
    world = still(soaked_hours=24.0)
    day = sum(m.requests for m in last(world, LEGACY, 60))
    now = world.clock.now() - 12 * 3600
    night = sum(m.requests for m in world.minutes(LEGACY, None, now - 3600, now))
    assert day > 1.5 * night


@pytest.mark.parametrize("soaked_hours", [1.0, 23.5])
def test_the_same_seed_gives_the_same_minutes(soaked_hours):
    one, other = still(soaked_hours=soaked_hours), still(soaked_hours=soaked_hours)
    assert list(last(one, CANARY, 20)) == list(last(other, CANARY, 20))


def test_minutes_do_not_depend_on_the_order_in_which_they_are_asked_for():
    one, other = still(), still()
    late = last(one, CANARY, 5)
    assert list(last(other, CANARY, 60))[-5:] == list(late)


def test_older_minutes_that_nobody_asks_for_are_forgotten_and_read_the_same_again():
    world = still(soaked_hours=60.0)
    now, days = world.clock.now(), 2 * 86_400.0
    first = world.minutes(LEGACY, None, now - days, now)
    world.trim()
    asked = world.minutes(LEGACY, None, now - days, now - days + 600.0)
    assert all(one is other for one, other in zip(asked, first, strict=False))
    world.trim()
    again = world.minutes(LEGACY, None, now - days, now)
    assert again == first
    same = [one is other for one, other in zip(again, first, strict=True)]
    # What was asked for in between, and the newest.
    assert same == [True] * 10 + [False] * (len(first) - 10 - KEPT_MINUTES) + [True] * KEPT_MINUTES


def test_another_seed_gives_another_day():
    assert list(last(still(), CANARY, 5)) != list(last(still(seed=8), CANARY, 5))


def test_minutes_come_oldest_first_and_end_on_whole_minutes_in_the_interval():
    world = still()
    now = world.clock.now()
    ends = [m.end for m in world.minutes(LEGACY, None, now - 300, now)]
    assert ends == sorted(ends)
    assert all(end % 60 == 0 and now - 300 < end <= now for end in ends)
    assert len(ends) == 5


def test_the_start_of_an_interval_is_outside_it_and_its_end_inside():
    world = still()
    end = int(START // 60) * 60
    assert [m.end for m in world.minutes(LEGACY, None, end - 60, end)] == [end]


def test_a_minute_that_has_not_ended_is_absent():
    world = still()
    now = world.clock.now()
    assert not world.minutes(LEGACY, None, now // 60 * 60, now + 600)


def test_before_the_history_there_is_nothing():
    world = still()
    begin = world.history_start
    assert not world.minutes(LEGACY, None, begin - 3600, begin)


def test_responses_and_latencies_agree():
    for minute in last(still(percent=50, scenario="error-spike"), CANARY, 30):
        counts = {code: latency.count for code, latency in minute.latencies.items()}
        assert counts == dict(minute.responses)
        assert minute.confidence.count == minute.responses.get(200, 0)


@pytest.mark.parametrize(
    ("scenario", "params", "expected"),
    [("error-spike", {}, 0.08), ("slow-burn", {}, 0.03), ("error-spike", {"ratio": 0.5}, 0.5)],
)
def test_an_error_scenario_has_its_error_ratio(scenario, params, expected):
    world = advanced(still(percent=50, scenario=scenario, scenario_params=params), 1800)
    assert ratio(last(world, CANARY, 25), 500, 600) == pytest.approx(expected, rel=0.1)
    assert ratio(last(world, LEGACY, 25), 500, 600) < 0.012


@pytest.mark.parametrize("percent", [5, 10, 25, 50, 100])
def test_the_latency_scenario_passes_30_s_at_every_stage(percent):
    world = advanced(still(percent=percent, scenario="latency"), 1800)
    assert p95_ms(last(world, CANARY, 25)) > 30_000


def test_the_low_confidence_scenario_has_its_mean():
    world = advanced(still(scenario="low-confidence"), 1800)
    scores = merge([m.confidence for m in last(world, CANARY, 25)])
    assert scores.mean == pytest.approx(0.55, abs=0.01)


def test_no_data_stops_canarys_series_only_and_only_while_it_is_on():
    world = advanced(still(scenario="no-data"), 600)
    assert not last(world, CANARY, 9)
    assert len(last(world, LEGACY, 9)) == 9
    world.scenario.switch("healthy", {})
    assert len(last(advanced(world, 300), CANARY, 15)) < 15
    assert len(last(world, CANARY, 4)) == 4


def test_a_split_within_a_minute_counts_from_its_second_on():
    world = still(percent=50)
    minute = int(START // 60 + 2) * 60
    world.append(Split(minute - 30.0, 0))
    advanced(world, 300)
    canary = [m.requests for m in world.minutes(CANARY, None, minute - 120, minute + 60)]
    legacy = [m.requests for m in world.minutes(LEGACY, None, minute - 120, minute + 60)]
    shares = [of / (of + rest) for of, rest in zip(canary, legacy, strict=True)]
    assert shares == pytest.approx([0.5, 0.25, 0.0], abs=0.04)


def test_a_late_event_changes_the_minutes_that_were_already_computed():
    world = advanced(still(percent=50), 600)
    assert last(world, CANARY, 1)[0].requests > 0
    world.append(Split(world.clock.now() - 300, 0))
    assert last(world, CANARY, 1)[0].requests == 0


def test_everybody_off_takes_canary_to_nothing_and_gives_legacy_all():
    world = advanced(still(percent=50), 0)
    before = sum(m.requests for m in last(world, LEGACY, 5))
    world.append(Split(world.clock.now(), 0))
    advanced(world, 600)
    assert sum(m.requests for m in last(world, CANARY, 5)) == 0
    assert sum(m.requests for m in last(world, LEGACY, 5)) > 1.7 * before


def test_instances_follow_the_load_within_their_bounds():
    world = still(percent=100)
    assert last(world, CANARY)[0].instances_active >= 2
    world.append(Scale(START, CANARY, 0, 1))
    assert last(advanced(world, 600), CANARY)[0].instances_active == 1


def test_too_few_instances_queue_and_refuse_what_request_count_never_sees():
    world = still(percent=50)
    healthy = p95_ms(last(world, LEGACY, 5))
    world.append(Scale(START, LEGACY, 0, 1))
    minutes = last(advanced(world, 600), LEGACY, 5)
    assert p95_ms(minutes) > 3 * healthy
    assert sum(m.refused for m in minutes) > 100
    assert all(429 not in m.responses for m in minutes)


def test_least_instances_stay_idle_without_traffic():
    world = still(percent=0)
    minute = last(world, CANARY)[0]
    assert (minute.requests, minute.instances_active, minute.instances_idle) == (0, 0, 1)


def test_no_instances_have_no_utilisation_samples():
    world = still(percent=0)
    world.append(Scale(START, CANARY, 0, 1))
    minute = last(advanced(world, 3600), CANARY)[0]
    assert (minute.cpu.count, minute.memory.count, minute.instances_idle) == (0, 0, 0)


def test_busier_instances_use_more_cpu():
    world = still(percent=10)
    assert last(world, LEGACY)[0].cpu.mean > last(world, CANARY)[0].cpu.mean


def test_a_new_revision_takes_over_within_its_minute():
    world = still(percent=50)
    minute = int(START // 60 + 2) * 60
    world.append(NewRevision(minute - 30.0, CANARY, "ion-api-canary-00002-abc", "canary"))
    advanced(world, 600)
    found = world.minutes(CANARY, None, minute - 120, minute + 60)
    assert [m.revision[-9:] for m in found] == [
        "00001-can",
        "00001-can",
        "00002-abc",
        "00002-abc",
    ]
    new = world.minutes(CANARY, "ion-api-canary-00002-abc", minute - 120, minute + 60)
    assert [m.end for m in new] == [minute, minute + 60]


def test_a_removed_service_has_no_more_minutes():
    world = still(percent=100)
    world.append(Removed(START, LEGACY))
    advanced(world, 600)
    assert not last(world, LEGACY, 5)
    assert last(world, CANARY, 5)


def test_two_revisions_of_one_service_are_two_series_of_it():
    world = still(percent=25, router=RouterConfig(kind="revisions"))
    minutes = last(world, LEGACY, 60)
    by_revision = {
        name: sum(m.requests for m in minutes if m.revision == name)
        for name in ("ion-api-00001-leg", "ion-api-00002-can")
    }
    assert by_revision["ion-api-00002-can"] / sum(by_revision.values()) == pytest.approx(
        0.25, abs=0.01
    )
    only = last(world, LEGACY, 60, "ion-api-00002-can")
    assert {m.revision for m in only} == {"ion-api-00002-can"}


def test_requests_that_really_arrived_count_in_the_same_minute():
    world, untouched = still(), still()
    for _ in range(50):
        world.traffic.arrivals.count(
            world.clock.now(), CANARY, "ion-api-canary-00001-can", 418, 10.0, None
        )
    with_them, without = last(advanced(world, 60), CANARY), last(advanced(untouched, 60), CANARY)
    assert with_them[0].responses[418] == 50
    assert with_them[0].requests == without[0].requests + 50


def test_a_scenario_leaves_the_minutes_before_it_as_they_were():
    world = still()
    before = list(last(world, CANARY, 30))
    world.append(ScenarioOn(START, "error-spike"))
    assert list(last(world, CANARY, 30)) == before


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 600.0), st.integers(0, 100)), max_size=6),
    st.integers(0, 1000),
)
def test_however_often_the_split_moves_nobody_is_lost_or_doubled(moves, seed):
    """Both sides together get about the same load as if nobody had moved it."""
    world, quiet = still(seed=seed), still(seed=seed)
    for after_s, percent in moves:
        world.append(Split(START + after_s, percent))
    totals = []
    for one in (world, quiet):
        advanced(one, 720)
        both = [*last(one, LEGACY, 11), *last(one, CANARY, 11)]
        totals.append(sum(m.requests + m.refused for m in both))
    assert totals[0] == pytest.approx(totals[1], rel=0.05)
