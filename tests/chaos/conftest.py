"""No pause between the tries of a read: time passes when the schedule says so."""

import pytest

from canary.cloud.connection import retries


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT_S", 0.0)
