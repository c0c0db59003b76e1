"""`canary mark-irreversible`: on Canary's service, seen by all; the rollback asks for its name."""

from __future__ import annotations

from collections.abc import Callable

from tests.cli.commands import Cloud
from tests.cli.conftest import Command

Open = Callable[..., Cloud]


def test_a_mark_is_shown_everywhere_and_a_rollback_says_it(
    command: Command, open_cloud: Open
) -> None:
    cloud = open_cloud()

    def run(*arguments: str):
        return command(*arguments, "--config", str(cloud.plan_path))

    assert run("mark-irreversible").code == 2
    assert run("mark-irreversible", "x", "--clear").code == 2
    assert run("mark-irreversible", "schema 42").code == 0
    document = run("status", "--json").document
    assert document["irreversible"]["what"] == "schema 42"
    assert document["irreversible"]["revision"]
    assert "! IRREVERSIBLE: schema 42, marked by" in run("status").out
    assert "IRREVERSIBLE: schema 42" in run("status", "--line").out
    # Whoever told it not to ask is warned even so; a rollback is never refused.
    back = run("rollback", "--yes")
    assert (back.code, "IRREVERSIBLE: schema 42" in back.err) == (0, True)
    assert run("mark-irreversible", "--clear", "--yes").code == 2
    assert run("mark-irreversible", "--clear", "--yes", "--reason", "restored").code == 0
    assert run("status", "--json").document["irreversible"] is None
