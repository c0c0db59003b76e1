"""The list of rollouts on a thread of its own: read every so often, or when somebody asks.

It lives as long as the list and what is opened from it: who comes back finds it as it goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from canary.engine.fleet.fleet import Fleet, open_fleet
from canary.engine.fleet.member import Named
from canary.rollout.errors import CanaryError
from canary.rollout.fleet.rows import FleetReading, FleetRow
from canary.rollout.plan.plan import Plan

log = logging.getLogger(__name__)

EVERY_S: Final = 60.0
"""Cloud Monitoring has a new minute no sooner."""

LEAST_S: Final = 5.0
"""Between two readings, however often somebody asks."""

PAUSE_S: Final = 5.0
"""After a fault that ended the reading altogether."""

Show = Callable[[FleetReading], None]


class FleetWatch:
    """Reads on its thread from `start` to `stop`. `newest` is what was read last (None: nothing
    yet), `trouble` what went wrong since then. `beside` are rows that are not read: of plans that
    cannot be.
    """

    def __init__(
        self,
        plans: Sequence[Named],
        seek: Mapping[str, str],
        like: Plan | None,
        beside: Sequence[FleetRow] = (),
    ) -> None:
        self._plans, self._seek, self._like = plans, seek, like
        self._beside = tuple(beside)
        self._show: Show | None = None
        self._report: Callable[[str], None] | None = None
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self.newest: FleetReading | None = None
        self.trouble = ""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def listen(self, show: Show, report: Callable[[str], None]) -> None:
        """From now on hand rows and troubles to these; they are called on this thread. What is
        known already is handed over at once.
        """
        self._show, self._report = show, report
        if self.newest is not None:
            show(self.newest)
        if self.trouble:
            report(self.trouble)

    def refresh_now(self) -> None:
        """Read at once."""
        if self._loop is not None and self._wake is not None:
            self._loop.call_soon_threadsafe(self._wake.set)

    def stop(self) -> None:
        """End reading; returns when the connections are closed, or soon."""
        self._ended.set()
        with contextlib.suppress(RuntimeError):  # its loop has ended
            self.refresh_now()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                asyncio.run(self._read_on())
            except Exception as error:  # noqa: BLE001 - the cloud may open the next time
                self._fail(error)
                self._ended.wait(PAUSE_S)

    def _fail(self, error: Exception) -> None:
        """Say it; what was read stays, with its age, and it is tried again."""
        if not isinstance(error, CanaryError):
            log.exception("the list of rollouts")
        known = str(error) if isinstance(error, CanaryError) else type(error).__name__
        self.trouble = f"The list cannot be read: {known}"
        if self._report is not None:
            self._report(self.trouble)

    async def _read_on(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        async with open_fleet(self._plans, self._seek, self._like) as fleet:
            while not self._ended.is_set():
                self._wake.clear()
                try:
                    await self._read(fleet)
                except Exception as error:  # noqa: BLE001 - the next reading may do
                    self._fail(error)
                began = time.monotonic()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), EVERY_S)
                early_s = LEAST_S - (time.monotonic() - began)
                if early_s > 0 and not self._ended.is_set():
                    await asyncio.sleep(early_s)

    async def _read(self, fleet: Fleet) -> None:
        def show(rows: Sequence[FleetRow], *, is_whole: bool = False) -> None:
            whole = (*self._beside, *rows)
            self.newest = FleetReading(whole, fleet.now, time.monotonic(), is_whole)
            if self._show is not None:
                self._show(self.newest)

        # Later what was read before stays until all of it is new.
        rows = await fleet.refresh(show if self.newest is None else None)
        self.trouble = ""
        show(rows, is_whole=True)
