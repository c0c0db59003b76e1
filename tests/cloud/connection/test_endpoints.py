"""Addresses: https anywhere, plain http on loopback only."""

from pathlib import Path

import pytest

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.endpoints import parse_endpoint
from canary.host.trust import Trust, change_trust
from canary.rollout.errors import Denied, PlanError
from canary.rollout.plan.plan import Endpoints


@pytest.mark.parametrize(
    ("url", "target", "plain"),
    [
        ("https://run.example.internal", "run.example.internal:443", False),
        ("https://run.example.internal:8443/", "run.example.internal:8443", False),
        ("http://127.0.0.1:9000", "127.0.0.1:9000", True),
        ("http://127.8.8.8:9000", "127.8.8.8:9000", True),
        ("http://localhost:9000", "localhost:9000", True),
        ("http://[::1]:9000", "[::1]:9000", True),
        ("https://[2001:db8::1]:9000", "[2001:db8::1]:9000", False),
    ],
)
def test_an_address_is_host_port_and_whether_it_is_plain(
    url: str, target: str, plain: bool
) -> None:
    address = parse_endpoint(url, "key")
    assert (address.target, address.plain) == (target, plain)


@pytest.mark.parametrize(
    "url",
    [
        "http://run.example.internal",
        "http://10.0.0.5:80",
        "http://0.0.0.0:80",
        "http://127.0.0.1.example.com:80",
        "http://localhost.example.com:80",
        "ftp://127.0.0.1",
        "127.0.0.1:9000",
        "run.googleapis.com",
        "https://",
        "https://host:99999",
        "https://user:secret@host",
        "http://user@127.0.0.1:80",
        "https://host/path",
        "https://host?x=1",
        "",
    ],
)
def test_any_other_address_is_a_mistake_in_the_plan(url: str) -> None:
    with pytest.raises(PlanError, match=r"target\.endpoints\.run"):
        Connection(Endpoints(run=url))


async def test_a_plain_address_gets_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("credentials were asked for")

    monkeypatch.setattr(google.auth, "default", refuse)
    address = "http://127.0.0.1:9"
    connection = Connection(Endpoints(run=address, monitoring=address))
    assert connection.credential_free
    await connection.api("services")
    await connection.api("revisions")
    await connection.api("metrics")
    await connection.close()


async def test_without_usable_credentials_the_real_cloud_is_denied(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    connection = Connection(Endpoints())
    with pytest.raises(Denied, match=r"none\.json"):
        await connection.api("services")
    await connection.close()


async def test_an_https_address_gets_credentials_and_is_where_the_client_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    credentials = AnonymousCredentials()
    monkeypatch.setattr(google.auth, "default", lambda **_: (credentials, "p"))
    monkeypatch.setenv("CANARY_CONFIG_DIR", str(tmp_path))
    change_trust(lambda _: Trust(hosts=("run.example.internal",)))
    connection = Connection(Endpoints(run="https://run.example.internal:8443"))
    assert not connection.credential_free
    (services, _), (metrics, _) = [await connection.api(api) for api in ("services", "metrics")]
    assert services.transport.host == "run.example.internal:8443"
    assert metrics.transport.host == "monitoring.googleapis.com:443"
    assert services.transport._credentials is credentials
    await connection.close()
