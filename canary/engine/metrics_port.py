"""What a scraper is told by a process that watches: the newest snapshot, on a loopback port.

Anybody on this host may ask: no secret is in it, and nothing can be changed by it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final

from canary.host.clock import read_steady_clock
from canary.rollout.errors import UsageError
from canary.rollout.export.openmetrics import CONTENT_TYPE, write_openmetrics
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state

if TYPE_CHECKING:
    from aiohttp import web

LOOPBACK: Final = "127.0.0.1"
NOTHING_YET: Final = "# EOF\n"


class MetricsPort:
    """Keeps what is told; `show` is given each snapshot. The cloud's time goes on from the newest
    one's by the host's steady clock.
    """

    def __init__(self, plan: Plan, steady: Callable[[], float] = read_steady_clock) -> None:
        self._plan = plan
        self._steady = steady
        self._shown_at = 0.0
        self._snapshot: Snapshot | None = None
        self._waiting_since: float | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Tell of this snapshot from now on."""
        if find_state(snapshot, self._plan).actor.kind != "you":
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = snapshot.verdict_since or snapshot.as_of
        self._snapshot, self._shown_at = snapshot, self._steady()

    def text(self) -> str:
        """What a scrape is answered; nothing before the first snapshot."""
        if self._snapshot is None:
            return NOTHING_YET
        known = self._snapshot
        now = known.as_of + (self._steady() - self._shown_at) * known.speed
        return write_openmetrics(known, self._plan, now, known.changes, self._waiting_since)


@contextlib.asynccontextmanager
async def serving(port: int | None, told: MetricsPort) -> AsyncIterator[None]:
    """Answer `GET /metrics` on loopback while this lasts; nothing for None.

    Raises UsageError when the port cannot be had.
    """
    if port is None:
        yield
        return
    from aiohttp import web

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=told.text().encode(), headers={"content-type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, LOOPBACK, port).start()
        except OSError as exc:
            raise UsageError(
                f"Port {port} of {LOOPBACK} cannot be used: {exc.strerror or exc}.",
                remedy="Name another with --metrics-port.",
            ) from exc
        yield
    finally:
        await runner.cleanup()
