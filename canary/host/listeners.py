"""Who listens on a port of this machine: on loopback whoever came first is answered for.

No certificate proves who answers on plain http. When a forwarded Prometheus, a proxy or an embedded
cloud has ended, another user of the host can take its port: he would get what is sent there (a
bearer token), and his figures would be judged. The kernel says whose socket it is (sock_diag(7)).

Believed are the person, root and accounts of services; nobody who could log in. Where the kernel
does not answer so (not Linux) everybody is.

Sources: linux/inet_diag.h (inet_diag_req_v2, inet_diag_msg); systemd's "Users, Groups, UIDs and
GIDs on systemd Systems" and login.defs(5), UID_MIN, for which numbers are people's.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import msgspec

from canary.host.owners import name_owner
from canary.host.trust import read_trust
from canary.rollout.errors import CanaryError, HostProblem

FIRST_PERSON: Final = 1000
DYNAMIC: Final = range(61_184, 65_535)
"""DynamicUser= of systemd's services, and `nobody`, as which containers' daemons run."""

_SOCK_DIAG, _BY_FAMILY, _ERROR, _DONE = 4, 20, 2, 3
_DUMP: Final = 0x1 | 0x300
_LISTENING: Final = 1 << 10
_ANY: Final = 0xFFFFFFFF
_WAIT_S: Final = 0.5
_BYTES: Final[dict[int, int]] = {socket.AF_INET: 4, socket.AF_INET6: 16}
"""Of an address of each family."""


class Listener(msgspec.Struct, frozen=True):
    """A socket that waits for connections: its address (IPv4 as such, however it is mapped), the
    address as it was bound, and whose it is.
    """

    address: str
    bound: str
    uid: int


def find_stranger(host: str, port: int) -> str:
    """The name of another person of this host who listens where a connection to `host`, a name or
    address of loopback, would arrive; "" where none does, or it cannot be told.
    """
    uids = {uid for each in _addresses(host) for uid in _who_answers(each, _listeners(port))}
    return next((name_owner(uid) for uid in sorted(uids) if _is_stranger(uid)), "")


def say_stranger(host: str, port: int) -> tuple[str, str]:
    """What is wrong with asking there, and what to do; ("", "") where nothing is, or where that
    port was trusted (`canary trust port`).
    """
    name = find_stranger(host, port)
    if not name:
        return "", ""
    try:
        trusted = port in read_trust().ports
    except CanaryError:
        trusted = False
    if trusted:
        return "", ""
    said = f"Port {port} of this machine is another user's ({name}): nothing is asked or sent there"
    return said, f"Start again what listened there; if it is right so: `canary trust port {port}`."


def demand_no_stranger(host: str, port: int, source: str = "") -> None:
    """Raise HostProblem where another person of this host listens at an address of loopback."""
    said, remedy = say_stranger(host, port)
    if said:
        raise HostProblem(f"{said}.", remedy=remedy, source=source)


def find_stranger_at(url: str) -> str:
    """What is wrong with plain http to this address of loopback, and what to do; "" for nothing."""
    parts = urlsplit(url)
    said, remedy = say_stranger(parts.hostname or "", parts.port or 80)
    return f"{said}. {remedy}" if said else ""


def _is_stranger(uid: int) -> bool:
    return uid >= FIRST_PERSON and uid not in DYNAMIC and uid not in _own_uids()


def _own_uids() -> set[int]:
    """The person's; as root whoever called sudo, too: a forwarded port is his."""
    called = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    return {os.geteuid(), *([int(called)] if called.isdecimal() else ())}


def _addresses(host: str) -> tuple[str, ...]:
    """What a name may be resolved to; each of them could be asked."""
    return ("127.0.0.1", "::1") if host.lower() == "localhost" else (host,)


def _who_answers(address: str, listeners: list[Listener]) -> set[int]:
    """Whose sockets could get a connection to `address`: of those bound to it, else to any."""
    any_address = "::" if ":" in address else "0.0.0.0"  # noqa: S104 - compared, not bound
    for wanted in (address, any_address, "::"):
        found = {each.uid for each in listeners if wanted in (each.address, each.bound)}
        if found:
            return found
    return set()


def _listeners(port: int) -> list[Listener]:
    try:
        return [each for family in _BYTES for each in _ask(family, port)]
    except (AttributeError, OSError, struct.error):
        return []


def _ask(family: int, port: int) -> Iterator[Listener]:
    """All that listens on a port, by the kernel. Raises OSError, struct.error."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as asked:
        asked.settimeout(_WAIT_S)
        what = struct.pack("=BBBxI", family, socket.IPPROTO_TCP, 0, _LISTENING)
        what += struct.pack("!HH32x", port, 0) + struct.pack("=III", 0, _ANY, _ANY)
        asked.send(struct.pack("=IHHII", 16 + len(what), _BY_FAMILY, _DUMP, 1, 0) + what)
        while True:
            answer = asked.recv(65_536)
            while answer:
                length, kind = struct.unpack_from("=IH", answer)
                if kind in (_DONE, _ERROR) or length < 16:
                    return
                if struct.unpack_from("!H", answer, 20)[0] == port:
                    yield _read(answer)
                answer = answer[(length + 3) & ~3 :]


def _read(message: bytes) -> Listener:
    """One inet_diag_msg behind its header: family at 0, source at 8, user at 64."""
    family = message[16]
    bound = ipaddress.ip_address(message[24 : 24 + _BYTES[family]])
    mapped = bound.ipv4_mapped if isinstance(bound, ipaddress.IPv6Address) else None
    (uid,) = struct.unpack_from("=I", message, 16 + 64)
    return Listener(str(mapped or bound), str(bound), uid)
