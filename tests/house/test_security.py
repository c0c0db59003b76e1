"""docs/security.md names tests that exist, and each of its lines has one."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))
LINES = [line for line in TEXT.splitlines() if line.startswith("| ") and "held by" not in line]


def test_there_are_lines():
    assert len(LINES) >= 20


@pytest.mark.parametrize("named", NAMED)
def test_every_attack_is_a_test_that_is_there(named: str):
    file, _, name = named.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    there = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in there or not name


@pytest.mark.parametrize("line", LINES)
def test_every_line_is_held_by_a_test(line: str):
    assert re.search(r"\| `tests/", line), line


def test_the_repository_holds_no_secret():
    """The part of scripts/audit that needs no network."""
    audit = (ROOT / "scripts/audit").read_text()
    forms = "|".join(re.findall(r"""^forms=(?:'|"\$forms\|)(.*)['"]$""", audit, re.MULTILINE))
    assert forms.count("|") >= 8
    found = subprocess.run(
        ["git", "grep", "-nIE", forms], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1, found.stdout
