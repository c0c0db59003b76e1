"""Every command under every hostile environment: none exits 70, none prints a traceback.

The plan's addresses are TLS ones that nobody serves: all that clients are built from is built, and
nothing leaves this host.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.forked import run_forked
from tests.hostile.environments import PLAN, Case, cases

CANARY = (sys.executable, "-P", "-m", "canary.cli.main")
COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "doctor": ("doctor",),
    "rollback": ("rollback", "--all", "--yes", "--no-wait"),
}
ENDPOINTS = """
[target.endpoints]
run = "https://localhost:9"
monitoring = "https://localhost:9"
logging = "https://localhost:9"
"""
GOOD = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/x",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://localhost:9/token",
    "credential_source": {"file": "/dev/null"},
}
LIMIT_S = 60
SHOWN = b"\x1b[?1049h"
"""The console's first frame begins with the alternate screen."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("environments")
    real = PLAN.read_text().replace('provider = "local"', 'provider = "gcp"')
    (directory / "canary.toml").write_text(real + ENDPOINTS)
    for name in ("config", "state", "home"):
        (directory / name).mkdir(mode=0o700)
    trust = directory / "config" / "trust.toml"
    trust.write_text('hosts = ["localhost"]\n')
    trust.chmod(0o600)
    (directory / "good.json").write_text(json.dumps(GOOD))
    return directory


def environment(here: Path, case: Case) -> dict[str, str]:
    usual: dict[str, str | None] = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(here / "home"),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "CANARY_STATE_DIR": str(here / "state"),
        "CANARY_CONFIG_DIR": str(here / "config"),
        "GOOGLE_APPLICATION_CREDENTIALS": str(here / "good.json"),
        "NO_GCE_CHECK": "true",
    }
    return {k: v for k, v in {**usual, **case.variables}.items() if v is not None}


def run(here: Path, case: Case, command: tuple[str, ...]) -> tuple[int, str]:
    """Its exit code and what it said. From its start on where Python itself goes by the variables,
    and for one command in each kind of environment.
    """
    is_pythons = any(name.startswith(("PYTHON", "LC_")) for name in case.variables)
    if not is_pythons and not (case.stands_for_its_kind and command[0] == "rollback"):
        forked = run_forked(command, here, environment(here, case))
        return forked.returncode, (forked.stdout + forked.stderr).decode(errors="replace")
    ended = subprocess.run(
        [*CANARY, *command],
        cwd=here,
        env=environment(here, case),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
    )
    return ended.returncode, ended.stdout.decode(errors="replace")


def assert_civil(code: int, said: str, case: Case) -> None:
    assert code != 70, (case.name, said[-2000:])
    assert "Traceback" not in said, (case.name, said[-3000:])
    assert "A mistake in this program" not in said, (case.name, said[-2000:])


@pytest.mark.parametrize("command", COMMANDS)
def test_no_environment_is_a_mistake_of_this_program(here: Path, command: str) -> None:
    chosen = [c for c in cases(here) if c.stands_for_its_kind or command == "status"]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda case: run(here, case, COMMANDS[command]), chosen))
    for case, (code, said) in zip(chosen, ended, strict=True):
        assert_civil(code, said, case)
        assert code == (1 if command == "doctor" else 3), (case.name, said[-2000:])
        if command == "status":
            assert case.names in said, (case.name, said[-2000:])


@contextlib.contextmanager
def console(
    here: Path, case: Case, **streams: int
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    master, slave = pty.openpty()
    with subprocess.Popen(
        CANARY,
        cwd=here,
        env=environment(here, case),
        **{"stdin": slave, "stdout": slave, "stderr": slave, **streams},
        start_new_session=True,
    ) as process:
        os.close(slave)
        try:
            yield process, master
        finally:
            process.kill()
            os.close(master)


def read_until(master: int, process: subprocess.Popen[bytes], sign: bytes) -> str:
    """What it writes up to `sign` or its end."""
    seen, until = b"", time.monotonic() + LIMIT_S
    while sign not in seen and time.monotonic() < until:
        if select.select([master], [], [], 0.1)[0]:
            try:
                seen += os.read(master, 65_536)
            except OSError:  # its end, on Linux
                break
        elif process.poll() is not None:
            break
    return seen.decode(errors="replace")


def start_console(here: Path, case: Case) -> tuple[int, str]:
    """Its exit code, or 0 once it draws, and what it said."""
    with console(here, case) as (process, master):
        said = read_until(master, process, SHOWN)
        return (0 if SHOWN.decode() in said else process.wait(LIMIT_S)), said


def test_the_console_opens_or_says_in_a_sentence_why_not(here: Path) -> None:
    chosen = [case for case in cases(here) if case.stands_for_its_kind]
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda case: start_console(here, case), chosen))
    refused = {"ASCII", "Latin-1"}
    for case, (code, said) in zip(chosen, ended, strict=True):
        assert_civil(code, said, case)
        assert code == (2 if case.name in refused else 0), (case.name, said[-2000:])
        if case.name in refused:
            assert "LC_ALL=C.UTF-8" in said


def test_the_console_refuses_to_run_blind(here: Path, tmp_path: Path) -> None:
    with (
        (tmp_path / "errors").open("wb") as file,
        console(here, Case("2>file", {}), stderr=file.fileno()) as (process, _),
    ):
        code = process.wait(LIMIT_S)
    said = (tmp_path / "errors").read_text()
    assert code == 2
    assert re.fullmatch(r"canary: The console is drawn on standard error[^\n]*\n", said)


NOBODY = """
import pwd, sys
def nobody(uid):
    raise KeyError(uid)
pwd.getpwuid = nobody
from canary.cli.commands import run
from canary.cloud.connection import calls
calls.FIRST_WAIT_S = 0.0
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_user_without_a_home_and_an_entry_in_passwd_is_told_so(here: Path, command: str) -> None:
    bare = {"HOME": None, "CANARY_STATE_DIR": None, "PYTHONPATH": str(PLAN.parent)}
    case = Case("nobody", bare)
    ended = subprocess.run(
        [sys.executable, "-c", NOBODY, *COMMANDS[command]],
        cwd=here,
        env=environment(here, case),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT_S,
        check=False,
    )
    said = ended.stdout.decode()
    assert_civil(ended.returncode, said, case)
    assert ended.returncode == (1 if command == "doctor" else 3)
    assert "no home directory" in said or command == "rollback"
    assert not (here / "~").exists()
