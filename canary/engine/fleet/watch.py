"""The list of rollouts on a thread of its own: read every so often, or when somebody asks.

It lives as long as the list and what is opened from it: who comes back finds it as it goes on.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from canary.engine.fleet.fleet import Named, open_fleet
from canary.rollout.errors import CanaryError
from canary.rollout.fleet.rows import FleetRow
from canary.rollout.plan.plan import Plan

log = logging.getLogger(__name__)

EVERY_S: Final = 60.0
"""Cloud Monitoring has a new minute no sooner."""

Show = Callable[[tuple[FleetRow, ...], float], None]


class FleetWatch:
    """Reads on its thread from `start` to `stop`. `newest` is what was read last, and when by the
    cloud's clock (None: nothing yet).
    """

    def __init__(self, plans: Sequence[Named], seek: Mapping[str, str], like: Plan | None) -> None:
        self._plans, self._seek, self._like = plans, seek, like
        self._show: Show | None = None
        self._report: Callable[[str], None] | None = None
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self.newest: tuple[tuple[FleetRow, ...], float] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def listen(self, show: Show, report: Callable[[str], None]) -> None:
        """From now on hand rows and troubles to these; they are called on this thread."""
        self._show, self._report = show, report
        if self.newest is not None:
            show(*self.newest)

    def refresh_now(self) -> None:
        """Read at once."""
        if self._loop is not None and self._wake is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    def stop(self) -> None:
        """End reading; returns when the connections are closed, or soon."""
        self._is_over = True
        self.refresh_now()
        self._thread.join(5.0)

    def _run(self) -> None:
        try:
            asyncio.run(self._read_on())
        except CanaryError as error:
            self._say(str(error))
        except Exception as error:
            log.exception("the list of rollouts")
            self._say(f"The list cannot be read: {type(error).__name__}.")

    def _say(self, text: str) -> None:
        if self._report is not None:
            self._report(text)

    async def _read_on(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        async with open_fleet(self._plans, self._seek, self._like) as fleet:
            while not self._is_over:
                self._wake.clear()
                rows = await fleet.refresh()
                self.newest = (rows, fleet.now)
                if self._show is not None:
                    self._show(rows, fleet.now)
                try:
                    await asyncio.wait_for(self._wake.wait(), EVERY_S)
                except TimeoutError:
                    continue
