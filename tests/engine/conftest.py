"""Clouds and executors of the rooms' tests are forked. How a cloud is started has tests in
tests/cloud/embedded, and what becomes of one that does not come up is in
tests/engine/test_session.py; how an executor is, in tests/engine/change/test_executor.py.
"""

from pathlib import Path

import pytest

from canary.cloud.connection import calls
from canary.cloud.embedded import process
from canary.engine.console import executor_supervisor
from canary.store.journal import Journal
from tests.forked import begin_forked, begin_forked_executor, begin_forking


@pytest.fixture(autouse=True)
def forked_processes(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.path.parent.name != "engine":
        monkeypatch.setattr(process, "begin_process", begin_forked)
    if request.path.parent.name == "console":
        begin_forking()
    if request.path.name != "test_executor.py":
        monkeypatch.setattr(executor_supervisor, "begin_process", begin_forked_executor)


@pytest.fixture(autouse=True)
def read_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long is waited before a read is made up has tests in tests/cloud."""
    monkeypatch.setattr(calls, "FIRST_WAIT_S", 0.0)


@pytest.fixture
def journal(tmp_path: Path):
    """One that is empty."""
    with Journal(tmp_path / "journal.db") as opened:
        yield opened
