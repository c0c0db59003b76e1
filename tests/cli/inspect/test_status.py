"""Looking from the shell, at servers that speak the real protocols: status, validate, health."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.cli.commands import ROOT, Cloud
from tests.cli.conftest import Command

SCHEMA = json.loads((ROOT / "docs" / "status.schema.json").read_text())


def test_status_as_json_fits_the_contract_and_tells_the_numbers(
    command: Command, healthy_cloud: Cloud
) -> None:
    ended = command("status", "--json", "--config", str(healthy_cloud.plan_path))
    Draft202012Validator(SCHEMA).validate(ended.document)
    canary = ended.document["sides"]["canary"]
    assert ended.code == 0
    assert ended.document["traffic"]["canary"] == 10
    assert ended.document["stage"]["index"] == 2
    assert canary["requests"] > 500
    assert 0 < canary["latency_ms"]["p50"] < canary["latency_ms"]["p95"] < 2000
    assert ended.document["decision"]["verdict"] == "continue"


def test_status_for_people_shows_both_sides_the_tree_and_the_gates(
    command: Command, healthy_cloud: Cloud
) -> None:
    ended = command("status", "--config", str(healthy_cloud.plan_path))
    assert "✓ HEALTHY" in ended.out
    assert "stage 2 of 5   10 % Canary" in ended.out
    assert "gates to stage 3: 5 of 6 met" in ended.out
    assert "◌ waiting  soak" in ended.out


def test_status_as_a_line_is_one_line(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("status", "--line", "--config", str(healthy_cloud.plan_path))
    assert ended.out.count("\n") == 1
    assert ended.out.startswith("✓ HEALTHY  stage 2  10 % ion-api-canary  err 0")


@pytest.mark.parametrize("options", [(), ("--line",)])
def test_a_rollback_that_is_not_possible_is_said_before_it_is_needed(
    command: Command, open_cloud: Callable[..., Cloud], options: tuple[str, ...]
) -> None:
    plan = str(open_cloud("denied").plan_path)
    ended = command("status", *options, "--config", plan)
    assert "✗ rollback not possible: permission missing" in ended.out


def test_status_shows_the_comparison_and_that_a_rollback_is_ready(
    command: Command, healthy_cloud: Cloud
) -> None:
    plan = str(healthy_cloud.plan_path)
    ended = command("status", "--config", plan)
    assert "✓ rollback ready" in ended.out
    assert "\nevidence: nothing is compared on this host yet; `canary evidence`" in ended.out
    command("evidence", "--config", plan)  # what it has come to is kept
    assert "\nevidence\n  5xx: " in command("status", "--config", plan).out


def test_line_and_json_exclude_each_other(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("status", "--line", "--json", "--config", str(healthy_cloud.plan_path))
    assert ended.code == 2


@pytest.mark.parametrize(
    ("scenario", "code", "said"),
    [
        ("error-spike", 20, "✗ ROLL BACK ALL"),
        ("latency", 20, "✗ ROLL BACK ALL"),
        ("slow-burn", 10, "◐ WATCH"),
        ("no-data", 30, "? SILENT"),
        ("stale", 30, "? STALE"),
        ("quota", 3, "Cloud Monitoring failing"),
        ("monitoring-outage", 3, "Cloud Monitoring failing"),
        ("run-outage", 3, "Cloud Run failing"),
    ],
)
def test_status_exits_by_verdict(
    command: Command, open_cloud: Callable[..., Cloud], scenario: str, code: int, said: str
) -> None:
    cloud = open_cloud(scenario)
    ended = command("status", "--line", "--config", str(cloud.plan_path))
    assert said in ended.out
    assert ended.code == code


def test_validate_names_what_is_not_met_and_exits_1(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("validate", "--config", str(healthy_cloud.plan_path))
    assert ended.code == 1
    assert "✓ met      error ratio" in ended.out
    assert "Not met: soak (not met)." in ended.out


def test_validate_names_the_stage_that_is_approved_next(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud(soaked_hours=25.0)
    ended = command("validate", "--config", str(cloud.plan_path))
    assert (ended.code, "ready for stage 3" in ended.out) == (0, True)


def test_validate_of_another_stage_uses_its_criteria_and_knows_no_soak(
    command: Command, healthy_cloud: Cloud
) -> None:
    path = str(healthy_cloud.plan_path)
    document = command("validate", "--stage", "1", "--json", "--config", path).document
    limits = {gate["id"]: gate["limit"] for gate in document["criteria"]}
    assert limits["error_ratio"] == 0.010
    assert document["not_met"] == ["soak_hours"]


@pytest.mark.parametrize("stage", ["5", "9"])
def test_the_last_stage_is_not_validated(
    command: Command, healthy_cloud: Cloud, stage: str
) -> None:
    ended = command("validate", "--stage", stage, "--config", str(healthy_cloud.plan_path))
    assert ended.code == 2


def test_health_asks_both_sides(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("health", "--json", "--config", str(healthy_cloud.plan_path))
    assert [r["service"] for r in ended.document] == ["ion-api", "ion-api-canary"]
    assert ended.code == (0 if all(r["ok"] for r in ended.document) else 1)


def test_doctor_finds_nothing_wrong_on_a_healthy_cloud(
    command: Command, healthy_cloud: Cloud
) -> None:
    ended = command("doctor", "--json", "--config", str(healthy_cloud.plan_path))
    wrong = [f for f in ended.document if f["state"] == "wrong" and f["needed"]]
    assert (ended.code, wrong) == (0, [])


def test_doctor_names_the_right_that_is_missing(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    ended = command("doctor", "--config", str(open_cloud("denied").plan_path))
    assert ended.code == 1
    both = "right to change ion-api, right to change ion-api-canary"
    assert f"✗ {both}: missing: run.services.update" in ended.out
    assert ended.out.count("roles/run.developer, and") == 1
    assert "roles/run.developer" in ended.out


def test_the_embedded_cloud_is_started_for_a_local_plan(command: Command, tmp_path: Path) -> None:
    plan = tmp_path / "canary.toml"
    plan.write_text((ROOT / "canary.toml").read_text())
    ended = command("status", "--json", "--config", str(plan))
    assert ended.code == 0
    assert ended.document["provider"] == "local"
