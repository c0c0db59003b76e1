"""Clouds of the engine's tests are forked; how one is started has tests in tests/cloud/embedded."""

import pytest

from canary.cloud.embedded import process
from tests.forked import begin_forked


@pytest.fixture(autouse=True)
def forked_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "begin_process", begin_forked)
