"""The garbage collector is on in whatever lives longer than a command (`benchmarks.memory`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_nothing_of_the_product_turns_it_off() -> None:
    sources = [p for name in ("canary", "tui", "widgets") for p in (ROOT / name).rglob("*.py")]
    assert sources
    assert [p for p in sources if "gc.disable(" in p.read_text()] == []


@pytest.mark.parametrize(
    "begin",
    [
        "import canary.cli.commands",  # canary guard, canary monitor
        "import canary.cli.background",  # the executor, the monitoring loop
        "import canary.simulator.__main__",
    ],
)
def test_a_process_that_lives_long_runs_with_it(begin: str) -> None:
    code = f"import gc\n{begin}\nassert gc.isenabled()"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert run.returncode == 0, run.stderr
