"""Fixtures of the shell's tests: a way to run a command, and clouds to run it against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from canary.cli.commands import run
from canary.cli.output import Acting
from tests.cli.commands import Cloud, Ended, running_cloud

Command = Callable[..., Ended]


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str],
    state_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """`command("status", "--line")`: run it in this process, as if it were one of its own."""

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(Acting, "now", False)
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call


@pytest.fixture(scope="module")
def healthy_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One healthy cloud for all tests of a module that only look."""
    with running_cloud(tmp_path_factory.mktemp("healthy")) as cloud:
        yield cloud


@pytest.fixture
def open_cloud(tmp_path: Path) -> Iterator[Callable[..., Cloud]]:
    """`open_cloud("error-spike", soaked_hours=30)`: a cloud for this test alone."""
    with ExitStack() as stack:
        yield lambda *scenario, **config: stack.enter_context(
            running_cloud(tmp_path, *scenario, **config)
        )
