"""No pause between the tries of a read: time passes when the schedule says so."""

import pytest

from canary.cloud.connection import calls
from canary.cloud.router import command


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(command, "READ_BACK_PAUSE_S", 0.0)
    monkeypatch.setattr(command, "RECORD_PAUSE_S", 0.0)
