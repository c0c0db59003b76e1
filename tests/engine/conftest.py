"""Clouds of the rooms' tests are forked; how one is started has tests in tests/cloud/embedded, and
what becomes of one that does not come up is in tests/engine/test_session.py.
"""

import pytest

from canary.cloud.embedded import process
from tests.forked import begin_forked


@pytest.fixture(autouse=True)
def forked_clouds(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if request.path.parent.name != "engine":
        monkeypatch.setattr(process, "begin_process", begin_forked)
