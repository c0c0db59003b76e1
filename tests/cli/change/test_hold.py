"""`canary hold | release` from the shell: for everybody, and only in the way of a promotion."""

from __future__ import annotations

from collections.abc import Callable

from tests.cli.commands import Cloud
from tests.cli.conftest import Command

Open = Callable[..., Cloud]


def test_a_hold_blocks_promotion_for_every_host_until_it_is_released(
    command: Command, open_cloud: Open
) -> None:
    cloud = open_cloud(soaked_hours=25.0)

    def run(*arguments: str):
        return command(*arguments, "--config", str(cloud.plan_path))

    assert run("hold", "--until", "2h").code == 2
    assert "is no time" in run("hold", "--until", "noon", "--reason", "x").err
    dry = run("hold", "--until", "2h", "--reason", "the database moves", "--dry-run")
    assert (dry.code, "held by" in dry.out) == (0, True)
    held = run("hold", "--until", "2h", "--reason", "the database moves", "--json")
    assert (held.code, held.document["outcome"]["state"]) == (0, "done")
    # Whoever looks from elsewhere sees it: nothing of it is kept on this host alone.
    document = run("status", "--json").document
    assert document["hold"]["reason"] == "the database moves"
    assert document["state"]["id"] == "held"
    assert "HELD until" in run("status", "--line").out
    assert "! Held by" in run("status").out
    for force in ((), ("--force", "--reason", "now")):
        refused = run("promote", "--yes", *force)
        assert (refused.code, "because the database moves" in refused.err) == (4, True)
    assert run("log").out.count("because the database moves") == 1
    assert run("rollback", "--yes").code == 0
    assert run("release", "--yes", "--reason", "done").code == 0
    assert run("status", "--json").document["hold"] is None
    again = run("release", "--yes")
    assert (again.code, "Nothing is held" in again.err) == (4, True)


def test_a_freeze_of_the_plan_blocks_promotion_and_force_passes_it(
    command: Command, open_cloud: Open
) -> None:
    cloud = open_cloud(soaked_hours=25.0)
    plan = cloud.plan_path
    plan.write_text(f'{plan.read_text()}\n[[freeze]]\nname = "a fair"\n')

    def run(*arguments: str):
        return command(*arguments, "--config", str(plan))

    assert run("status", "--json").document["freeze"] == {"until": None, "reason": "a fair"}
    refused = run("promote", "--yes")
    assert (refused.code, "because a fair" in refused.err) == (4, True)
    assert run("promote", "--yes", "--force", "--reason", "the fair is off").code == 0
