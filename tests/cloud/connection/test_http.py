"""Which certificates the HTTP clients check by."""

import ssl

import pytest

from canary.cloud.connection.http import verification_for


@pytest.mark.parametrize("url", ["https://ion-api.run.app/health", "HTTPS://hooks.example/x"])
def test_https_is_checked_by_certificates_and_by_the_name(url: str) -> None:
    context = verification_for(url)
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_the_certificates_are_read_once() -> None:
    assert verification_for("https://a.example") is verification_for("https://b.example")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/health", "HTTP://localhost:1"])
def test_plain_http_needs_none(url: str) -> None:
    assert verification_for(url) is False


@pytest.mark.parametrize("url", ["", "ftp://a", "ion-api.run.app", " http://a"])
def test_what_is_no_plain_http_is_checked(url: str) -> None:
    assert verification_for(url) is not False
