"""`canary retire`: the calendar, and the deletion typed, confirmed or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from canary.cloud.embedded.process import build_config
from canary.rollout.plan.file import load_plan
from tests.cli.commands import Cloud, Ended, run_at_terminal, running_cloud
from tests.cli.conftest import Command

ROOT = Path(__file__).parents[3]
Opened = Callable[[float], Cloud]


@pytest.fixture
def in_production(tmp_path: Path) -> Iterator[Opened]:
    """`in_production(31)`: a cloud in which Canary has been production for so many days."""
    from contextlib import ExitStack

    plan = load_plan(ROOT / "canary.toml")
    plan = msgspec.structs.replace(plan, local=msgspec.structs.replace(plan.local, stage=5))
    told = build_config(plan, None)
    fixed = {name: told[name] for name in ("record", "percent", "stage")}
    with ExitStack() as stack:

        def open_cloud(days: float) -> Cloud:
            hours = days * 24.0
            return stack.enter_context(
                running_cloud(tmp_path, **fixed, soaked_hours=hours, history_hours=hours + 2)
            )

        yield open_cloud


def ask(command: Command, cloud: Cloud, *arguments: str) -> Ended:
    return command("--config", str(cloud.plan_path), "retire", *arguments)


def test_on_day_31_an_idle_legacy_is_deleted_with_its_image(
    command: Command, in_production: Opened
):
    cloud = in_production(31)
    plan = ask(command, cloud, "plan", "--json").document
    assert (plan["day"], plan["allowed"], plan["reasons"]) == (32, True, [])
    assert len(plan["images"]) == 1
    done = ask(command, cloud, "apply", "--yes", "--confirm", "ion-api", "--json")
    assert done.code == 0, done.err
    assert done.document["outcome"]["state"] == "done"
    status = command("--config", str(cloud.plan_path), "status", "--json")
    assert "stage 5 of 5" in command("--config", str(cloud.plan_path), "status").out
    assert status.document["stage"]["index"] == 5
    assert "is gone already" in ask(command, cloud, "plan").out
    again = ask(command, cloud, "apply", "--yes", "--confirm", "ion-api")
    assert (again.code, "gone already" in again.err) == (2, True)


def test_the_plan_marks_today_and_says_what_would_go(command: Command, in_production: Opened):
    said = ask(command, in_production(31), "plan")
    assert said.code == 0
    assert "→ day 31 on" in said.out
    assert "← today" in said.out
    assert "Nothing is against it" in said.out
    assert "Not looked at: whether what runs in another project" in said.out


def test_before_day_31_it_is_refused_unless_forced_with_a_reason(
    command: Command, in_production: Opened
):
    cloud = in_production(3)
    plan = ask(command, cloud, "plan")
    assert plan.code == 1
    assert "It is day 4; Legacy may be deleted from day 31 on." in plan.out
    refused = ask(command, cloud, "apply", "--yes", "--confirm", "ion-api")
    assert refused.code == 4
    assert "must not be deleted now: day" in refused.err
    forced = ("apply", "--yes", "--confirm", "ion-api", "--force")
    assert ask(command, cloud, *forced).code == 2
    assert ask(command, cloud, *forced, "--reason", "moved").code == 0


def test_a_dry_run_deletes_nothing(command: Command, in_production: Opened):
    cloud = in_production(31)
    said = ask(command, cloud, "apply", "--dry-run")
    assert said.code == 0
    assert "ion-api: deleted, with all its revisions" in said.out
    assert "gcloud run services delete ion-api" in said.out
    assert "gcloud artifacts docker images delete" in said.out
    assert ask(command, cloud, "plan", "--json").document["exists"]


@pytest.mark.parametrize("confirm", [(), ("--confirm", "ion-api-canary")])
def test_unasked_it_takes_the_name_of_the_service(
    command: Command, healthy_cloud: Cloud, confirm: tuple[str, ...]
):
    said = ask(command, healthy_cloud, "apply", "--yes", *confirm)
    assert said.code == 2
    assert "--confirm ion-api" in said.err


@pytest.mark.parametrize(("typed", "code"), [("ion-api\n", 0), ("yes\n", 2)])
def test_at_a_terminal_the_name_is_typed(
    in_production: Opened, tmp_path: Path, state_dir: Path, typed: str, code: int
):
    cloud = in_production(31)
    arguments = ("--config", str(cloud.plan_path), "retire", "apply")
    ended = run_at_terminal(arguments, tmp_path, state_dir, typed)
    assert ended.code == code, ended.out


def test_while_legacy_has_a_share_it_is_refused(command: Command, healthy_cloud: Cloud):
    said = ask(command, healthy_cloud, "apply", "--yes", "--confirm", "ion-api")
    assert said.code == 4
    assert "Legacy's share is 90 %" in said.err
    plan = ask(command, healthy_cloud, "plan", "--json").document
    assert [reason["id"] for reason in plan["reasons"]] == ["stage", "share", "requests"]


def test_read_only_refuses_it(command: Command, healthy_cloud: Cloud):
    said = command(
        "--config",
        str(healthy_cloud.plan_path),
        "--read-only",
        "retire",
        "apply",
        "--yes",
        "--confirm",
        "ion-api",
    )
    assert said.code == 4
    assert "read-only" in said.err
