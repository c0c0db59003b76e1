"""Into production from the shell, and back: what is said before, what is true after."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

from canary.store.outputs import write_output
from tests.cli.commands import Cloud, run_at_terminal
from tests.cli.conftest import Command

Open = Callable[..., Cloud]
FORCE = ("--force", "--reason", "the soak is done elsewhere")


def at_half(open_cloud: Open) -> Cloud:
    """A rollout at stage 4, with an A/B test that approves."""
    cloud = open_cloud(stage=4, percent=50, record="")
    groups = {
        "legacy": {"avg_response_time_ms": 450.0},
        "canary": {"avg_response_time_ms": 220.0},
    }
    path = cloud.plan_path.parent / "outputs" / "ab_test_analysis.json"
    write_output(path, {**groups, "summary": "51 % faster"})
    return cloud


def test_a_dry_run_shows_every_step_what_becomes_true_and_the_evidence(
    command: Command, open_cloud: Open
) -> None:
    cloud = at_half(open_cloud)
    ended = command("promote", "--dry-run", *FORCE, "--config", str(cloud.plan_path))
    assert ended.code == 0, ended
    for said in (
        "Canary's share: 50 % → 100 %",
        "canary mode: ended, production is ion-api-canary",
        "ion-api instances: 1 to 10 → 0 to 1",
        "In this order:",
        "Legacy (ion-api) is the backup",
        "enabled = false, stage = 5, percent = 100, production_service = ion-api-canary",
        "✓ A/B improvement 51.1 % > 10 %: 51 % faster",
        "gcloud run services update ion-api --min=0 --max=1",
    ):
        assert said in ended.out


def test_the_name_is_asked_for_after_what_becomes_true(open_cloud: Open, tmp_path: Path) -> None:
    cloud = at_half(open_cloud)
    arguments = ["promote", *FORCE, "--config", str(cloud.plan_path)]
    ended = run_at_terminal(arguments, tmp_path, tmp_path / "state", "ion-api-canary\n")
    assert ended.code == 0, ended
    before, _, after = ended.out.partition("Type ion-api-canary to confirm")
    assert "A/B improvement 51.1 %" in before
    assert "it is production, the canary mode has ended" in after.replace("\r\n", " ")


def test_a_legacy_that_serves_is_not_made_the_backup_where_nobody_is_asked(
    command: Command, open_cloud: Open
) -> None:
    cloud = at_half(open_cloud)
    backup = ("scale", "legacy", "--preset", "backup", "--yes", "--config", str(cloud.plan_path))
    ended = command(*backup)
    assert ended.code == 4
    assert "Legacy (ion-api) serves 50 %, and could not with 0 to 1 instances" in ended.err
    assert command(*backup, *FORCE).code == 0
    # Behind it, going back looks first.
    back = command("rollback", "--all", "--yes", "--config", str(cloud.plan_path))
    assert (back.code, "scaled first to take the traffic" in back.out) == (0, True)


def test_production_is_left_by_scaling_legacy_up_first(command: Command, open_cloud: Open) -> None:
    cloud = at_half(open_cloud)

    def run(*arguments: str):  # type: ignore[no-untyped-def]
        return command(*arguments, "--config", str(cloud.plan_path))

    assert run("promote", "--yes", *FORCE).code == 0
    written = tomllib.loads((cloud.plan_path.parent / "rollout.toml").read_text())["canary"]
    assert (written["enabled"], written["stage"], written["percent"]) == (False, 5, 100)
    assert written["production_service"] == "ion-api-canary"
    nothing = run("promote", "--yes")
    assert (nothing.code, "nothing is missing" in nothing.err) == (4, True)
    # Half of an approval undone by hand: asked again, it does what is missing and no more.
    assert run("scale", "legacy", "--preset", "production", "--yes").code == 0
    rest = run("promote", "--yes", "--json")
    assert rest.document["lines"] == ["ion-api instances: 1 to 10 → 0 to 1"]
    shown = run("rollback", "--to", "4", "--dry-run")
    assert "ion-api instances: 0 to 1 → 1 to 10" in shown.out
    assert "ion-api is in backup size" in shown.out
    off = run("rollback", "--all", "--yes")
    assert (off.code, "scaled first to take the traffic" in off.out) == (0, True)
