"""docs/security.md names tests that exist, and each of its lines has one."""

import ast
import contextlib
import re
import subprocess
import zlib
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


def secret_forms() -> str:
    """What scripts/audit looks for, as one expression for grep, git and re alike."""
    audit = (ROOT / "scripts/audit").read_text()
    forms = re.findall(r"""^forms=(?:'|"\$forms\|)(.*)['"]$""", audit, re.MULTILINE)
    assert len(forms) >= 8
    return "|".join(forms)


def test_the_repository_holds_no_secret():
    """The part of scripts/audit that needs no network; binary files are read as text."""
    found = subprocess.run(
        ["git", "grep", "-naE", secret_forms()], cwd=ROOT, capture_output=True, check=False
    )
    assert found.returncode == 1, found.stdout


def test_what_is_packed_in_a_recording_holds_no_secret():
    """Of which neither git nor grep sees anything."""
    body, bodies = (ROOT / "docs/example.recording").read_bytes(), list[bytes]()
    for begin in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", body):
        with contextlib.suppress(zlib.error):
            bodies.append(zlib.decompressobj().decompress(body[begin.start() :]))
    assert sum(map(len, bodies)) > len(body)
    assert not re.search(secret_forms().encode(), b"\n".join(bodies))


@pytest.mark.parametrize(
    "secret",
    [
        "ya29." + "a" * 40,
        "1//0" + "g" * 40,
        "MII" + "E" * 60,
        "b3BlbnNzaC1rZXktdjE" + "A" * 44,
        "private_key_id" + '": "' + "0" * 40,
        "github_pat_" + "1" * 60,
        "glsa_" + "x" * 32,
        "https://discord.com/api/webhooks/" + "1" * 18 + "/" + "w" * 60,
        "https://ann:" + "p" * 16 + "@git.example.com",
        "xoxb-" + "1" * 20,
    ],
)
def test_a_secret_would_be_found(secret: str):
    """By grep, which takes an expression that it does not understand for one that finds nothing."""
    found = subprocess.run(["grep", "-cE", secret_forms()], input=secret, text=True, check=False)
    assert found.returncode == 0
