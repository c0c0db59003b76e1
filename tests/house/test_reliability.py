"""docs/reliability.md and docs/security*.md name tests that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = sorted(
    {
        named
        for path in (ROOT / "docs/reliability.md", *(ROOT / "docs").glob("security*.md"))
        for named in re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", path.read_text())
    }
)


@pytest.mark.parametrize("named", NAMED)
def test_every_promise_is_held_by_a_test_that_is_there(named: str):
    file, _, name = named.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    there = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in there or not name
