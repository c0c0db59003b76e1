"""`canary alerts`: what differs, and setting it right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Cloud, Ended, run_at_terminal
from tests.cli.conftest import Command

Open = Callable[..., Cloud]


def ask(command: Command, cloud: Cloud, *arguments: str) -> Ended:
    return command("--config", str(cloud.plan_path), "alerts", *arguments)


def test_apply_sets_right_what_diff_names_and_then_nothing_differs(
    command: Command, open_cloud: Open
):
    cloud = open_cloud()
    assert ask(command, cloud, "diff").code == 1
    done = ask(command, cloud, "apply", "--yes", "--json")
    assert done.code == 0, done.err
    assert [one["done"] for one in done.document["policies"]] == [True] * 6
    again = ask(command, cloud, "diff")
    assert (again.code, again.out) == (0, "6 of 6 policies are as the plan says.\n")
    assert "nothing to change" in ask(command, cloud, "apply", "--yes").out
    log = command("--config", str(cloud.plan_path), "log", "--json").document
    assert [(one["kind"], one["outcome"]["state"], len(one["done"])) for one in log] == [
        ("alerts", "done", 6)
    ]


def test_another_limit_in_the_plan_is_an_update_of_that_policy(command: Command, open_cloud: Open):
    cloud = open_cloud()
    ask(command, cloud, "apply", "--yes")
    text = cloud.plan_path.read_text()
    limit = "[alerts.warning]\nerror_ratio = 0.0"
    cloud.plan_path.write_text(text.replace(f"{limit}2", f"{limit}3"))
    said = ask(command, cloud, "diff")
    assert said.code == 1
    assert "threshold 0.02 → 0.03" in said.out
    changed = ask(command, cloud, "apply", "--yes", "--json").document["policies"]
    assert [one["limit"] for one in changed if one["done"]] == ["warning-error_ratio"]


def test_a_dry_run_changes_nothing(command: Command, open_cloud: Open):
    cloud = open_cloud()
    said = ask(command, cloud, "apply", "--dry-run")
    assert said.code == 0
    assert "create ion-api-canary: error ratio, warning: error ratio > 2 %" in said.out
    assert ask(command, cloud, "diff").code == 1


def test_without_a_terminal_it_takes_a_yes(command: Command, healthy_cloud: Cloud):
    assert ask(command, healthy_cloud, "apply").code == 2


def test_read_only_refuses_it(command: Command, healthy_cloud: Cloud):
    said = command(
        "--config", str(healthy_cloud.plan_path), "--read-only", "alerts", "apply", "--yes"
    )
    assert said.code == 4


def test_who_may_only_look_is_told_what_was_not_done(command: Command, open_cloud: Open):
    cloud = open_cloud("denied")
    said = ask(command, cloud, "apply", "--yes")
    assert said.code == 3
    assert "Not done: 6." in said.err
    log = command("--config", str(cloud.plan_path), "log").out
    assert "failed     alerts: 0 of 6 written  by " in log
    assert "`canary alerts diff` says what is there" in log


def test_what_cannot_be_recorded_is_not_written(
    command: Command, open_cloud: Open, state_dir: Path
):
    cloud = open_cloud()
    ask(command, cloud, "diff")
    (directory,) = state_dir.iterdir()
    (directory / "alerts.db").write_bytes(b"no database" * 1000)
    said = ask(command, cloud, "apply", "--yes")
    assert said.code == 3
    assert "alerts.db" in said.err
    assert ask(command, cloud, "diff").code == 1


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 2)])
def test_at_a_terminal_it_asks(
    open_cloud: Open, tmp_path: Path, state_dir: Path, typed: str, code: int
):
    arguments = ("--config", str(open_cloud().plan_path), "alerts", "apply")
    assert run_at_terminal(arguments, tmp_path, state_dir, typed).code == code
