"""Who is at the other end of a connection on loopback: the kernel's table of sockets says it.

The embedded cloud answers its own user and root. A token would have to be in every client's hands,
gcloud's among them; the kernel knows whose socket it is without. Where there is no such table (not
Linux) everybody on loopback is answered.

Source: proc(5), /proc/net/tcp: local and remote address in hex, state (01 is ESTABLISHED), uid.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED: Final = "01"
REFUSAL: Final = "This embedded cloud belongs to another user of this host."


class Doorkeeper:
    """Lets in whom the table names as `uid` (None: who starts this) or as root."""

    def __init__(self, uid: int | None = None) -> None:
        self._uids = {0, os.getuid() if uid is None else uid}
        self.port = 0

    def admits(self, peer_port: int, own_port: int = 0) -> bool:
        """Whether the connection from `peer_port` to `own_port` (0: `port`) may be answered.

        One that is closing is not: a socket that nobody holds any more counts as root's.
        """
        wanted = (peer_port, own_port or self.port)
        rows = [row for table in TABLES for row in _read(table)]
        if not rows:
            return True
        found = [row for row in rows if (_port(row[1]), _port(row[2])) == wanted]
        return bool(found) and all(
            row[3] == ESTABLISHED and int(row[7]) in self._uids for row in found
        )

    def admits_grpc(self, peer: str) -> bool:
        """The same for gRPC's name of a peer: "ipv4:127.0.0.1:43210"."""
        port = peer.rpartition(":")[2]
        return port.isdigit() and self.admits(int(port))


def _read(table: Path) -> list[list[str]]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    return [fields for line in lines if len(fields := line.split()) > 7]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
