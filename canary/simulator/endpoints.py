"""Where the embedded cloud listens: bound before anything slow is imported."""

from __future__ import annotations

import socket

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


def bind(config: Config) -> tuple[Endpoints, list[Listener]]:
    """Bind and listen; connections wait in the backlog until the servers are up.

    Raises PortTakenError for the control port (the services' own are always free ones).
    """
    front = Listener(_listen(config.http_port), None, control=True)
    if config.router.kind == "revisions":
        service, tagged = Listener(_listen(0), None), Listener(_listen(0), "canary")
        endpoints = Endpoints(
            router=front.url,
            services={config.legacy: service.url},
            tags={config.router.canary_tag: tagged.url},
        )
        return endpoints, [front, service, tagged]
    legacy, canary = Listener(_listen(0), "legacy"), Listener(_listen(0), "canary")
    endpoints = Endpoints(
        router=front.url, services={config.legacy: legacy.url, config.canary: canary.url}
    )
    return endpoints, [front, legacy, canary]


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((LOOPBACK, port), backlog=256)
    except OSError as exc:
        raise PortTakenError(f"http_port {port}: {exc.strerror}") from exc
