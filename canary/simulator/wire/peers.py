"""Who is at the other end of a connection on loopback: the kernel says whose socket it is.

The embedded cloud answers its own user and root. A token would have to be in every client's hands,
gcloud's among them; the kernel knows whose socket it is without. It is asked for that one socket by
netlink (sock_diag(7), 0.05 ms). Where it does not answer so, its table of all sockets is read
(proc(5), /proc/net/tcp): that takes 20 to 60 ms, and was most of what each call cost. Where there
is neither (not Linux) everybody on loopback is answered.

Source: linux/inet_diag.h, inet_diag_req_v2 and inet_diag_msg.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED: Final = 1
REFUSAL: Final = "This embedded cloud belongs to another user of this host."

REFUSAL_OF_PAGES: Final = "This embedded cloud does not answer pages in a browser."

_SOCK_DIAG: Final = 4
_BY_FAMILY, _REQUEST, _ERROR, _ANY = 20, 1, 2, 0xFFFFFFFF
_PLACES: Final = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

Found = list[tuple[int, int]]
"""(state, uid) of each socket that was found; empty where there is none."""


_LOCAL: Final = re.compile(
    r"(([a-z0-9-]+\.)*localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE
)


def is_from_a_page(headers: Iterable[tuple[str, str]]) -> bool:
    """Whether a page in a browser of this user asks: its own host's name points to loopback (DNS
    rebinding), or it asks across (then it says its origin).
    """
    told = [(name.lower(), value) for name, value in headers]
    hosts = [value.strip() for name, value in told if name == "host"]
    across = any(name == "origin" for name, _ in told)
    return across or not all(_LOCAL.fullmatch(host) for host in hosts)


class Doorkeeper:
    """Lets in whom the kernel names as `uid` (None: who starts this) or as root."""

    def __init__(self, uid: int | None = None) -> None:
        self._uids = {0, os.getuid() if uid is None else uid}
        self.port = 0

    def admits(self, peer_port: int, own_port: int = 0) -> bool:
        """Whether the connection from `peer_port` to `own_port` (0: `port`) may be answered.

        One that is closing is not: a socket that nobody holds any more counts as root's.
        """
        found = _ask(peer_port, own_port or self.port)
        if found is None:
            found = _look_up(peer_port, own_port or self.port)
        if found is None:
            return True
        return bool(found) and all(s == ESTABLISHED and uid in self._uids for s, uid in found)

    def admits_grpc(self, peer: str) -> bool:
        """The same for gRPC's name of a peer: "ipv4:127.0.0.1:43210"."""
        port = peer.rpartition(":")[2]
        return port.isdigit() and self.admits(int(port))


def _ask(peer_port: int, own_port: int) -> Found | None:
    """The peer's end of the connection, by netlink; None where the kernel does not answer so."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as asked:
            answers = [_ask_for(asked, *place, peer_port, own_port) for place in _PLACES]
    except (AttributeError, OSError):
        return None
    return [answer for answer in answers if answer is not None]


def _ask_for(
    asked: socket.socket, family: int, host: str, peer_port: int, own_port: int
) -> tuple[int, int] | None:
    """(state, uid) of one socket; None: there is none. Raises OSError: it cannot be said."""
    address = socket.inet_pton(family, host).ljust(16, b"\0")
    ports = struct.pack("!HH", peer_port, own_port)
    identity = ports + address + address + struct.pack("=III", 0, _ANY, _ANY)
    body = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 0, _ANY) + identity
    asked.send(struct.pack("=IHHII", 16 + len(body), _BY_FAMILY, _REQUEST, 1, 0) + body)
    answer = asked.recv(4096)
    (kind,) = struct.unpack_from("=H", answer, 4)
    if kind == _ERROR:
        (code,) = struct.unpack_from("=i", answer, 16)
        if -code == errno.ENOENT:
            return None
        raise OSError(-code, os.strerror(-code))
    (uid,) = struct.unpack_from("=I", answer, 16 + 64)
    return answer[16 + 1], uid


def _look_up(peer_port: int, own_port: int) -> Found | None:
    """The same from the table of all sockets; None where there is no table."""
    rows = [row for table in TABLES for row in _read(table)]
    if not rows:
        return None
    wanted = (peer_port, own_port)
    found = [row for row in rows if (_port(row[1]), _port(row[2])) == wanted]
    return [(int(row[3], 16), int(row[7])) for row in found]


def _read(table: Path) -> list[list[str]]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    return [fields for line in lines if len(fields := line.split()) > 7]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
