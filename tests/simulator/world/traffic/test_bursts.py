"""When errors come in bursts: at the same times in minutes and in the log."""

from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.simulator.world.requests import RequestLog
from canary.simulator.world.traffic.bursts import Bursts
from tests.simulator.world.test_requests import START, world_of

CRASH = Bursts(0.5, 120.0, 20.0)
NOISE = Bursts(0.008, 60.0, cv=1.0)
SINCE = 1000.0


@pytest.mark.parametrize(
    ("at", "ratio"), [(0, 0.5), (19.9, 0.5), (20, None), (119.9, None), (120, 0.5), (141, None)]
)
def test_a_crash_loop_is_bad_for_the_first_seconds_of_every_turn(at, ratio):
    assert CRASH.ratio_at(SINCE, "canary", SINCE + at) == ratio


def test_each_crash_is_a_start_of_new_instances():
    assert [CRASH.restarts(SINCE, SINCE + at) for at in (0, 119, 120, 241)] == [1, 1, 2, 3]
    assert NOISE.restarts(SINCE, SINCE + 500) == 0


def test_noise_has_the_mean_and_the_spread_that_are_asked_for_and_each_side_its_own():
    sides = [
        [NOISE.ratio_at(SINCE, side, SINCE + 60 * i) for i in range(4000)]
        for side in ("legacy", "canary")
    ]
    for levels in sides:
        assert fmean(levels) == pytest.approx(0.008, rel=0.06)
        assert pstdev(levels) / fmean(levels) == pytest.approx(1.0, abs=0.08)
    assert sides[0] != sides[1]


@given(st.floats(0, 5000), st.floats(0.1, 400), st.sampled_from([CRASH, NOISE]))
def test_between_two_edges_nothing_changes(start, length, bursts):
    start += SINCE
    end = start + length
    edges = [start, *bursts.edges(SINCE, start, end), end]
    assert edges == sorted(edges)
    for low, high in pairwise(edges):
        if high - low > 1e-3:
            at = [low + (high - low) * share for share in (0.001, 0.5, 0.999)]
            assert len({bursts.ratio_at(SINCE, "canary", each) for each in at}) == 1


def test_minutes_and_log_show_a_crash_loop_in_canary_alone():
    world = world_of(percent=50, scenario="crash-loop")
    log = RequestLog(world)
    log.start()
    entries = []
    for _ in range(240):
        world.clock.advance(2.5)
        entries += log.draw().entries
    crashed, other = [], []
    for each in (e for e in entries if e.service == "ion-api-canary"):
        inside = (each.ended_at - START) % 120 < 20
        (crashed if inside else other).append(each.status >= 500)
    assert fmean(crashed) == pytest.approx(0.5, abs=0.05)
    assert fmean(other) < 0.02
    minutes = world.minutes("ion-api-canary", None, START, START + 600)
    bad = [sum(n for code, n in m.responses.items() if code >= 500) / m.requests for m in minutes]
    assert fmean(bad[::2]) == pytest.approx(0.5 / 3, abs=0.03)
    assert fmean(bad[1::2]) < 0.02
    names = {e.instance for e in entries if e.service == "ion-api-canary"}
    assert len(names) == 5


def test_an_excluded_log_has_no_2xx_and_a_late_one_has_all_of_them_later():
    entries = {}
    for name in ("healthy", "log-excluded", "log-late"):
        world = world_of(scenario=name, scenario_params={})
        log = RequestLog(world)
        log.start()
        entries[name] = []
        for _ in range(120):
            world.clock.advance(1.0)
            entries[name] += [(world.clock.now(), e) for e in log.draw().entries]
    assert {e.status // 100 for _, e in entries["log-excluded"]} == {4, 5}
    lateness = [now - e.ended_at for now, e in entries["log-late"]]
    assert max(lateness) > 8.0
    assert len(entries["log-late"]) == pytest.approx(len(entries["healthy"]), rel=0.15)
