"""Who this person is, where the system knows a name and where it knows none."""

from __future__ import annotations

import json
import os
import pwd
import socket
from pathlib import Path

import msgspec
import pytest

from canary.engine import person
from canary.engine.person import find_identity, this_person
from tests.embedded import DEFAULT_PLAN

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(person, "LOGIN_UID", tmp_path / "loginuid")


def test_user_and_host_are_named() -> None:
    assert str(this_person(environ={"LOGNAME": ME})) == f"{ME}@{socket.gethostname()}"


@pytest.mark.parametrize("variable", ["LOGNAME", "USER", "SUDO_USER"])
def test_a_name_from_the_environment_is_a_claim(variable: str) -> None:
    author = this_person(environ={variable: "ceo"})
    assert author.user == ME
    assert str(author) == f"{ME}@{socket.gethostname()} ({variable} claims ceo)"


def test_an_id_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_123)
    assert this_person(environ={"LOGNAME": "ceo"}).user == "uid 4000123"


def test_who_logged_in_is_said_beside_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel keeps it through sudo: no claim, but a fact."""
    (tmp_path / "loginuid").write_text("65534")
    name = pwd.getpwuid(65534).pw_name
    assert this_person(environ={}).beside == f"logged in as {name}"
    (tmp_path / "loginuid").write_text("4294967295")
    assert this_person(environ={}).beside == ""


@pytest.mark.parametrize(
    ("document", "identity"),
    [
        ({"type": "service_account", "client_email": "a@p.iam.example"}, "a@p.iam.example"),
        (
            {
                "service_account_impersonation_url": "https://x/v1/projects/-/serviceAccounts/b@p:gen"
            },
            "b@p",
        ),
        ({"type": "authorized_user", "account": ""}, ""),
        ({"client_email": "a@p\u001b[31m"}, "a@p"),
        ([], ""),
    ],
)
def test_the_identity_of_the_credentials_stands_beside(
    tmp_path: Path, document: object, identity: str
) -> None:
    path = tmp_path / "adc.json"
    path.write_text(json.dumps(document))
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}
    assert find_identity(environ) == identity
    real = msgspec.structs.replace(DEFAULT_PLAN, provider="gcp")
    said = f"in the cloud {identity}" if identity else ""
    assert this_person(real, environ).beside == said
    assert this_person(DEFAULT_PLAN, environ).beside == ""


def test_without_a_credentials_file_there_is_none(tmp_path: Path) -> None:
    assert find_identity({"CLOUDSDK_CONFIG": str(tmp_path)}) == ""
