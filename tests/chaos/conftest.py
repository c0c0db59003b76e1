"""No pause between the tries of a read: time passes when the schedule says so."""

import pytest

from canary.cloud.connection import calls


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "FIRST_WAIT_S", 0.0)
