"""Who asks, in the shell."""

from __future__ import annotations

import getpass
import socket


def this_user() -> str:
    """The user's name; "unknown" in a container that has none for this id."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def this_person() -> str:
    """User and host, as in the journal: "oncall@bastion-2"."""
    return f"{this_user()}@{socket.gethostname()}"
