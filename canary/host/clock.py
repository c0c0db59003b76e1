"""This host's steady clock, which all its processes share."""

from __future__ import annotations

import time


def read_steady_clock() -> float:
    """Seconds on a clock that no setting moves, and that runs on while the host sleeps; the same in
    all processes of a host.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
