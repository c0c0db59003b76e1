"""Where the embedded cloud listens: bound before anything slow is imported."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from canary.simulator.config import Config, SideName

LOOPBACK = "127.0.0.1"


class PortTakenError(Exception):
    """A port that was asked for is not free; the text names it."""


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of the HTTP side, `http://127.0.0.1:PORT`.

    `services` has each Cloud Run service by name, `tags` each traffic tag. With the router
    `revisions` the one service splits by itself, and the Canary tag's address reaches the Canary
    revision directly; with two services there are no tags.
    """

    router: str = ""
    services: dict[str, str] = {}
    tags: dict[str, str] = {}


class Listener(msgspec.Struct, frozen=True):
    """A bound, listening socket and whom it answers for: a side, or both by the split (None)."""

    sock: socket.socket
    side: SideName | None
    control: bool = False

    @property
    def url(self) -> str:
        """The address, without a trailing slash."""
        return f"http://{LOOPBACK}:{self.sock.getsockname()[1]}"


def bind(
    config: Config, before: Mapping[str, str] | None = None
) -> tuple[Endpoints, list[Listener]]:
    """Bind and listen; connections wait in the backlog until the servers are up.

    `before` has the addresses of services and tags in a life before this one: they are taken again
    where they are free. Raises PortTakenError for the control port.
    """

    def listen_again(name: str) -> socket.socket:
        return _listen(free_again((before or {}).get(name, "")))

    front = Listener(_listen(config.http_port), None, control=True)
    if config.router.shares_one_service:
        tag = config.router.canary_tag
        service = Listener(listen_again(config.legacy), None)
        tagged = Listener(listen_again(tag), "canary")
        endpoints = Endpoints(
            router=front.url, services={config.legacy: service.url}, tags={tag: tagged.url}
        )
        return endpoints, [front, service, tagged]
    legacy = Listener(listen_again(config.legacy), "legacy")
    canary = Listener(listen_again(config.canary), "canary")
    endpoints = Endpoints(
        router=front.url, services={config.legacy: legacy.url, config.canary: canary.url}
    )
    return endpoints, [front, legacy, canary]


def free_again(address: str) -> int:
    """The port of `address` ("host:port" or a URL) if it is free now, else 0: any."""
    try:
        port = urlsplit(address if "//" in address else f"//{address}").port or 0
        with socket.create_server((LOOPBACK, port)):
            return port
    except (OSError, ValueError):
        return 0


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port), backlog=256)
    except OSError as exc:
        raise PortTakenError(f"http_port {port}: {exc.strerror}") from exc
