"""A second user of the same host, for attacks that need one."""

import os
import subprocess
from pathlib import Path

import pytest

OTHER_UID = 65534
"""`nobody`: a user that has nothing to do with the person who runs the console."""

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="a second user's files are made with setuid, which takes root"
)


def run_as_other(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script as the second user: what it may not do, it can not."""
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", *map(str, arguments)],
        user=OTHER_UID,
        group=OTHER_UID,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def open_way(path: Path) -> None:
    """Let the second user reach `path`: pytest's own directories are closed to others."""
    for each in path.parents:
        if "pytest-of" in str(each):
            each.chmod(each.stat().st_mode | 0o055)


def share_with_group(path: Path, mode: int) -> None:
    """Give `path` to a group that others are in: one's own private group is nobody else."""
    os.chown(path, -1, OTHER_UID)
    path.chmod(mode)
