"""What clients are built from: each mistake is one sentence that names the variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from canary.cloud.connection.clients import _CHANNEL_OPTIONS
from canary.cloud.connection.environment import demand_environment
from canary.cloud.connection.http import open_http, verification_for
from canary.rollout.errors import HostProblem
from canary.simulator.api.grpc_server import LEAST_PING_MS

URL = "https://run.googleapis.com"
VARIABLES = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "grpc_proxy"),
)
WRONG = [
    ("SSL_CERT_FILE", "/nowhere/ca.pem"),
    ("SSL_CERT_FILE", __file__),
    ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem"),
    ("CURL_CA_BUNDLE", "/dev/null"),
    ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "/nowhere"),
    ("SSL_CERT_DIR", "/nowhere"),
    ("HTTPS_PROXY", "socks5://127.0.0.1:1080"),
    ("https_proxy", "socks5h://user:secret@proxy:1080"),
    ("ALL_PROXY", "socks4://proxy:1"),
    ("HTTPS_PROXY", "http://proxy:port"),
    ("HTTP_PROXY", "ftp://proxy:21"),
    ("HTTPS_PROXY", "http://"),
    ("HTTPS_PROXY", "http://[::1"),
    ("NO_PROXY", "fd00::/8"),
]


@pytest.fixture(autouse=True)
def a_clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    verification_for.__globals__["_certificates"].cache_clear()


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_cannot_be_used_is_one_sentence_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(HostProblem) as caught:
        open_http(URL)
    assert name in caught.value.message
    assert "secret" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert caught.value.remedy


@pytest.mark.parametrize(("name", "value"), WRONG)
async def test_nothing_of_it_matters_on_loopback(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    await open_http("http://127.0.0.1:8080").aclose()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://proxy.example:3128"),
        ("https_proxy", "proxy.example:3128"),
        ("NO_PROXY", "localhost,127.0.0.1,::1,.corp.example"),
        ("SSL_CERT_FILE", ""),
        ("HTTPS_PROXY", ""),
    ],
)
async def test_what_is_usual_passes(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    await open_http(URL).aclose()


def test_a_proxy_that_is_not_asked_for_this_host_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", "googleapis.com")
    demand_environment(URL)


def test_an_empty_directory_of_certificates_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    with pytest.raises(HostProblem, match=r"REQUESTS_CA_BUNDLE .* empty directory"):
        demand_environment(URL)


def test_pings_are_no_closer_than_googles_front_ends_allow() -> None:
    # java-bigtable#528, python-bigtable#181: else GOAWAY, "too_many_pings".
    assert dict(_CHANNEL_OPTIONS)["grpc.keepalive_time_ms"] >= LEAST_PING_MS == 30_000
