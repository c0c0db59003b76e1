"""Addresses of outside services: https anywhere, plain http on loopback only."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import msgspec

from canary.rollout.errors import PlanError
from canary.rollout.plan.plan import Endpoints


class Address(msgspec.Struct, frozen=True):
    """Where a service listens. `plain`: without TLS, and then never with credentials."""

    host: str
    port: int
    plain: bool

    @property
    def target(self) -> str:
        """The address as gRPC wants it: `host:port`, IPv6 in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(url: str, key: str) -> Address:
    """Read `https://host[:port]` or, for loopback only, `http://host[:port]`.

    `key` names the plan's key in the message. Raises PlanError for any other scheme, for plain http
    beyond this host (credentials and numbers would travel in the clear), and for a path, query or
    user in it: gRPC has no use for those, and a secret does not belong into an address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise PlanError(f"{key}: {url!r} is no address ({exc}).", remedy=_EXPECTED) from exc
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise PlanError(f"{key}: {url!r} is no address of a service.", remedy=_EXPECTED)
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise PlanError(f"{key}: {url!r} has more than a host and a port.", remedy=_EXPECTED)
    plain = parts.scheme == "http"
    if plain and not is_loopback(parts.hostname):
        raise PlanError(
            f"{key}: {url!r} is plain http to another host; that is for loopback only.",
            remedy="Use https.",
        )
    return Address(parts.hostname, port or (80 if plain else 443), plain)


def override_endpoints(endpoints: Endpoints, given: Endpoints) -> Endpoints:
    """`endpoints` with every address that the plan gives itself put in its place."""
    addresses = msgspec.structs.asdict(given)
    chosen = {name: address for name, address in addresses.items() if address is not None}
    return msgspec.structs.replace(endpoints, **chosen)


def is_loopback(host: str) -> bool:
    """Whether a host name or address never leaves this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_EXPECTED = "Expected https://host, https://host:port, or http://127.0.0.1:port."
