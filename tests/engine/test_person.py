"""Who this person is, where the system knows a name and where it knows none."""

from __future__ import annotations

import socket

import pytest

from canary.engine.person import this_person


def test_user_and_host_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "oncall")
    assert str(this_person()) == f"oncall@{socket.gethostname()}"


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("no user")])
def test_an_id_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def nameless() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", nameless)
    assert this_person().user == "unknown"
