"""What the first paint loads: a dark screen lasts as long as its modules take to be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from canary.paint.last_seen import DIRECTORY, keep_last_seen, subject_of
from tests.paint.scenes import SEEN

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
import os, sys
import canary.cli.main
from canary.paint.first import compose
from canary.paint.typed import read_typed
text = compose(read_typed(sys.argv[1:]), os.environ, (80, 24), 1_790_000_000.0)
print(*sorted(sys.modules), sep="\\n")
print("TEXT", "last seen" in text, "not looked yet" in text)
"""
ITS_OWN = {"canary", "canary.cli", "canary.cli.main", "canary.rollout", "canary.rollout.text"}


def run(*arguments: str, state: Path) -> tuple[set[str], str]:
    done = subprocess.run(
        # -I: without what the environment of a test brings along; -X: nor what it would be told
        [sys.executable, "-S", "-c", PROBE, *arguments],
        cwd=ROOT,
        env={**os.environ, "CANARY_STATE_DIR": str(state), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *modules, told = done.stdout.strip().split("\n")
    return set(modules), told


@pytest.mark.parametrize("was_seen", [True, False])
def test_nothing_but_the_standard_library_is_needed_to_paint(
    tmp_path: Path, was_seen: bool
) -> None:
    """With -S there are no installed packages at all: it paints without them."""
    plan = ROOT / "canary.toml"
    if was_seen:
        keep_last_seen(subject_of(str(plan), plan.read_bytes()), SEEN, str(tmp_path / DIRECTORY))
    modules, told = run("--config", str(plan), state=tmp_path)
    assert told == f"TEXT {was_seen} {not was_seen}"
    ours = {name for name in modules if name.partition(".")[0] in {"canary", "tui", "widgets"}}
    assert {n for n in ours if not f"{n}.".startswith("canary.paint.")} <= ITS_OWN
    heavy = {"asyncio", "pathlib", "dataclasses", "inspect", "logging", "socket", "subprocess"}
    assert modules.isdisjoint(heavy | {"tempfile", "shutil", "threading", "msgspec"})
    assert ("tomllib" in modules) is not was_seen
