"""`canary diff`: what differs, as a table and as JSON; looking ticks the next stage's checklist."""

from __future__ import annotations

from tests.cli.commands import Cloud
from tests.cli.conftest import Command


def test_the_differences_are_said_and_looked_at(command: Command, healthy_cloud: Cloud) -> None:
    def run(*arguments: str):
        return command(*arguments, "--config", str(healthy_cloud.plan_path))

    shown = run("diff")
    assert shown.code == 0
    assert shown.out.startswith("differs: image, commit, ")
    assert "env ION_MODEL" in shown.out
    assert "secret DATABASE_URL" in shown.out
    assert "LOG_LEVEL" not in shown.out
    assert "LOG_LEVEL" in run("diff", "--all").out
    document = run("diff", "--json").document
    rows = {row["field"]: row for row in document["rows"]}
    assert rows["ION_MODEL"]["canary"] == "changed"
    assert rows["LOG_LEVEL"]["differs"] is False
    assert document["unknown"] is None
    lists = run("checklist", "--json").document
    assert "differences looked at" in str(lists)
    assert "canary diff" in str(lists)
