"""CONTRIBUTING names files and commands that exist; no page is half merged."""

import os
import re
from pathlib import Path

import pytest

from tests.conftest import QUICK

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
NAMED = sorted(set(re.findall(r"`((?:canary|tui|widgets|themes|tests|docs)/[\w/.-]+)`", TEXT)))
SCRIPTS = sorted(set(re.findall(r"\bscripts/(\w+)", TEXT)))


@pytest.mark.parametrize("named", NAMED)
def test_a_file_that_contributing_names_is_there(named: str):
    assert (ROOT / named).exists()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_that_contributing_names_can_be_run(name: str):
    assert os.access(ROOT / "scripts" / name, os.X_OK)


PAGES = [path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_page_has_the_marks_of_a_merge(page: Path):
    assert not re.search(r"^(<{7}|={7}$|>{7})", (ROOT / page).read_text(), re.MULTILINE)


@pytest.mark.parametrize("folder", QUICK)
def test_the_folders_of_the_quick_tests_have_tests(folder: str):
    assert list((ROOT / "tests" / folder).rglob("test_*.py"))


def test_it_names_some():
    assert len(NAMED) > 50
    assert {"check", "quick", "all", "coverage", "size"} <= set(SCRIPTS)
