"""Changes from the shell, carried out for real: permitted, asked, journaled, sent, settled."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Cloud, run_at_terminal, run_process
from tests.cli.conftest import Command

Open = Callable[..., Cloud]


@pytest.fixture
def on(command: Command) -> Callable[..., Any]:
    """`on(cloud)("promote", "--yes")`: the command with the cloud's plan."""

    def bind(cloud: Cloud) -> Command:
        return lambda *arguments: command(*arguments, "--config", str(cloud.plan_path))

    return bind


def share(run: Command) -> tuple[int, int, int]:
    """The stage, what is set and what is recorded."""
    document = run("status", "--json").document
    traffic = document["traffic"]
    return document["stage"]["index"], traffic["canary"], traffic["recorded"]


def test_a_promotion_with_every_gate_met_goes_one_stage_on(
    on: Callable[..., Command], open_cloud: Open
) -> None:
    cloud = open_cloud(soaked_hours=25.0)
    run = on(cloud)
    ended = run("promote", "--yes", "--reason", "soaked well", "--json")
    assert (ended.code, ended.document["outcome"]["state"]) == (0, "done")
    assert share(run) == (3, 25, 25)
    (entry,) = run("log", "--json").document
    assert (entry["kind"], entry["reason"], entry["forced"]) == ("promote", "soaked well", False)
    assert entry["evidence"]["verdict"] == "continue"
    assert entry["evidence"]["requests"] > 500
    written = tomllib.loads((cloud.plan_path.parent / "rollout.toml").read_text())
    assert written["canary"]["stage"] == 3


def test_a_promotion_is_refused_with_the_gates_and_forced_only_with_a_reason(
    on: Callable[..., Command], open_cloud: Open
) -> None:
    run = on(open_cloud())
    refused = run("promote", "--yes")
    assert (refused.code, "soak (not met)" in refused.err) == (4, True)
    assert run("promote", "--yes", "--force").code == 2
    assert share(run) == (2, 10, 10)
    assert run("promote", "--yes", "--force", "--reason", "the fair begins").code == 0
    assert share(run) == (3, 25, 25)
    shown = run("log").out
    assert "forced over: soak_hours" in shown
    assert "why: the fair begins" in shown


def test_rollback_goes_one_back_then_everybody_off_and_the_second_time_nothing_is_sent(
    on: Callable[..., Command], open_cloud: Open
) -> None:
    run = on(open_cloud())
    assert run("rollback", "--yes").code == 0
    assert share(run) == (1, 5, 5)
    assert run("rollback", "--all", "--yes").code == 0
    assert share(run) == (0, 0, 0)
    again = run("rollback", "--all", "--yes")
    assert (again.code, "nothing to change" in again.out) == (0, True)
    assert len(run("log", "--json").document) == 2
    shown = run("log").out
    assert "roll back one stage: canary 10 % → 5 %" in shown
    assert "roll back all: canary 5 % → 0 %" in shown


def test_rollback_to_a_named_stage(on: Callable[..., Command], open_cloud: Open) -> None:
    run = on(open_cloud(stage=4, percent=50, record=""))
    assert run("rollback", "--to", "2", "--yes").code == 0
    assert share(run) == (2, 10, 10)
    assert run("rollback", "--to", "3", "--yes").code == 4
    assert run("rollback", "--to", "1", "--all", "--yes").code == 2
    nowhere = run("rollback", "--to", "7", "--yes")
    assert (nowhere.code, nowhere.err) == (2, "canary: There is no stage 7: the plan has 5.\n")


def test_a_rollback_needs_no_metrics(on: Callable[..., Command], open_cloud: Open) -> None:
    run = on(open_cloud("monitoring-outage"))
    assert run("rollback", "--all", "--yes").code == 0


def test_a_promotion_is_refused_without_metrics(
    on: Callable[..., Command], open_cloud: Open
) -> None:
    run = on(open_cloud("no-data", soaked_hours=30.0))
    refused = run("promote", "--yes")
    assert (refused.code, "no data" in refused.err) == (4, True)


@pytest.mark.parametrize(
    ("scenario", "code", "state"),
    [("denied", 3, "failed"), ("failing-operation", 3, "failed")],
)
def test_what_the_cloud_refuses_is_told_and_recorded(
    on: Callable[..., Command], open_cloud: Open, scenario: str, code: int, state: str
) -> None:
    run = on(open_cloud(scenario))
    assert run("rollback", "--yes").code == code
    (entry,) = run("log", "--json").document
    assert entry["outcome"]["state"] == state
    assert entry["outcome"]["message"]


def test_nothing_is_changed_while_cloud_run_is_away(
    on: Callable[..., Command], open_cloud: Open
) -> None:
    run = on(open_cloud("run-outage"))
    ended = run("rollback", "--all", "--yes", "--no-wait")
    assert (ended.code, "Cloud Run has not answered" in ended.err) == (3, True)
    dry = run("rollback", "--all", "--dry-run")
    assert (dry.code, "With --yes it waits" in dry.err) == (3, True)
    promoted = run("promote", "--yes")
    assert (promoted.code, "Waiting" in promoted.err) == (3, False)
    assert run("log", "--json").document == []


