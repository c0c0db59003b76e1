"""The scenarios."""

import pytest

from canary.simulator.world.timeline import ScenarioOn
from canary.simulator.world.traffic.scenarios import (
    PROFILES,
    SCENARIOS,
    ScenarioState,
    check_scenario,
    scenario_state,
    side_effects,
)


def state(name, now=1000.0, **params):
    return scenario_state(ScenarioOn(1000.0, name, params), now, 150.0)


def test_healthy_changes_nothing():
    assert state("healthy") == ScenarioState(since=1000.0)


def test_no_scenario_yet_is_healthy():
    assert scenario_state(None, 0.0, 99.0) == ScenarioState(ingest_delay_s=99.0)


def test_stale_shows_everything_ten_minutes_late():
    assert state("stale").ingest_delay_s == 600.0


@pytest.mark.parametrize(
    ("name", "field", "code"),
    [
        ("quota", "monitoring_fault", "RESOURCE_EXHAUSTED"),
        ("monitoring-outage", "monitoring_fault", "UNAVAILABLE"),
        ("run-outage", "run_fault", "UNAVAILABLE"),
        ("denied", "update_fault", "PERMISSION_DENIED"),
    ],
)
def test_a_refusing_scenario_refuses_with_its_code(name, field, code):
    current = state(name)
    faults = {f: getattr(current, f) for f in ("monitoring_fault", "run_fault", "update_fault")}
    assert faults.pop(field).code == code
    assert set(faults.values()) == {None}


@pytest.mark.parametrize(
    ("name", "mode"), [("stuck-operation", "stuck"), ("failing-operation", "failing")]
)
def test_an_operation_scenario_sets_the_mode(name, mode):
    assert state(name).operation_mode == mode


@pytest.mark.parametrize(("now", "due"), [(1089.9, False), (1090.0, True)])
def test_the_foreign_change_comes_a_while_after_the_conflict_begins(now, due):
    current = state("conflict", now)
    assert current.foreign_change_due is due
    assert (current.foreign_change_at, current.foreign_percent) == (1090.0, 15)
    assert current.foreign_change_on_update


def test_params_replace_the_usual_numbers():
    assert side_effects(ScenarioOn(0.0, "error-spike", {"ratio": 0.5}), "canary").error_ratio == 0.5
    assert side_effects(ScenarioOn(0.0, "error-spike"), "canary").error_ratio == 0.08


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"noisy"}))
def test_no_scenario_touches_legacys_traffic(name):
    assert side_effects(ScenarioOn(0.0, name), "legacy") == side_effects(None, "legacy")


@pytest.mark.parametrize(
    ("name", "params", "reason"),
    [("storm", {}, "storm"), ("latency", {"ratio": 1.0}, "factor"), ("quota", {"x": 1.0}, "none")],
)
def test_what_does_not_exist_is_refused_with_what_does(name, params, reason):
    with pytest.raises(ValueError, match=reason):
        check_scenario(name, params)


def test_the_noisy_one_does_the_same_to_both():
    on = ScenarioOn(0.0, "noisy")
    assert side_effects(on, "legacy") == side_effects(on, "canary")
    assert side_effects(on, "legacy").bursts.ratio == PROFILES["legacy"].error_ratio


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("sticky", "session_affinity", True),
        ("log-excluded", "log_excludes_2xx", True),
        ("log-late", "log_late_s", 8.0),
    ],
)
def test_a_scenario_of_the_evidence_tells_the_apis(name, field, value):
    assert getattr(state(name), field) == value
    assert getattr(state("healthy"), field) == type(value)()
