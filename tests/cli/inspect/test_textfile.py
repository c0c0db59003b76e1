"""A textfile collector's directory, in which others may write, as somebody else has left it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from canary.cli.inspect.openmetrics import write_metrics
from canary.cli.opening import find_plan
from tests.cli.commands import Cloud

pytestmark = pytest.mark.usefixtures("state_dir")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "id_rsa"
    path.write_text("key")
    path.chmod(0o600)
    return path


def test_what_lies_in_the_place_of_the_new_file_hinders_nothing(
    healthy_cloud: Cloud, tmp_path: Path
) -> None:
    path = tmp_path / "textfiles" / "canary.prom"
    (path.parent / ".canary.prom.new" / "full").mkdir(parents=True)
    assert write_metrics(find_plan(str(healthy_cloud.plan_path)), str(path)) == 0
    assert "canary_rollout_stage" in path.read_text()


def test_a_link_put_there_meanwhile_opens_no_file_of_the_person(
    healthy_cloud: Cloud, tmp_path: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody watches the directory, and is faster than the rights are set."""
    path = tmp_path / "textfiles" / "canary.prom"
    path.parent.mkdir()
    swapped: list[str] = []

    def attacked(real: Callable[..., Any]) -> Callable[..., Any]:
        def swap_first(*given: Any, **more: Any) -> Any:
            for each in path.parent.glob(".canary.prom*"):
                each.unlink()
                each.symlink_to(secret)
                swapped.append(each.name)
            return real(*given, **more)

        return swap_first

    monkeypatch.setattr(os, "fchmod", attacked(os.fchmod))
    monkeypatch.setattr(os, "chmod", attacked(os.chmod))
    write_metrics(find_plan(str(healthy_cloud.plan_path)), str(path))
    assert swapped
    assert (secret.read_text(), secret.stat().st_mode & 0o777) == ("key", 0o600)
