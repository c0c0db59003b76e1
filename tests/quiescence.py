"""When a screen under test is at rest: when its messages are done, not when the process is idle.

Textual's pilot waits until the process uses no processor for 20 ms, up to a second each time. Other
threads of the test process (gRPC's, a server's) keep it from ever being idle, and even where it is,
the waits were half of the time of all tests of the screen. The pilot's own barrier (every widget
has handled what was queued before) is what the tests mean; it is run anyway, before and after.
"""

from __future__ import annotations

import asyncio

TURNS = 30
"""Turns of the loop that a message needs which was posted by the handling of another."""


async def wait_for_turns(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Stands in for `textual._wait.wait_for_idle`, of the same signature."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def install() -> None:
    """Let pilots and apps of this process wait so."""
    import textual.app
    import textual.pilot

    textual.app.wait_for_idle = wait_for_turns
    textual.pilot.wait_for_idle = wait_for_turns
