"""Running the real commands: in this process, as a process of their own, or at a terminal."""

from __future__ import annotations

import atexit
import json
import os
import pty
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from canary.cloud.embedded.process import build_config
from canary.rollout.plan.file import load_plan
from tests.forked import ForkedCommand, begin_command, run_forked

ROOT = Path(__file__).parents[2]
DEFAULT_PLAN = (
    (ROOT / "canary.toml").read_text().replace("after_change = true", "after_change = false")
)
"""Without the verification after each change: it has tests of its own."""
LATER_S = 900.0
"""So long before now the clouds of these tests begin; then they jump to now."""


class Cloud(msgspec.Struct, frozen=True):
    """An embedded cloud in another process, and a plan that reaches it by its endpoints."""

    plan_path: Path
    control: str

    def post(self, path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.control}/_cloud/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@contextmanager
def running_cloud(directory: Path, scenario: str = "healthy", **config: Any) -> Iterator[Cloud]:
    """A cloud at the wall clock's time, whose scenario has been on for a quarter of an hour."""
    told = {
        **build_config(load_plan(ROOT / "canary.toml"), None),
        "leases": False,
        "speed": 1.0,
        "operation_s": 0.0,
        "scenario": scenario,
        "start_unix": time.time() - LATER_S,
        **config,
    }
    host = _cloud_host()
    served = _ask(host, told)
    try:
        plan = directory / "canary.toml"
        grpc, rest = served["grpc"], served["http"]
        plan.write_text(
            f'{DEFAULT_PLAN}\n[target.endpoints]\nrun = "{grpc}"\nmonitoring = "{grpc}"\n'
            f'compute = "{rest}"\nartifact_registry = "{rest}"\nbigquery = "{rest}"\n'
        )
        cloud = Cloud(plan, rest)
        cloud.post("clock", {"advance_s": LATER_S})
        yield cloud
    finally:
        _ask(host, served["http"])


@cache
def _cloud_host() -> subprocess.Popen[str]:
    """The process that all clouds of these tests run in; it ends at its input's end, with them."""
    host = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.cloud_host"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(host.communicate)
    return host


def _ask(host: subprocess.Popen[str], told: Any) -> dict[str, str]:
    assert host.stdin is not None
    assert host.stdout is not None
    host.stdin.write(json.dumps(told) + "\n")
    host.stdin.flush()
    answer: dict[str, str] = json.loads(host.stdout.readline())
    return answer


class Ended(msgspec.Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str = ""

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def run_process(
    arguments: Sequence[str], cwd: Path, state: Path, *before: str, from_the_start: bool = False
) -> Ended:
    """The command as a process without a terminal; `before`: options of Python itself."""
    if not before and not from_the_start:
        forked = run_forked(arguments, cwd, environment(state))
        return Ended(forked.returncode, forked.stdout.decode(), forked.stderr.decode())
    done = subprocess.run(
        [sys.executable, *before, "-m", "canary.cli.main", *arguments],
        cwd=cwd,
        env=environment(state),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def run_at_terminal(
    arguments: Sequence[str], cwd: Path, state: Path, typed: str, *, from_the_start: bool = False
) -> Ended:
    """The command at a terminal of its own, with what a person types."""
    master, process = begin_at_terminal(arguments, cwd, state, from_the_start=from_the_start)
    os.write(master, typed.encode())
    shown = _read_all(master)
    os.close(master)
    return Ended(process.wait(60), shown)


def begin_at_terminal(
    arguments: Sequence[str], cwd: Path, state: Path, *, from_the_start: bool = False
) -> tuple[int, ForkedCommand | subprocess.Popen[bytes]]:
    """The command at a terminal of its own, and the person's side of it."""
    master, slave = pty.openpty()
    process: ForkedCommand | subprocess.Popen[bytes]
    if from_the_start:
        process = subprocess.Popen(
            [sys.executable, "-m", "canary.cli.main", *arguments],
            cwd=cwd,
            env=environment(state),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
    else:
        process = begin_command(arguments, cwd, environment(state), (slave, slave, slave))
    os.close(slave)
    return master, process


def _read_all(fd: int) -> str:
    """All that is shown until the terminal is left, within a minute."""
    shown = b""
    while select.select([fd], [], [], 60)[0]:
        try:
            piece = os.read(fd, 4096)
        except OSError:  # Linux's way to say that nobody has it open any more
            break
        if not piece:
            break
        shown += piece
    return shown.decode(errors="replace")


def environment(state: Path) -> dict[str, str]:
    """Of a command with this state directory."""
    return {
        **os.environ,
        "CANARY_STATE_DIR": str(state),
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "GRPC_VERBOSITY": "NONE",
    }
