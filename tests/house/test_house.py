"""The rules of the house that tools can hold: style, types, layers, and what is not committed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_tool(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run_tool("ruff", "check", "--no-cache", ".")


def test_the_format_is_ruffs() -> None:
    run_tool("ruff", "format", "--check", "--no-cache", ".")


def test_types_hold_under_mypy_strict() -> None:
    run_tool("mypy")


def test_the_layers_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ci_runs_the_readmes_test_command() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^python3 -m venv .*pytest.*$", readme, re.MULTILINE)
    assert len(commands) == 1
    assert commands[0] in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("package", ["canary", "tui", "widgets", "themes"])
def test_no_module_is_named_after_nothing_in_particular(package: str) -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}
    assert not [p for p in (ROOT / package).rglob("*.py") if p.stem in vague]
