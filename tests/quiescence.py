"""When a screen under test is at rest: when nothing is left to do, not when the process is idle.

Textual's pilot waits until the process uses no processor for 20 ms, up to a second each time. Other
threads of the test process (gRPC's, a server's) keep it from ever being idle, and even where it is,
these waits were half of the time of the screen's tests. Here a screen is at rest when its event
loop has nothing that is ready to run, and still nothing after what is due at once has been done.

It also sends a message to each of some fifty widgets, and waits until all have taken it, several
times for each key. Here they are asked only if one of them is still busy with a message.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from weakref import WeakKeyDictionary

from textual.message_pump import MessagePump
from textual.pilot import Pilot

PAUSE_S: Final = 0.002
MOST_TURNS: Final = 20_000

_rested: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, float]] = WeakKeyDictionary()
"""When a loop was found at rest, by its own clock."""


async def let_all_run() -> bool:
    """Let run what is ready, and what that makes ready; whether there was anything."""
    loop: Any = asyncio.get_running_loop()
    turns = 0
    while loop._ready and turns < MOST_TURNS:
        turns += 1
        await asyncio.sleep(0)
    return turns > 0


async def wait_for_rest(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Stands in for `textual._wait.wait_for_idle`, of the same signature."""
    loop = asyncio.get_running_loop()
    if not await let_all_run() and loop.time() - _rested.get(loop, 0.0) < PAUSE_S / 4:
        return  # a pilot asks twice in a row, with nothing between
    for _ in range(2):
        await asyncio.sleep(PAUSE_S)
        if not await let_all_run():
            break
    _rested[loop] = loop.time()


def is_busy(pump: MessagePump) -> bool:
    """Whether it has messages, or is in the middle of one."""
    if pump._closing or pump._closed:
        return False
    ready = pump._message_queue.ready_event
    return ready.is_set() or not ready._waiters


ask_all: Final = Pilot._wait_for_screen


async def wait_for_screen(pilot: Pilot[Any], timeout: float = 30.0) -> bool:  # noqa: ASYNC109
    """Stands in for `Pilot._wait_for_screen`; a new size is taken first, after its hundredth."""
    await let_all_run()
    app = pilot.app
    while app._running and app._resize_timer is not None:  # noqa: ASYNC110 - Textual has no event
        await asyncio.sleep(PAUSE_S)
    if app._running and app._screen_stack:
        pumps = (app, *app.screen.walk_children(with_self=True))
        if not any(map(is_busy, pumps)):
            return True
    return await ask_all(pilot, timeout)


def install() -> None:
    """Let pilots and apps of this process wait so."""
    import textual.app
    import textual.pilot

    textual.app.wait_for_idle = wait_for_rest
    textual.pilot.wait_for_idle = wait_for_rest
    Pilot._wait_for_screen = wait_for_screen  # type: ignore[method-assign]
