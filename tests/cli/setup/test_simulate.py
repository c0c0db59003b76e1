"""`canary simulate`: the embedded cloud alone, reached by a plan's endpoints, gone when it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import DEFAULT_PLAN, ROOT
from tests.cli.conftest import Command


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_a_plan_with_endpoints_and_leaves_nothing_behind(
    command: Command, tmp_path: Path, number: signal.Signals
) -> None:
    alone = subprocess.Popen(
        [sys.executable, "-m", "canary.cli.main", "simulate", "--json", "--stage", "3"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert alone.stdout is not None
    assert alone.stderr is not None
    with alone.stdout, alone.stderr:
        ready = json.loads(alone.stdout.readline())
        grpc = f"http://{ready['grpc']}"
        plan = tmp_path / "canary.toml"
        plan.write_text(
            f'{DEFAULT_PLAN}\n[target.endpoints]\nrun = "{grpc}"\nmonitoring = "{grpc}"\n'
        )
        document = command("status", "--json", "--config", str(plan)).document
        assert (document["stage"]["index"], document["traffic"]["canary"]) == (3, 25)
        assert document["decision"]["verdict"] == "continue"
        alone.send_signal(number)
        assert alone.wait(20) == 0
        assert alone.stderr.read() == ""
    with pytest.raises(ProcessLookupError):
        os.kill(ready["pid"], 0)


def test_a_stage_that_the_plan_has_not_is_refused(command: Command) -> None:
    ended = command("simulate", "--stage", "9", "--config", str(ROOT / "canary.toml"))
    assert (ended.code, "There is no stage 9" in ended.err) == (2, True)
