"""`canary guard --once` that made no change: 0 only where nothing was to be done."""

import socket
from typing import Any

import msgspec
import pytest

from canary.cli.change.guard import exit_without_act
from tests.cli.commands import Cloud
from tests.cli.conftest import Command
from tests.rollout.build import PLAN, snapshot, standing, window


def exit_of(**changes: Any) -> tuple[int, list[str]]:
    said: list[str] = []
    shown = msgspec.structs.replace(snapshot(**changes), standing=standing(2))
    return exit_without_act(PLAN, shown, lambda severity, text: said.append(text)), said


def test_advised_and_not_made_is_3_and_said() -> None:
    code, said = exit_of(judged=window(error_ratio=0.5))
    assert (code, "a rollback is advised and was not made" in said[0]) == (3, True)


@pytest.mark.parametrize("data", ["missing", "stale", "thin"])
def test_what_may_not_be_judged_is_30(data: Any) -> None:
    assert exit_of(judged=window(error_ratio=0.5), data=data)[0] == 30


def test_nothing_to_do_is_0() -> None:
    assert exit_of()[0] == 0


def test_whoever_took_its_metrics_port_first_does_not_keep_it_from_guarding(
    command: Command, healthy_cloud: Cloud
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        plan = str(healthy_cloud.plan_path)
        ended = command("guard", "--once", "--metrics-port", port, "--config", plan)
    assert ended.code == 0, ended
    assert f"Port {port}" in ended.out + ended.err
    assert "guards all the same" in ended.out + ended.err
