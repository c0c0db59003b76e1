"""`canary validate --from GLOB`: the report on a file, without any cloud."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canary.cli.inspect.validate import check_file
from canary.cli.opening import PlanSource
from canary.rollout.export.monitor_document import monitor_document
from tests.cli.commands import ROOT, Cloud
from tests.cli.conftest import Command
from tests.rollout.build import PLAN, snapshot

FOUR = {
    "error_rate": 0.015,
    "p95_response_time_ms": 18_000.0,
    "success_rate": 0.93,
    "avg_confidence_score": 0.73,
}
"""Every value on its limit for leaving stage 2."""

Run = Callable[..., Any]


@pytest.fixture(name="run")
def run_fixture(command: Command, tmp_path: Path) -> Run:
    """`run(document, "--stage", "2")`: validate on that file."""
    (tmp_path / "canary.toml").write_text((ROOT / "canary.toml").read_text())

    def call(document: Any, *arguments: str, name: str = "monitor_20260301T140322Z.json") -> Any:
        text = document if isinstance(document, str) else json.dumps(document)
        (tmp_path / name).write_text(text)
        pattern = str(tmp_path / "monitor_*.json")
        config = str(tmp_path / "canary.toml")
        return command("validate", "--from", pattern, *arguments, "--config", config)

    return call


def test_values_on_their_limits_are_met_and_the_next_stage_is_named(run: Run) -> None:
    ended = run({"canary": FOUR}, "--stage", "2")
    assert ended.code == 0
    assert ended.out.count("✓ met") == 4
    assert "0.73 " in ended.out
    assert "All criteria are met: ready for stage 3." in ended.out


@pytest.mark.parametrize(
    ("name", "value", "criterion"),
    [
        ("error_rate", 0.0151, "error_ratio"),
        ("p95_response_time_ms", 18_000.1, "p95_ms"),
        ("success_rate", 0.9299, "success_ratio"),
        ("avg_confidence_score", 0.7299, "confidence"),
    ],
)
def test_one_value_beyond_its_limit_is_named_and_exits_1(
    run: Run, name: str, value: float, criterion: str
) -> None:
    document = run({"canary": {**FOUR, name: value}}, "--stage", "2", "--json")
    assert document.code == 1
    assert document.document["not_met"] == [criterion]
    assert document.document["approved_stage"] is None


def test_a_missing_field_is_no_data_for_its_criterion_alone(run: Run) -> None:
    canary = {k: v for k, v in FOUR.items() if k != "success_rate"}
    ended = run({"canary": canary}, "--stage", "2")
    assert ended.code == 1
    assert "? no data  success ratio" in ended.out
    assert "Not met: success ratio (no data)." in ended.out


@pytest.mark.parametrize("text", ['{"canary": {"error_ra', "[]", "hello", '{"canary": 3}'])
def test_a_cut_off_or_foreign_file_is_one_sentence_and_exits_3(run: Run, text: str) -> None:
    ended = run(text, "--stage", "2")
    assert (ended.code, ended.out, ended.err.count("\n")) == (3, "", 1)
    assert "cannot be used as a monitor file" in ended.err


def test_no_file_exits_2(command: Command, tmp_path: Path) -> None:
    pattern = str(tmp_path / "monitor_*.json")
    ended = command("validate", "--from", pattern, "--config", str(ROOT / "canary.toml"))
    assert (ended.code, "No file matches" in ended.err) == (2, True)


def test_the_stage_must_be_named_where_the_file_does_not_tell(run: Run) -> None:
    assert run({"canary": FOUR}).code == 2


def test_our_own_file_tells_stage_and_soak(run: Run) -> None:
    document = run(monitor_document(snapshot(), PLAN), "--json").document
    assert (document["stage"], document["not_met"]) == (2, ["soak_hours"])


def test_the_newest_file_is_the_one_that_counts(run: Run) -> None:
    run({"canary": {**FOUR, "error_rate": 0.5}}, "--stage", "2")
    ended = run({"canary": FOUR}, "--stage", "2", name="monitor_20260301T150000Z.json")
    assert ended.code == 0


def test_an_old_file_is_stale_and_never_approves(run: Run, tmp_path: Path) -> None:
    run({"canary": FOUR}, "--stage", "2")
    path = tmp_path / "monitor_20260301T140322Z.json"
    os.utime(path, (time.time() - 7300, time.time() - 7300))
    source = PlanSource(PLAN, tmp_path / "canary.toml")
    old = check_file(source, str(path), 2, 7200.0)
    assert {gate.state for gate in old.gates} == {"no_data"}
    assert {gate.evidence for gate in old.gates} == {"stale"}
    young = check_file(source, str(path), 2, 14_400.0)
    assert {gate.state for gate in young.gates} == {"met"}


def test_data_that_our_own_file_calls_thin_is_no_data(run: Run) -> None:
    document = monitor_document(snapshot(), PLAN)
    document["canary"]["data"] = "thin"
    states = {c["id"]: c["state"] for c in run(document, "--json").document["criteria"]}
    assert {states[name] for name in ("error_ratio", "p95_ms", "success_ratio", "confidence")} == {
        "no_data"
    }


def test_a_stage_that_asks_for_a_load_test_is_not_approved_without(run: Run) -> None:
    ended = run({"canary": FOUR}, "--stage", "3", "--json")
    assert (ended.code, ended.document["not_met"]) == (1, ["load_test"])


def test_what_the_loop_writes_can_be_validated(
    command: Command, healthy_cloud: Cloud, tmp_path: Path
) -> None:
    path = str(healthy_cloud.plan_path)
    out = str(tmp_path / "outputs")
    arguments = ("--for", "60s", "--every", "1d", "--out-dir", out, "--json", "--config", path)
    monitored = command("monitor", *arguments)
    assert monitored.code == 0
    ended = command("validate", "--from", f"{out}/monitor_*.json", "--json", "--config", path)
    assert ended.document["stage"] == 2
    assert ended.document["file"] == monitored.document["file"]
    assert ended.document["not_met"] == ["soak_hours"]


def test_the_loops_state_is_told_where_none_runs(command: Command, healthy_cloud: Cloud) -> None:
    path = str(healthy_cloud.plan_path)
    assert command("monitor", "--status", "--config", path).code == 1
    assert command("monitor", "--stop", "--json", "--config", path).document["asked"] is False
    assert command("monitor", "--stop", "--status", "--config", path).code == 2


@pytest.mark.parametrize("span", ["5", "10s", "soon", "-1m"])
def test_an_interval_that_is_none_is_refused(command: Command, span: str) -> None:
    assert command("monitor", f"--every={span}", "--config", str(ROOT / "canary.toml")).code == 2


def test_a_file_from_the_future_never_approves_and_says_why(run: Run, tmp_path: Path) -> None:
    """So a time in the zone of Tokyo looks that was taken for UTC."""
    run({"canary": FOUR}, "--stage", "2")
    path = tmp_path / "monitor_20260301T140322Z.json"
    ahead = time.time() + 9 * 3600
    os.utime(path, (ahead, ahead))
    checked = check_file(PlanSource(PLAN, tmp_path / "canary.toml"), str(path), 2, 7200.0)
    assert {gate.state for gate in checked.gates} == {"no_data"}
    assert any("in the future" in note for note in checked.notes)
