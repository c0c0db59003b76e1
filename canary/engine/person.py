"""Who this person is: asked in one place, by the shell and by the console."""

from __future__ import annotations

import getpass
import socket

from canary.rollout.change.change import Author


def this_person() -> Author:
    """The user and the host of this process, as the journal names them: "oncall@bastion-2".

    The user is "unknown" in a container that has no name for its id.
    """
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return Author(user, socket.gethostname())
