"""`canary load-test`: usage, refusals, and one short run with real Locust as a user starts it."""

from __future__ import annotations

import json
import os
import select
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from canary.engine.jobs.load_process import INSTALL
from tests.cli.commands import DEFAULT_PLAN, begin_at_terminal, run_process
from tests.cli.conftest import Command

LAX = "max_p95_ms = 600_000.0\nmin_success_ratio = 0.5 "
# Three minutes of the cloud's are three seconds here; users that hardly wait.
PLAN = (
    DEFAULT_PLAN.replace("\nstage = 2", "\nstage = 4")
    .replace("\nmin_requests = 100", "\nmin_requests = 10")
    .replace("\nmax_error_ratio = 0.02 ", "\nmax_error_ratio = 0.5 ")
    .replace("max_p95_ms = 20_000.0\nmin_success_ratio = 0.91 ", LAX)
    + """
[load_test.profiles.quick]
min_wait_s = 0.02
max_wait_s = 0.06
[[load_test.profiles.quick.requests]]
path = "/chat"
method = "POST"
"""
)
SHORT = ("load-test", "--users", "5", "--spawn-rate", "5", "--duration", "3m", "--profile", "quick")
needs_locust = pytest.mark.skipif(find_spec("locust") is None, reason="Locust is not installed")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "canary.toml").write_text(PLAN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@needs_locust
def test_a_short_test_passes_and_is_written(place: Path, state_dir: Path) -> None:
    ended = run_process(SHORT, place, state_dir)
    assert (ended.code, ended.err.count("Traceback")) == (0, 0)
    assert "✓ PASSED: 5 users, 3 m, " in ended.out
    document = json.loads((place / "outputs" / "load_test_summary.json").read_text())
    assert document["status"] == "PASSED"
    assert (document["stage"], document["canary_percent"]) == (4, 50)
    assert document["canary"]["requests"] >= 10
    assert document["legacy"]["requests"] >= 10


@needs_locust
def test_as_json_only_the_document_is_on_standard_output(place: Path, state_dir: Path) -> None:
    ended = run_process((*SHORT, "--json"), place, state_dir)
    assert ended.document["profile"] == "quick"


@needs_locust
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_and_it_failed(
    place: Path, state_dir: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, shown = run_until(b" users  ", number, place, state_dir)
    assert code == 130
    assert "FAILED: was stopped after" in shown
    document = json.loads((place / "outputs" / "load_test_summary.json").read_text())
    assert (document["status"], document["ended"]) == ("FAILED", "stopped")


def run_until(marker: bytes, number: signal.Signals, place: Path, state: Path) -> tuple[int, str]:
    """Run a long test at a terminal, send a signal once the marker is shown; code and all shown."""
    master, process = begin_at_terminal(["load-test", "--duration", "10h"], place, state)
    shown, sent = b"", False
    while select.select([master], [], [], 60)[0]:
        try:
            piece = os.read(master, 4096)
        except OSError:  # Linux's way to say that nobody has it open any more
            break
        shown += piece
        if marker in shown and not sent:
            process.send_signal(number)
            sent = True
    os.close(master)
    return process.wait(60), shown.decode(errors="replace")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--users", "0"), "--users"),
        (("--spawn-rate", "0"), "--spawn-rate"),
        (("--duration", "soon"), "no length of time"),
        (("--duration", "0s"), "not between 1s and 7d"),
        (("--profile", "heavy"), "Known: light, quick"),
    ],
)
def test_wrong_usage_is_one_sentence(
    command: Command, place: Path, arguments: tuple[str, ...], said: str
) -> None:
    ended = command("load-test", *arguments)
    assert ended.code == 2
    assert said in ended.err


def test_read_only_refuses_it(command: Command, place: Path) -> None:
    ended = command("--read-only", "load-test")
    assert ended.code == 4
    assert "read-only" in ended.err


def test_without_locust_nothing_is_started(
    command: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canary.engine.jobs.load_process.find_spec", lambda _: None)
    ended = command("load-test")
    assert ended.code == 3
    assert ended.err == (f"canary: Locust (it makes the load) is not installed. Run `{INSTALL}`.\n")
    assert not (place / "outputs").exists()
