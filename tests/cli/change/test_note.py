"""`canary note`: for everybody, in the events, and open until it is done."""

from __future__ import annotations

from collections.abc import Callable

from tests.cli.commands import Cloud
from tests.cli.conftest import Command

Open = Callable[..., Cloud]


def test_notes_are_kept_listed_and_done(command: Command, open_cloud: Open) -> None:
    cloud = open_cloud()

    def run(*arguments: str):
        return command(*arguments, "--config", str(cloud.plan_path))

    assert "Nothing was noted" in run("note").out
    assert run("note", "TODO: drop the index").code == 0
    assert run("note", "the cache is warm").code == 0
    shown = run("note", "--list")
    assert "note: the cache is warm" in shown.out
    assert shown.out.count("still open") == 1
    assert run("note", "DONE: drop the index").code == 0
    listed = run("note", "--json").document
    assert [one["open"] for one in listed] == [False, False, False]
    assert [one["todo"] for one in listed] == [False, False, True]
    assert "the cache is warm" in run("log").out
    assert "note: the cache is warm" in run("report").out
