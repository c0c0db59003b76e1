"""What of this host's environment every client is built from: certificates and proxies.

httpx, requests (for tokens) and gRPC each read the variables themselves, and each fails in its own
way and place. Looked at first, a mistake is one sentence that names the variable.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from canary.rollout.errors import HostProblem
from canary.rollout.text import sanitize

_CA_FILES: Final = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)
_CA_DIRECTORIES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""requests takes a directory as well."""

_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "grpc_proxy")
_PROXIES_OF_HTTP: Final = ("HTTP_PROXY", "http_proxy")
_OTHERS: Final = ("NO_PROXY", "no_proxy", "SSL_CERT_DIR")

_Made = TypeVar("_Made")


def demand_environment(url: str) -> None:
    """Raise HostProblem unless a client for `url` can be built from the environment.

    `url` is not loopback's: for that neither proxy nor certificates are looked at.
    """
    for name, value in _set(_CA_FILES):
        if why := _why_no_certificates(value, directories=name in _CA_DIRECTORIES):
            raise _problem(name, value, why, "Name a PEM file of certificates, or unset it.")
    directory = os.environ.get("SSL_CERT_DIR")
    if directory and not any(Path(part).is_dir() for part in directory.split(os.pathsep)):
        raise _problem("SSL_CERT_DIR", directory, "it is no directory", "Correct or unset it.")
    host = urlsplit(url).hostname or ""
    if proxy_bypass_environment(host):
        return
    # httpx builds a transport for every proxy that is named, whichever it will use.
    for name, value in _set((*_PROXIES, *_PROXIES_OF_HTTP)):
        if why := _why_no_proxy(value):
            raise _problem(name, value, why, "Name it as http://host:port, or unset it.")


def build(make: Callable[[], _Made], url: str) -> _Made:
    """Return what `make` builds for `url`, or raise HostProblem for whatever the environment did
    to it: the libraries raise ValueError, OSError, ImportError and kinds of their own.
    """
    demand_environment(url)
    try:
        return make()
    except Exception as exc:
        names = [name for name, _ in _set((*_OTHERS, *_CA_FILES, *_PROXIES, *_PROXIES_OF_HTTP))]
        names += [name for name in os.environ if name.startswith(("GOOGLE_API_", "CLOUDSDK_"))]
        named = ", ".join(names) or "the certificates of this host"
        raise HostProblem(
            f"No connection can be built from the environment ({named}):"
            f" {sanitize(exc) or type(exc).__name__}",
            remedy="Correct or unset what is wrong, and try again.",
        ) from exc


def _set(names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in names:
        if value := os.environ.get(name):
            yield name, value


@cache
def _why_no_certificates(path: str, *, directories: bool) -> str:
    """Why a file gives no certificates; "" when it does. Empty certificate stores are none."""
    try:
        if directories and Path(path).is_dir():
            return "" if any(Path(path).iterdir()) else "it is an empty directory"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=path)
    except OSError as exc:  # SSLError is one
        return sanitize(exc.strerror or exc)
    except ValueError as exc:
        return sanitize(exc)
    return "" if context.get_ca_certs() else "it holds no certificate"


def _why_no_proxy(value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        return sanitize(exc)
    if parts.scheme.lower().startswith("socks"):
        return "SOCKS is not spoken here"
    if parts.scheme.lower() not in ("http", "https"):
        return f"{sanitize(parts.scheme, 20)} is no kind of proxy"
    if not parts.hostname or any(c.isspace() for c in value.strip()) or port == 0:
        return "it names no host"
    return ""


def _problem(name: str, value: str, why: str, remedy: str) -> HostProblem:
    shown = sanitize(_without_password(value), 120)
    return HostProblem(f"{name} ({shown}) cannot be used: {why}.", remedy=remedy)


def _without_password(value: str) -> str:
    head, at, host = value.rpartition("@")
    return f"{head.partition('://')[0]}://…@{host}" if at else value
