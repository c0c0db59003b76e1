"""The subjects of commits fit where git shows them."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SINCE = "84996b6"
"""The last commit before this rule."""
LONGEST = 72


def run_git(*arguments: str) -> str | None:
    """What git prints; None without git, outside a clone, or where history is cut off."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def find_long(subjects: list[str]) -> list[str]:
    return [s for s in subjects if len(s) > LONGEST]


def test_a_subject_of_73_characters_is_found():
    assert find_long(["x" * LONGEST, "y" * (LONGEST + 1)]) == ["y" * (LONGEST + 1)]


def test_no_subject_of_a_commit_is_longer_than_72_characters():
    top = run_git("rev-parse", "--show-toplevel")
    if top is None or Path(top.strip()) != ROOT or run_git("cat-file", "-e", SINCE) is None:
        pytest.skip("no history here")
    subjects = run_git("log", "--no-merges", "--format=%s", f"{SINCE}..HEAD")
    assert subjects is not None
    assert find_long(subjects.splitlines()) == []
