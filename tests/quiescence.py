"""When a screen under test is at rest: when nothing is left to do, not when the process is idle.

Textual's pilot waits until the process uses no processor for 20 ms, up to a second each time. Other
threads of the test process (gRPC's, a server's) keep it from ever being idle, and even where it is,
these waits were half of the time of the screen's tests. Here a screen is at rest when its event
loop has nothing that is ready to run, and still nothing after what is due at once has been done.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

PAUSE_S: Final = 0.002
MOST_TURNS: Final = 20_000


async def wait_for_rest(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Stands in for `textual._wait.wait_for_idle`, of the same signature."""
    loop: Any = asyncio.get_running_loop()
    for _ in range(2):
        await asyncio.sleep(PAUSE_S)
        turns = 0
        while loop._ready and turns < MOST_TURNS:
            turns += 1
            await asyncio.sleep(0)


def install() -> None:
    """Let pilots and apps of this process wait so."""
    import textual.app
    import textual.pilot

    textual.app.wait_for_idle = wait_for_rest
    textual.pilot.wait_for_idle = wait_for_rest
