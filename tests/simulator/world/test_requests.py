from collections import Counter
from typing import Any

import pytest

from canary.simulator.config import Config
from canary.simulator.world.requests import DELAY_S, MOST_AT_ONCE, RequestLog
from canary.simulator.world.timeline import Split
from canary.simulator.world.world import World

START = 1_760_000_040.0


def world_of(**settings: Any) -> World:
    fields = {"start_unix": START, "soaked_hours": 1.0, "percent": 10, **settings}
    return World(Config(**fields), monotonic=lambda: 0.0)


def watched(world: World, seconds: int, step: float = 1.0):
    log = RequestLog(world)
    log.start()
    entries = []
    for _ in range(int(seconds / step)):
        world.clock.advance(step)
        entries += log.draw().entries
    return entries


def by_service(entries):
    return Counter(e.service for e in entries)


def test_entries_come_at_the_rate_of_the_minutes():
    world = world_of()
    found = by_service(watched(world, 600))
    for service in ("ion-api", "ion-api-canary"):
        minutes = world.minutes(service, None, START, START + 600)
        assert found[service] == pytest.approx(sum(m.requests for m in minutes), rel=0.1)


def test_errors_come_in_the_ratio_that_the_scenario_asks_for():
    world = world_of(scenario="error-spike", scenario_params={"ratio": 0.05, "base": 0.005})
    entries = watched(world, 600)
    for service, ratio in (("ion-api", 0.005), ("ion-api-canary", 0.05)):
        mine = [e for e in entries if e.service == service]
        bad = sum(e.status >= 500 for e in mine)
        assert bad / len(mine) == pytest.approx(ratio, rel=0.35)


def test_latencies_are_those_of_the_minutes():
    world = world_of()
    entries = sorted(e.latency_ms for e in watched(world, 300) if e.service == "ion-api")
    minutes = world.minutes("ion-api", None, START, START + 300)
    mean = sum(m.latency.sum for m in minutes) / sum(m.requests for m in minutes)
    assert sum(entries) / len(entries) == pytest.approx(mean, rel=0.1)


def test_a_change_of_the_split_is_followed_within_seconds():
    world = world_of()
    log = RequestLog(world)
    log.start()
    world.clock.advance(10)
    log.draw()
    world.append(Split(world.clock.now(), 50))
    world.clock.advance(60)
    found = by_service(log.draw().entries)
    assert found["ion-api-canary"] / found.total() == pytest.approx(0.5, abs=0.05)


def test_entries_are_ordered_and_older_than_the_delay():
    world = world_of()
    log = RequestLog(world)
    log.start()
    world.clock.advance(20)
    ended = [e.ended_at for e in log.draw().entries]
    assert ended == sorted(ended)
    assert ended[0] >= START - DELAY_S
    assert ended[-1] <= START + 20 - DELAY_S


def test_a_request_that_really_arrived_is_an_entry_once():
    world = world_of(requests_per_s=0.0)
    log = RequestLog(world)
    log.start()
    world.clock.advance(5)
    world.traffic.arrivals.count(world.clock.now(), "ion-api", "r", 500, 12.0, None)
    world.clock.advance(5)
    (entry,) = log.draw().entries
    assert (entry.service, entry.status, entry.latency_ms) == ("ion-api", 500, 12.0)
    assert log.draw().entries == ()


def test_while_nobody_looks_nothing_is_kept():
    world = world_of(requests_per_s=0.0)
    log = RequestLog(world)
    world.traffic.arrivals.count(START, "ion-api", "r", 200, 1.0, None)
    log.start()
    world.clock.advance(5)
    assert log.draw().entries == ()


def test_a_jump_of_the_clock_draws_a_bounded_number_and_counts_the_rest():
    world = world_of()
    log = RequestLog(world)
    log.start()
    world.clock.advance(3600)
    drawn = log.draw()
    assert len(drawn.entries) <= MOST_AT_ONCE
    assert drawn.left_out > 100_000


def test_every_entry_has_an_id_of_its_own():
    ids = [e.insert_id for e in watched(world_of(), 60)]
    assert len(ids) == len(set(ids))


def test_requests_that_find_no_instance_are_logged_without_one_and_in_no_minute():
    starved = {"scenario": "latency", "scenario_params": {"factor": 16.0}, "percent": 50}
    world = world_of(requests_per_s=100.0, **starved)
    entries = [e for e in watched(world, 60) if e.service == "ion-api-canary"]
    refused = [e for e in entries if not e.instance]
    assert {e.status for e in refused} == {429}
    (minute,) = world.minutes("ion-api-canary", None, START, START + 60)
    assert 429 not in minute.responses
    assert len(refused) / len(entries) == pytest.approx(
        minute.refused / (minute.refused + minute.requests), abs=0.05
    )
