"""From the shell: what is not known is looked up, resumed, abandoned; what waits is withdrawn."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canary.store.presence import read_operator_sessions
from tests.cli.commands import Cloud, begin_at_terminal, environment
from tests.cli.conftest import Command
from tests.forked import ForkedCommand, begin_piped

Open = Callable[..., Cloud]
PATIENCE_S = 30.0


@pytest.fixture
def on(command: Command) -> Callable[..., Any]:
    """`on(cloud)("log")`: the command with the cloud's plan."""

    def bind(cloud: Cloud) -> Command:
        return lambda *arguments: command(*arguments, "--config", str(cloud.plan_path))

    return bind


def heal(cloud: Cloud) -> None:
    """Take every fault away."""
    import urllib.request

    request = urllib.request.Request(f"{cloud.control}/_cloud/faults", method="DELETE")  # noqa: S310
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def begin(cloud: Cloud, state_dir: Path, *arguments: str) -> ForkedCommand:
    """A command that goes on, as a process."""
    full = [*arguments, "--config", str(cloud.plan_path)]
    return begin_piped(full, cloud.plan_path.parent, environment(state_dir))


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def entries_of(run: Command) -> list[dict[str, Any]]:
    ended = run("log", "--json")
    # While the other process is just making the journal, it cannot be read yet.
    return ended.document if ended.code == 0 else []


def lose(cloud: Cloud, run: Command, state_dir: Path) -> str:
    """A rollback whose call is lost, and whose shell is interrupted while it is looked for."""
    cloud.post("faults", {"method": "UpdateService", "code": "UNAVAILABLE", "times": 1})
    process = begin(cloud, state_dir, "rollback", "--all", "--yes")

    def looks() -> bool:
        return any(n["state"] == "unknown" for e in entries_of(run) for n in e["notes"])

    until(looks)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 5
    return str(entries_of(run)[0]["id"])


def test_a_lost_rollback_is_found_not_done_and_resumed_once(
    on: Callable[..., Command], open_cloud: Open, state_dir: Path
) -> None:
    cloud = open_cloud()
    run = on(cloud)
    lost = lose(cloud, run, state_dir)
    listed = run("recover", "--json")
    assert (listed.code, [each["id"] for each in listed.document]) == (5, [lost])
    assert f"canary recover {lost}" in run("log").out
    found = run("recover", lost, "--json")
    assert (found.code, found.document["found"]) == (5, "not_done")
    resumed = run("recover", lost[:8], "--resume", "--json")
    assert (resumed.code, resumed.document["outcome"]["state"]) == (0, "done")
    assert run("recover").out == "No pending changes.\n"
    assert run("status", "--json").document["traffic"]["canary"] == 0
    assert run("recover", lost, "--resume").code == 0
    states = [n["state"] for n in entries_of(run)[0]["notes"] if n["state"] != "remark"]
    assert states == ["sent", "unknown", "resumed", "sent", "accepted", "settled"]


def test_a_lost_rollback_is_given_up(
    on: Callable[..., Command], open_cloud: Open, state_dir: Path
) -> None:
    cloud = open_cloud()
    run = on(cloud)
    lost = lose(cloud, run, state_dir)
    ended = run("recover", lost, "--abandon")
    assert (ended.code, "Canary is set to 10 % now." in ended.out) == (0, True)
    assert run("recover").code == 0


class AtTerminal:
    """A rollback at a terminal: it looks, asks, and Cloud Run goes away before the answer."""

    def __init__(self, cloud: Cloud, state_dir: Path) -> None:
        arguments = ["rollback", "--all", "--config", str(cloud.plan_path)]
        self.fd, self.process = begin_at_terminal(arguments, cloud.plan_path.parent, state_dir)
        self.shown = ""
        self.read_until("Do it?")
        cloud.post("faults", {"method": "GetService", "code": "UNAVAILABLE"})
        os.write(self.fd, b"y\n")
        self.read_until("waiting for Cloud Run since")

    def read_until(self, words: str) -> None:
        until(lambda: self._read() and words in self.shown)

    def end(self) -> int:
        code = self.process.wait(PATIENCE_S)
        self._read()
        os.close(self.fd)
        return code

    def _read(self) -> bool:
        while select.select([self.fd], [], [], 0)[0]:
            try:
                self.shown += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                break
        return True


def test_a_rollback_waits_for_cloud_run_and_goes_out_when_it_answers(
    on: Callable[..., Command], open_cloud: Open, state_dir: Path
) -> None:
    cloud = open_cloud()
    run = on(cloud)
    terminal = AtTerminal(cloud, state_dir)
    (entry,) = entries_of(run)
    assert entry["waiting_since"]
    assert f"canary log --withdraw {entry['id']}" in run("log").out
    heal(cloud)
    assert terminal.end() == 0
    assert "All traffic is on Legacy" in terminal.shown


def test_a_rollback_that_waits_is_withdrawn_from_another_shell(
    on: Callable[..., Command], open_cloud: Open, state_dir: Path
) -> None:
    cloud = open_cloud()
    run = on(cloud)
    terminal = AtTerminal(cloud, state_dir)
    (entry,) = entries_of(run)
    withdrawn = run("log", "--withdraw", entry["id"][:8])
    assert (withdrawn.code, "while it waited for Cloud Run" in withdrawn.out) == (0, True)
    assert terminal.end() == 130
    heal(cloud)
    assert run("status", "--json").document["traffic"]["canary"] == 10


def test_interrupted_while_it_waits_it_is_withdrawn(
    on: Callable[..., Command], open_cloud: Open, state_dir: Path
) -> None:
    cloud = open_cloud()
    run = on(cloud)
    terminal = AtTerminal(cloud, state_dir)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert entries_of(run)[0]["outcome"]["state"] == "abandoned"


