"""`canary fleet`: files, folders, projects; one line, JSON, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import Cloud
from tests.cli.conftest import Command


def test_a_plan_is_a_row_and_the_line_below_sums_up(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("fleet", str(healthy_cloud.plan_path))
    assert ended.out.splitlines()[0].split()[:3] == ["state", "rollout", "stage"]
    assert "✓ HEALTHY" in ended.out
    assert "ion-api-canary" in ended.out
    assert ended.out.splitlines()[-1] == "✓ 1 rollout, none needs you"
    assert ended.code == 0


def test_the_worst_makes_the_exit_code(
    command: Command, healthy_cloud: Cloud, open_cloud: Callable[..., Cloud]
) -> None:
    bad = open_cloud("error-spike")
    ended = command("fleet", "--line", str(healthy_cloud.plan_path), str(bad.plan_path))
    assert ended.code == 20
    # Both are called the same, in the same place: the plan's folder tells them apart.
    name = f"ion-api-canary @{bad.plan_path.parent.name}"
    assert ended.out.startswith(f"✗ 1 of 2 need you: {name} ROLL BACK ALL")


def test_as_json_each_rollout_is_a_document(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("fleet", "--json", str(healthy_cloud.plan_path))
    [row] = ended.document
    assert row["state"] in ("healthy", "ready")
    assert (row["stage"], row["percent"], row["look_only"]) == (2, 10, False)
    assert row["plan"] == str(healthy_cloud.plan_path)


def test_a_folder_and_a_glob_name_the_plans_in_them(
    command: Command, healthy_cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / "plans" / name).mkdir(parents=True)
        plan = tmp_path / "plans" / name / "canary.toml"
        plan.write_text(healthy_cloud.plan_path.read_text())
    # Both are of one rollout, and the same: it is one row.
    assert len(command("fleet", "--json", str(tmp_path / "plans")).document) == 1
    monkeypatch.chdir(tmp_path)
    assert len(command("fleet", "--json", "plans/*/canary.toml").document) == 1


def test_a_plan_that_cannot_be_read_is_a_row_that_says_so(
    command: Command, healthy_cloud: Cloud, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[target]\n")
    ended = command("fleet", str(broken), str(healthy_cloud.plan_path))
    assert ended.code == 30
    assert "? CANNOT SEE" in ended.out
    assert "✓ HEALTHY" in ended.out


def test_where_no_plan_can_be_read_the_rows_say_why(command: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[target]\n")
    ended = command("fleet", "--json", str(broken))
    assert ended.code == 30
    [row] = ended.document
    assert "project" in row["cause"]


def test_a_project_is_listed_from_a_folder_without_a_plan(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    ended = command("fleet", "--project", "some-project", "--json")
    assert ended.code == 30
    [row] = ended.document
    assert row["where"].startswith("some-project/")


def test_without_plan_and_project_there_is_nothing_to_list(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = command("fleet")
    assert ended.code == 2
    assert "no plan here" in ended.err


@pytest.mark.parametrize("two", [("--line", "--json"), ("--watch", "--json")])
def test_one_form_at_a_time(command: Command, healthy_cloud: Cloud, two: tuple[str, str]) -> None:
    ended = command("fleet", *two, str(healthy_cloud.plan_path))
    assert ended.code == 2
    assert "exclude each other" in ended.err


def test_a_region_without_a_project_is_wrong_usage(command: Command) -> None:
    assert command("fleet", "--region", "us-central1").code == 2


def test_a_filter_that_nothing_fits_is_no_all_clear(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("fleet", "--line", "--filter", "-l team=none", str(healthy_cloud.plan_path))
    assert ended.code == 30
    assert "None of 1 rollouts fits the filter" in ended.err


def test_one_broken_plan_among_many_is_one_row(
    command: Command, healthy_cloud: Cloud, tmp_path: Path
) -> None:
    broken = tmp_path / "plans" / "broken" / "canary.toml"
    broken.parent.mkdir(parents=True)
    broken.write_text("[target]\nproject = 3\n")
    rows = command("fleet", "--json", str(broken), str(healthy_cloud.plan_path)).document
    lost = next(row for row in rows if row["state"] is None)
    assert (lost["name"], lost["where"], lost["plan"]) == ("broken", "", str(broken))
    assert "target.project" in lost["cause"]
    assert len(rows) == 2
