"""The world: what is new, what is saved, what comes back."""

import msgspec
import pytest

from canary.simulator.config import Config
from canary.simulator.world.faults import Fault
from canary.simulator.world.saved import StateError
from canary.simulator.world.timeline import Split
from canary.simulator.world.world import World

START = 1_750_000_000.0
GET = "/google.cloud.run.v2.Services/GetService"
UPDATE = "/google.cloud.run.v2.Services/UpdateService"
LIST = "/google.monitoring.v3.MetricService/ListTimeSeries"


def still(**config):
    return World(Config(start_unix=START, **config), monotonic=lambda: 0.0)


def test_a_new_world_starts_with_the_hours_the_stage_has_soaked():
    world = still(soaked_hours=23.5)
    assert world.fresh
    assert world.entered_at == START - 23.5 * 3600
    assert world.history_start <= START - 25.5 * 3600
    assert (world.timeline.split_at(START), world.timeline.split_at(world.entered_at - 1)) == (
        10,
        5,
    )


def test_the_record_gets_the_time_at_which_the_stage_began():
    world = still(record='{"entered_at": @ENTERED_AT@}', soaked_hours=1.0)
    assert msgspec.json.decode(world.record) == {"entered_at": START - 3600.0}


def test_no_record_is_no_record():
    assert still().record == ""


def test_state_clock_and_scenario_come_back(tmp_path):
    path = str(tmp_path / "state.db")
    world = still(state_path=path)
    world.clock.advance(500.0)
    world.append(Split(world.clock.now(), 0))
    world.scenario.switch("latency", {})
    world.saved.put("services", b"something")
    world.close()
    again = World(Config(state_path=path), monotonic=lambda: 99.0)
    assert not again.fresh
    assert again.clock.now() == START + 500.0
    assert again.timeline.split_at(START + 500.0) == 0
    assert again.scenario_name == "latency"
    assert again.saved.get("services") == b"something"
    assert again.entered_at == START - 23.5 * 3600
    again.close()


def test_the_history_reads_the_same_after_a_restart_with_another_seed_in_the_configuration(
    tmp_path,
):
    path = str(tmp_path / "state.db")
    world = still(state_path=path, seed=3, requests_per_s=20.0)
    before = list(world.minutes("ion-api-canary", None, START - 600, START))
    world.close()
    again = World(Config(state_path=path, seed=4, requests_per_s=99.0), monotonic=lambda: 0.0)
    assert list(again.minutes("ion-api-canary", None, START - 600, START)) == before
    again.close()


def test_requests_that_really_arrived_come_back(tmp_path):
    path = str(tmp_path / "state.db")
    world = still(state_path=path)
    world.traffic.arrivals.count(START, "ion-api", "ion-api-00001-leg", 200, 5.0, 0.5)
    world.close()
    again = World(Config(state_path=path), monotonic=lambda: 0.0)
    end = int(START // 60 + 1) * 60
    assert again.traffic.arrivals.get(end, "ion-api", "ion-api-00001-leg").requests == 1
    again.close()


def test_killed_between_two_saves_the_clock_never_starts_before_the_last_event(tmp_path):
    path = str(tmp_path / "state.db")
    world = still(state_path=path)
    world.clock.advance(100.0)
    world.append(Split(START + 100.0, 0))
    world.saved.save()  # the event, but not the clock
    world.saved.close()
    again = World(Config(state_path=path), monotonic=lambda: 0.0)
    assert again.clock.now() == START + 100.0
    again.close()


def test_a_state_of_another_rollout_is_refused(tmp_path):
    path = str(tmp_path / "state.db")
    still(state_path=path).close()
    with pytest.raises(StateError, match="another rollout"):
        World(Config(state_path=path, canary="other"))


def test_healthy_at_a_restart_does_not_end_a_scenario_but_another_one_does(tmp_path):
    path = str(tmp_path / "state.db")
    still(state_path=path, scenario="latency").close()
    resumed = World(Config(state_path=path), monotonic=lambda: 0.0)
    assert resumed.scenario_name == "latency"
    resumed.close()
    changed = World(Config(state_path=path, scenario="quota"), monotonic=lambda: 0.0)
    assert changed.scenario_name == "quota"
    changed.close()


def test_a_scenario_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="storm"):
        still(scenario="storm")


@pytest.mark.parametrize(
    ("scenario", "method", "code"),
    [
        ("healthy", GET, None),
        ("run-outage", GET, "UNAVAILABLE"),
        ("run-outage", "/google.longrunning.Operations/GetOperation", "UNAVAILABLE"),
        ("run-outage", LIST, None),
        ("monitoring-outage", LIST, "UNAVAILABLE"),
        ("monitoring-outage", GET, None),
        ("quota", LIST, "RESOURCE_EXHAUSTED"),
        ("denied", GET, None),
        ("denied", UPDATE, "PERMISSION_DENIED"),
        ("denied", "/google.cloud.run.v2.Services/TestIamPermissions", None),
    ],
)
def test_a_scenario_refuses_exactly_its_calls(scenario, method, code):
    fault = still(scenario=scenario).fault_for(method)
    assert (fault.code if fault else None) == code


def test_the_fault_table_comes_before_the_scenario():
    world = still(scenario="run-outage")
    world.faults.add(Fault(method="GetService", code="INTERNAL", times=1))
    assert [world.fault_for(GET).code for _ in range(2)] == ["INTERNAL", "UNAVAILABLE"]


def test_what_is_due_settles_before_minutes_are_computed():
    world = still()
    seen = []
    world.on_settle(seen.append)
    world.minutes("ion-api", None, START - 60, START)
    assert seen == [START]


def test_old_arrivals_are_forgotten():
    world = still()
    world.traffic.arrivals.count(START, "ion-api", "r", 200, 5.0, None)
    world.save()
    world.clock.advance(9 * 86_400.0)
    world.trim()
    assert list(world.saved.arrivals()) == []