def begin_while_away(cloud: Cloud, state_dir: Path, *more: str) -> ForkedCommand:
    """Roll back all, asked for while Cloud Run is away already; it has said that it waits."""
    cloud.post("faults", {"method": "GetService", "code": "UNAVAILABLE"})
    process = begin(cloud, state_dir, "rollback", "--all", "--yes", *more)
    assert process.stderr is not None
    where, said = process.stderr.readline(), process.stderr.readline()
    assert where.startswith("LOCAL CLOUD, naeda-genesis/us-central1"), where
    assert "Waiting for up to" in said, said
    return process


def test_begun_while_cloud_run_is_away_it_goes_out_when_it_answers(
    on: Callable[..., Command], open_cloud: Open, state_dir: Path
) -> None:
    cloud = open_cloud()
    run = on(cloud)
    process = begin_while_away(cloud, state_dir)
    seats = [
        s for place in state_dir.rglob("consoles") for s in read_operator_sessions(place.parent)
    ]
    assert [(s.kind, s.pid) for s in seats] == [("rollback", process.pid)]
    heal(cloud)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "answers again" in err, "on Legacy" in out) == (0, True, True)
    assert run("status", "--json").document["traffic"]["canary"] == 0


def test_interrupted_before_cloud_run_is_back_nothing_is_sent(
    on: Callable[..., Command], open_cloud: Open, state_dir: Path
) -> None:
    cloud = open_cloud()
    process = begin_while_away(cloud, state_dir)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "nothing was sent" in err) == (130, True)
    heal(cloud)
    assert entries_of(on(cloud)) == []


def test_it_waits_no_longer_than_it_was_told(open_cloud: Open, state_dir: Path) -> None:
    process = begin_while_away(open_cloud(), state_dir, "--wait", "1s")
    _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "did not come back within 1 s" in err) == (3, True)


def test_what_is_refused_is_not_waited_for(on: Callable[..., Command], open_cloud: Open) -> None:
    cloud = open_cloud()
    cloud.post("faults", {"method": "GetService", "code": "PERMISSION_DENIED"})
    ended = on(cloud)("rollback", "--all", "--yes")
    assert (ended.code, "Waiting" in ended.err) == (3, False)


def test_the_log_says_who_what_from_to_why_on_what_and_when(
    on: Callable[..., Command], open_cloud: Open
) -> None:
    run = on(open_cloud())
    assert run("rollback", "--yes", "--reason", "a hunch").code == 0
    (entry,) = run("log", "--json").document
    assert set(entry["who"]) == {"user", "host", "cloud_identity", "automatic"}
    assert entry["who"]["cloud_identity"]
    assert (entry["from"], entry["to"]) == (
        {"stage": 2, "percent": 10},
        {"stage": 1, "percent": 5},
    )
    assert (entry["why"], entry["who"]["automatic"]) == ("a hunch", False)
    assert entry["asked_at"] <= entry["sent_at"] <= entry["settled_at"]
    assert entry["outcome"]["state"] == "done"


def test_what_ended_cannot_be_withdrawn(on: Callable[..., Command], open_cloud: Open) -> None:
    run = on(open_cloud())
    run("rollback", "--yes")
    (entry,) = run("log", "--json").document
    refused = run("log", "--withdraw", entry["id"])
    assert (refused.code, "ended already: done" in refused.err) == (4, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rollback", "--wait", "5m", "--no-wait"), "exclude each other"),
        (("recover", "nothing"), "no change with the id nothing"),
        (("recover", "--resume"), "Which change?"),
        (("recover", "x", "--resume", "--abandon"), "exclude each other"),
        (("log", "--withdraw", "nothing"), "no change with the id nothing"),
    ],
)
def test_what_cannot_be_meant_is_said(
    on: Callable[..., Command], healthy_cloud: Cloud, arguments: tuple[str, ...], said: str
) -> None:
    ended = on(healthy_cloud)(*arguments)
    assert (ended.code, said in ended.err) == (2, True), ended


def test_read_only_nothing_is_resumed_or_withdrawn(command: Command, healthy_cloud: Cloud) -> None:
    path = str(healthy_cloud.plan_path)
    for arguments in (("recover", "x", "--resume"), ("log", "--withdraw", "x")):
        assert command("--read-only", "--config", path, *arguments).code == 4


def test_an_error_spike_is_rolled_back_by_the_guard(
    on: Callable[..., Command], open_cloud: Open, state_dir: Path
) -> None:
    cloud = open_cloud("error-spike")
    process = begin(cloud, state_dir, "guard", "--once", "--countdown", "5s", "--json")
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    said = [json.loads(line)["text"] for line in out.splitlines()]
    assert any("AUTOMATIC ROLLBACK in" in text for text in said)
    run = on(cloud)
    (entry,) = run("log", "--json").document
    assert (entry["kind"], entry["who"]["automatic"]) == ("rollback_all", True)
    assert entry["reason"].startswith("automatic rollback: ")
    assert run("status", "--json").document["traffic"]["canary"] == 0


def test_a_guard_with_nothing_to_do_says_so_and_ends(
    on: Callable[..., Command], healthy_cloud: Cloud
) -> None:
    ended = on(healthy_cloud)("guard", "--once")
    assert (ended.code, "nothing to act on: continue" in ended.out) == (0, True), ended


def test_a_guard_ends_when_it_is_asked_to(open_cloud: Open, state_dir: Path) -> None:
    process = begin(open_cloud(), state_dir, "guard")
    assert process.stdout is not None
    assert "ARMED" in process.stdout.readline()
    os.kill(process.pid, signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "nobody guards from here any more" in out