def test_a_split_changed_elsewhere_is_adopted_or_reverted(
    on: Callable[..., Command], open_cloud: Open
) -> None:
    run = on(open_cloud("conflict"))
    stage, there, recorded = share(run)
    assert (stage, recorded) == (2, 10)
    assert there != 10
    refused = run("promote", "--yes")
    assert (refused.code, "changed elsewhere" in refused.err) == (4, True)


def test_scale_takes_values_or_a_preset_and_is_journaled(
    on: Callable[..., Command], open_cloud: Open
) -> None:
    run = on(open_cloud())
    assert run("scale", "canary", "--min", "2", "--max", "8", "--yes").code == 0
    ended = run("scale", "canary", "--max", "9", "--yes", "--json")
    assert ended.document["lines"] == ["ion-api-canary instances: 2 to 8 → 2 to 9"]
    assert run("scale", "canary", "--preset", "production", "--yes").code == 0
    assert run("scale", "canary", "--preset", "production", "--yes").out.endswith(
        "nothing to change.\n"
    )
    assert len(run("log", "--json").document) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["scale", "canary"],
        ["scale", "canary", "--preset", "backup", "--min", "1"],
        ["scale", "both", "--min", "1"],
        ["scale", "canary", "--min", "-1"],
        ["rollback", "--to", "-1"],
    ],
)
def test_a_change_asked_wrongly_is_refused_before_anything_is_asked_of_the_cloud(
    command: Command, arguments: list[str]
) -> None:
    assert command(*arguments, "--yes", "--config", "none.toml").code == 2


def test_a_dry_run_shows_what_would_change_and_changes_nothing(
    on: Callable[..., Command], healthy_cloud: Cloud
) -> None:
    run = on(healthy_cloud)
    ended = run("rollback", "--dry-run")
    assert "Canary's share: 10 % → 5 %" in ended.out
    assert "gcloud run services update ion-api --update-env-vars=" in ended.out
    refused = run("promote", "--dry-run", "--json")
    assert (refused.code, refused.document["changed"]) == (4, False)
    assert "soak" in refused.document["refusal"]
    assert share(run) == (2, 10, 10)
    assert run("log", "--json").document == []


def test_read_only_refuses_every_change(command: Command, healthy_cloud: Cloud) -> None:
    path = str(healthy_cloud.plan_path)
    ended = command("--read-only", "--config", path, "rollback", "--all", "--yes")
    assert (ended.code, "read-only" in ended.err) == (4, True)


def test_without_a_terminal_nothing_is_changed_unasked(
    command: Command, healthy_cloud: Cloud
) -> None:
    ended = command("rollback", "--all", "--config", str(healthy_cloud.plan_path))
    assert (ended.code, "--yes" in ended.err) == (2, True)


def test_at_a_terminal_it_shows_the_change_and_takes_no_for_an_answer(
    healthy_cloud: Cloud, tmp_path: Path
) -> None:
    arguments = ["rollback", "--all", "--config", str(healthy_cloud.plan_path)]
    state = tmp_path / "state"
    ended = run_at_terminal(arguments, tmp_path, state, "n\n", from_the_start=True)
    assert "10 % → 0 %" in ended.out
    assert "Not confirmed: nothing was changed." in ended.out
    assert ended.code == 2


def test_all_requests_to_canary_takes_the_name_of_the_service(
    open_cloud: Open, tmp_path: Path
) -> None:
    cloud = open_cloud(stage=4, percent=50, record="")
    arguments = ["promote", "--force", "--reason", "x", "--config", str(cloud.plan_path)]
    state = tmp_path / "state"
    wrong = run_at_terminal(arguments, tmp_path, state, "y\n")
    assert (wrong.code, "Type ion-api-canary to confirm" in wrong.out) == (2, True)
    right = run_at_terminal(arguments, tmp_path, state, "ion-api-canary\n")
    assert (right.code, "Canary has 100 %" in right.out) == (0, True)


def test_a_rollback_loads_neither_the_screen_nor_what_it_does_not_use(
    open_cloud: Open, tmp_path: Path
) -> None:
    cloud = open_cloud()
    arguments = ["rollback", "--all", "--yes", "--config", str(cloud.plan_path)]
    ended = run_process(arguments, tmp_path, tmp_path / "state", "-X", "importtime")
    loaded = {line.rsplit("|", 1)[-1].strip() for line in ended.err.splitlines()}
    assert ended.code == 0
    for unused in ("textual", "rich", "httpx", "aiohttp.client", "tui", "canary.simulator"):
        assert unused not in loaded
    assert not any(name.startswith("google.cloud.monitoring_v3.") for name in loaded)


def test_everybody_off_after_a_failed_try_is_sent_again(
    on: Callable[..., Command], open_cloud: Open
) -> None:
    cloud = open_cloud("failing-operation")
    run = on(cloud)
    assert run("rollback", "--all", "--yes").code == 3
    assert "0 % (may not be served)" in run("status", "--line").out
    cloud.post("scenario", {"name": "healthy"})
    again = run("rollback", "--all", "--yes", "--json")
    assert (again.code, again.document["outcome"]["state"]) == (0, "done")
    assert run("status", "--json").document["traffic"]["ready"] is True
