"""A monitoring loop that is ended after its first snapshot."""

import os
import subprocess
import sys
from pathlib import Path


def monitor_once(plan: Path, state: Path, out_dir: Path) -> str:
    """All that it said; its first file lies in `out_dir`."""
    command = [sys.executable, "-m", "canary.cli.main", "monitor", "--json", "--for", "1m"]
    with subprocess.Popen(
        [*command, "--config", str(plan), "--out-dir", str(out_dir)],
        env={**os.environ, "CANARY_STATE_DIR": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as loop:
        assert loop.stdout is not None
        said = loop.stdout.readline()
        loop.terminate()
        said += loop.stdout.read()
    assert loop.returncode == 0, said
    return said
