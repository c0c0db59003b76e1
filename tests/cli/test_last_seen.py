"""Who looks without a screen keeps what it sees, for the first paint of the next console."""

from __future__ import annotations

from pathlib import Path

import pytest

from canary.paint.last_seen import DIRECTORY, LastSeen, read_last_seen, subject_of
from tests.cli.commands import Cloud
from tests.cli.conftest import Command


def seen_of(cloud: Cloud, state_dir: Path) -> LastSeen | None:
    subject = subject_of(str(cloud.plan_path), cloud.plan_path.read_bytes())
    return read_last_seen(subject, str(state_dir / DIRECTORY))


@pytest.mark.parametrize("looks", [("guard", "--once"), ("monitor", "--for", "60s")])
def test_a_look_without_a_screen_is_what_the_next_console_begins_with(
    looks: tuple[str, ...],
    command: Command,
    healthy_cloud: Cloud,
    state_dir: Path,
    tmp_path: Path,
) -> None:
    assert seen_of(healthy_cloud, state_dir) is None
    out = ("--every", "1d", "--out-dir", str(tmp_path / "out")) if looks[0] == "monitor" else ()
    ended = command(*looks, *out, "--config", str(healthy_cloud.plan_path))
    assert ended.code == 0, ended
    seen = seen_of(healthy_cloud, state_dir)
    assert seen is not None
    assert seen.split == "stage 2 of 5, 10 % canary"
    assert seen.state in ("HEALTHY", "READY")
    (kept,) = (state_dir / DIRECTORY).iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
