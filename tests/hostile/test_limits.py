"""What the shell's limits leave too little of is one sentence, before anything is sent."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from canary.cli import commands
from canary.host.limits import MORE_FILES, TOO_FEW_FILES, TOO_LITTLE_MEMORY
from tests.hostile.environments import PLAN
from tests.long import spread

ADDRESSES = """
[target.endpoints]
run = "https://localhost:9"
monitoring = "https://localhost:9"
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    real = PLAN.read_text().replace('provider = "local"', 'provider = "gcp"')
    (tmp_path / "canary.toml").write_text(real + ADDRESSES)
    for name in ("config", "state", "home"):
        (tmp_path / name).mkdir(mode=0o700)
    trust = tmp_path / "config" / "trust.toml"
    trust.write_text('hosts = ["localhost"]\n')
    trust.chmod(0o600)
    return tmp_path


def run(here: Path, limit: str, *command: str) -> tuple[int, str]:
    """A command under a limit of a shell; nobody answers at the plan's addresses.

    The shell sets it, and nothing of this process is run in the child: gRPC's threads may be here.
    """
    program = (sys.executable, "-P", "-m", "canary.cli.main", *command)
    ended = subprocess.run(
        ["/bin/sh", "-c", f'{limit} && exec "$@"', "sh", *program],
        cwd=here,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(here / "home"),
            "LC_ALL": "C.UTF-8",
            "CANARY_STATE_DIR": str(here / "state"),
            "CANARY_CONFIG_DIR": str(here / "config"),
            "NO_GCE_CHECK": "true",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("descriptors", spread([8, 10, 12, 14, 16, 20], [8, 12, 20]))
@pytest.mark.parametrize("command", [("status",), ("rollback", "--all", "--yes", "--no-wait")])
def test_too_few_file_descriptors_are_one_sentence(
    here: Path, command: tuple[str, ...], descriptors: int
) -> None:
    code, said = run(here, f"ulimit -n {descriptors}", *command)
    assert code == 3, said
    assert TOO_FEW_FILES in said
    assert MORE_FILES in said
    assert "Traceback" not in said


def test_a_soft_limit_alone_is_raised(here: Path) -> None:
    code, said = run(here, "ulimit -Sn 12 && ulimit -Hn 4096", "status")
    assert code == 3, said
    assert "credentials" in said
    assert "Too many open files" not in said
    assert TOO_FEW_FILES not in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), TOO_FEW_FILES),
        (OSError(errno.ENFILE, os.strerror(errno.ENFILE)), TOO_FEW_FILES),
        (MemoryError(), TOO_LITTLE_MEMORY),
    ],
)
def test_what_runs_out_on_the_way_is_no_mistake_of_this_program(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    said: str,
) -> None:
    def run_out(*_: object) -> None:
        raise error

    monkeypatch.setattr("canary.cli.commands.import_module", run_out)
    assert commands.run(["status"]) == 3
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("mebibytes", [200, 300, 390])
def test_too_little_address_space_is_one_sentence(here: Path, mebibytes: int) -> None:
    code, said = run(here, f"ulimit -v {mebibytes * 1024}", "status")
    assert code == 3, said
    assert TOO_LITTLE_MEMORY in said
    assert "Traceback" not in said
