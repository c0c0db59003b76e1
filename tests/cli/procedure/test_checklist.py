"""`canary checklist`: the lists in words and JSON, and ticks with a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.commands import Cloud
from tests.cli.conftest import Command

Open = Callable[..., Cloud]


@pytest.fixture
def run(command: Command, open_cloud: Open) -> Command:
    cloud = open_cloud(soaked_hours=25.0)
    return lambda *arguments: command(*arguments, "--config", str(cloud.plan_path))


def items(document: Any, stage: int) -> dict[str, Any]:
    (found,) = [one for one in document["lists"] if one["stage"] == stage]
    return {item["id"]: item for item in found["items"]}


def test_the_present_and_the_next_list_are_shown(run: Command) -> None:
    ended = run("checklist")
    assert ended.code == 0
    assert "stage 2, since" in ended.out
    assert "stage 3, not entered yet:" in ended.out
    assert "[x] criteria" in ended.out
    assert "[ ] first_hour" in ended.out


def test_a_tick_has_a_name_and_can_be_taken_back(run: Command) -> None:
    ticked = items(run("checklist", "--tick", "first_hour", "--json").document, 2)["first_hour"]
    assert (ticked["done"], "@" in ticked["by"]) == (True, True)
    back = items(run("checklist", "--untick", "first_hour", "--json").document, 2)["first_hour"]
    assert (back["done"], back["by"]) == (False, None)


def test_a_dry_run_ticks_itself_and_a_promotion_closes_the_list(run: Command) -> None:
    run("promote", "--dry-run")
    assert items(run("checklist", "--json").document, 3)["dry_run"]["done"]
    assert run("promote", "--yes").code == 0
    document = run("checklist", "--json").document
    assert document["stage"] == 3
    now = items(document, 3)
    assert now["criteria"]["by"] == "program"
    assert "error" in now["criteria"]["evidence"]
    assert now["applied"]["done"]
    (closed,) = run("checklist", "--stage", "2", "--json").document["lists"]
    assert closed["closed"]
    assert not items({"lists": [closed]}, 2)["first_hour"]["done"]
    said = run("checklist", "--stage", "2").out
    assert "[?] first_hour" in said
    assert "(nobody looked while the stage lasted)" in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--tick", "coffee"], 2, 'no item "coffee"'),
        (["--tick", "a", "--untick", "b"], 2, "exclude each other"),
        (["--stage", "9"], 2, "There is no stage 9"),
        (["--tick", "alerts", "--stage", "3"], 2, "not entered yet"),
        (["--untick", "recorded", "--stage", "2"], 2, "known by the program"),
    ],
)
def test_what_cannot_be_ticked_is_one_sentence(
    run: Command, arguments: list[str], code: int, said: str
) -> None:
    ended = run("checklist", *arguments)
    assert (ended.code, said in ended.err) == (code, True)


def test_read_only_shows_and_ticks_nothing(command: Command, healthy_cloud: Cloud) -> None:
    path = str(healthy_cloud.plan_path)
    assert command("--read-only", "checklist", "--config", path).code == 0
    assert command("--read-only", "checklist", "--tick", "alerts", "--config", path).code == 4


def test_a_stage_that_was_never_visited_says_so(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("checklist", "--stage", "5", "--config", str(healthy_cloud.plan_path))
    assert (ended.code, "never visited" in ended.out) == (0, True)
